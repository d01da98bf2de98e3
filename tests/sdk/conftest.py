"""Fixtures: hubs on the SDKs' own ports, one at a time."""

import asyncio
import inspect
import itertools
import os

import pytest

from hub import Hub

names = itertools.count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs tests that are coroutines, each on an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


def pytest_report_header():
    alone = "a network namespace of its own" if os.environ.get("IRONHUB_SDK_NAMESPACE") else "the machine's real ports"
    return f"hub: {os.environ.get('IRONHUB_BIN')}, on {alone}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub that the tests of one file share; each uses device ids of its own."""
    root = tmp_path_factory.mktemp("hub")
    running = Hub(root / "data", root / "hub.log", "--hub-partitions", "4")
    running.start()
    yield running
    ended_by_itself = not running.alive()
    running.stop()
    assert not ended_by_itself, f"the hub ended with {running.process.returncode}:\n{running.tail()}"


@pytest.fixture
def new_hub(tmp_path):
    """Makes hubs with data directories of their own, not yet started, and ends them after the test."""
    made = []

    def make(*flags, data=None, env=None):
        number = next(names)
        made.append(Hub(data or tmp_path / f"data{number}", tmp_path / f"hub{number}.log", *flags, env=env))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def device(hub):
    """A new device of the shared hub."""
    return hub.device(f"dev-{next(names)}")
