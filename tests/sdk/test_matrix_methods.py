"""Direct methods: called by both service SDKs, answered by each device SDK over each transport."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent import NodeError
from on_each import on_each, outcomes, result
from programs import with_features

LARGE = "x" * (127 * 1024)


@pytest.fixture(scope="module")
def back_end(hub, agent):
    """Node's service client."""
    name = agent.name("caller")
    agent.ask("service", client=name, transport="amqp", connectionString=hub.service)

    def invoke(device, method, payload=None, response=30, connect=30):
        return agent.ask("invoke", client=name, device=device.id, method={
            "methodName": method, "payload": payload, "responseTimeoutInSeconds": response,
            "connectTimeoutInSeconds": connect})

    yield invoke
    agent.ask("serviceClose", client=name)


@on_each("direct methods", "methods")
def test_a_method_reaches_the_device_and_its_answer_the_caller(hub, service, back_end, start, kind):
    device = hub.device(f"method-{kind.name}")
    program = start(kind, device)
    program.answer_methods()
    for payload in ({"delay": 3, "text": "grün"}, [1, "two", None], "text", 0, {"large": LARGE}):
        assert service.invoke(device, "echo", payload) == (200, payload)
        call = program.calls.take()
        assert (call["name"], call["payload"]) == ("echo", payload)
    # The Python service SDK sends an empty text for nothing; Node sends nothing.
    assert back_end(device, "echo") == {"status": 200, "payload": None}
    assert program.calls.take()["payload"] is None
    assert service.invoke(device, "reboot", {"status": -7}) == (-7, {"method": "reboot", "got": {"status": -7}})
    assert back_end(device, "reboot", {"status": 404}) == {
        "status": 404, "payload": {"method": "reboot", "got": {"status": 404}}}


@on_each("direct methods", "methods")
def test_many_calls_at_once_get_each_its_own_answer(hub, start, kind):
    device = hub.device(f"many-{kind.name}")
    program = start(kind, device)
    program.answer_methods()
    assert hub.registry.invoke(device, "echo", "ready", connect=30).status == 200
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: hub.registry.invoke(device, "echo", {"n": number}), range(30)))
    assert [answer.json for answer in answers] == [{"status": 200, "payload": {"n": number}} for number in range(30)]


@pytest.fixture(scope="module")
def silent(hub, agent):
    """A call that nobody answers, on a device of each kind, all at the same time."""

    def prepare(kind):
        device = hub.device(f"silent-{kind.name}")
        program = kind.open(device, agent)
        program.answer_methods()
        assert hub.registry.invoke(device, "echo", "ready", connect=30).status == 200
        return device, program

    prepared = outcomes(with_features("methods"), prepare)

    def call(kind):
        device, program = result(prepared, kind)
        try:
            start = time.monotonic()
            return hub.registry.invoke(device, "silent", response=5), time.monotonic() - start
        finally:
            program.close()

    return outcomes(prepared, call, at_once=True)


@on_each("direct methods", "methods")
def test_a_call_that_is_not_answered_ends_with_504101(silent, kind):
    answer, seconds = result(silent, kind)
    assert (answer.status, answer.headers["iothub-errorcode"]) == (504, "GatewayTimeout"), answer
    assert "504101" in answer.text and "Timed out waiting for the response from device." in answer.text
    assert 4.5 < seconds < 30


@on_each("direct methods", "methods")
def test_a_device_that_goes_ends_the_call(hub, start, kind):
    device = hub.device(f"going-{kind.name}")
    program = start(kind, device)
    program.answer_methods()
    assert hub.registry.invoke(device, "echo", "ready", connect=30).status == 200
    program.calls.take()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(hub.registry.invoke, device, "silent", None, 300)
        program.calls.take()
        program.close()
        answer = call.result(60)
    assert answer.status == 404, answer
    # Nobody is there now; a call with a connect time-out waits for somebody.
    assert hub.registry.invoke(device, "echo").status == 404
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(hub.registry.invoke, device, "echo", "again", 30, 60)
        start(kind, device).answer_methods()
        assert call.result(60).json == {"status": 200, "payload": "again"}


def test_a_device_that_is_not_there_is_404103_at_once(hub, back_end):
    device = hub.device("offline")
    start = time.monotonic()
    answer = hub.registry.invoke(device, "echo")
    assert answer.status == 404, answer
    assert answer.headers["iothub-errorcode"] == "DeviceNotOnline"
    assert "404103" in answer.text and "Timed out waiting for device to connect." in answer.text
    with pytest.raises(NodeError):
        back_end(device, "echo", connect=0)
    assert time.monotonic() - start < 30


def test_calls_that_cannot_be_are_refused(hub):
    class Nobody:
        id, module = "nobody", None

    answer = hub.registry.invoke(Nobody, "echo")
    assert (answer.status, answer.headers["iothub-errorcode"]) == (404, "DeviceNotFound"), answer
    device = hub.device("refusing")
    assert hub.registry.invoke(device, "echo", response=4).status == 400
    assert hub.registry.invoke(device, "echo", response=301).status == 400
    assert hub.registry.invoke(device, "echo", connect=301).status == 400
    assert hub.registry.invoke(device, "").status == 400
    assert hub.registry.invoke(device, "a/b").status == 400
    assert hub.registry.invoke(device, "echo", "x" * (128 * 1024 + 1)).status == 413
