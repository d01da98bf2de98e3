"""Running one test with each program that offers a feature."""

import pytest

from programs import with_features


def on_each(feature, *needs):
    """One test per kind of program that offers all of `needs`; each is a cell of the matrix's row `feature`."""
    kinds = with_features(*needs)

    def decorate(test):
        test = pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds])(test)
        return pytest.mark.feature(feature)(test)

    return decorate


def outcomes(kinds, job):
    """`job(kind)` of every kind, one after the other: what it returned or raised, for tests that look at one each.

    For steps that end in a wait which all kinds can share.
    """
    found = {}
    for kind in kinds:
        try:
            found[kind] = job(kind)
        except BaseException as error:  # noqa: BLE001 - raised again in the test of that kind
            found[kind] = error
    return found


def result(found, kind):
    """One kind's outcome; raises what it raised."""
    if isinstance(found[kind], BaseException):
        raise found[kind]
    return found[kind]
