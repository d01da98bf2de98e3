"""Fixtures: hubs on the SDKs' own ports, one at a time, and the programs that talk to them."""

import asyncio
import inspect
import itertools
import os

import pytest

from agent import Agent
from following import Following
from hub import Hub
from java_client import Java
from service import Service
from webhook import Webhook

pytest_plugins = ["matrix"]

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
def hub(request, tmp_path_factory):
    """A hub that the tests of one file share; each uses device ids of its own. A file's HUB is another kind of it."""
    root = tmp_path_factory.mktemp("hub")
    running = getattr(request.module, "HUB", Hub)(root / "data", root / "hub.log", "--hub-partitions", "4")
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


@pytest.fixture(scope="module")
def agent(hub):
    """The Node process of one file's tests."""
    running = Agent(hub)
    yield running
    running.close()
    assert not running.unhandled, "\n".join(running.unhandled)


@pytest.fixture(scope="module")
def java(hub, tmp_path_factory):
    """The JVM of one file's tests."""
    running = Java(hub, tmp_path_factory.mktemp("java"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def service(hub):
    """The Python service SDK, over AMQP."""
    made = Service(hub)
    yield made
    made.close()


@pytest.fixture(scope="module")
def events(hub):
    """Everything that devices send while the tests of one file run. Not for files that restart their hub."""
    following = Following(hub)
    yield following
    following.close()


@pytest.fixture
def start(agent):
    """Starts programs, and closes those that the test did not."""
    open_ones = []

    def one(kind, identity, **options):
        open_ones.append(kind.open(identity, agent, **options))
        return open_ones[-1]

    yield one
    for program in open_ones:
        try:
            program.close()
        except Exception:  # noqa: BLE001 - a test may have closed it, or the hub may have
            pass


@pytest.fixture
def webhook():
    """Makes servers that take what the hub posts, and closes them."""
    made = []

    def make(*arguments):
        made.append(Webhook(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()
