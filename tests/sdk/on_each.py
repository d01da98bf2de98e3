"""Running one test with each program that offers a feature."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from programs import with_features


def on_each(feature, *needs):
    """One test per kind of program that offers all of `needs`; each is a cell of the matrix's row `feature`."""
    kinds = with_features(*needs)

    def decorate(test):
        test = pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds])(test)
        return pytest.mark.feature(feature)(test)

    return decorate


def outcomes(kinds, job, at_once=False):
    """`job(kind)` of every kind: what it returned or raised, for tests that look at one each.

    For steps that end in a wait which all kinds can share, or that may run `at_once`.
    """

    def run(kind):
        try:
            return job(kind)
        except BaseException as error:  # noqa: BLE001 - raised again in the test of that kind
            return error

    kinds = list(kinds)
    with ThreadPoolExecutor(len(kinds) if at_once else 1) as pool:
        return dict(zip(kinds, pool.map(run, kinds), strict=True))


def result(found, kind):
    """One kind's outcome; raises what it raised."""
    if isinstance(found[kind], BaseException):
        raise found[kind]
    return found[kind]
