"""Connections that are renewed, taken over, and ended: with each SDK over each transport."""

import threading
import time

import pytest

import eventhub
from on_each import on_each, outcomes, result
from programs import KINDS, NODE, with_features
from waiting import until

BY_NAME = {kind.name: kind for kind in KINDS}
# The Python SDK renews this long before a token ends.
PYTHON_MARGIN = 120
RENEWALS = 2
# Seconds between them. A hub holds C2D for two seconds after a reconnection without a subscription, as Node makes it.
INTERVAL = 6


def short_tokens(kind):
    """Options that make an SDK renew its token every few seconds."""
    if kind.client == NODE:
        return {"options": {"tokenRenewal": {"tokenValidTimeInSeconds": INTERVAL + 3, "tokenRenewalMarginInSeconds": 3}}}
    return {"sastoken_ttl": PYTHON_MARGIN + INTERVAL}


def heard_of(program, kind, version):
    """Waits until the program knows the desired properties of this version."""
    # Changes travel at QoS 0, and an SDK drops what comes while it takes its leave to reconnect. Python's reads the twin
    # afterwards by itself; with Node's that is for the application, as on Azure.
    try:
        while program.desired.take(10 if kind.client == NODE else 60)["$version"] < version:
            pass
    except AssertionError:
        if kind.client != NODE:
            raise
        assert program.twin()["desired"]["$version"] >= version


@pytest.fixture(scope="module")
def renewed(hub, agent, service):
    """Everything at once on devices of each kind while their tokens are renewed a few times."""
    one_sender = threading.Lock()

    def run(kind):
        device = hub.device(f"renewing-{kind.name}")
        program = kind.open(device, agent, **short_tokens(kind))
        try:
            program.listen()
            program.answer_methods()
            program.watch()
            # From now on Python's SDK gets answers when it reads the twin.
            program.twin()
            end = time.monotonic() + INTERVAL * RENEWALS + 3
            count = 0
            while time.monotonic() < end:
                program.send({"body": f"{count}".encode(), "app": []})
                if count % 10 == 0:
                    with one_sender:
                        service.send(device.id, f"c2d {count}")
                    # What a renewal by reconnecting interrupted comes twice.
                    while (message := program.take())["body"] != f"c2d {count}".encode():
                        program.settle(message)
                    program.settle(message)
                    twin = hub.registry.update_twin(device, {"properties": {"desired": {"count": count}}})
                    heard_of(program, kind, twin["properties"]["desired"]["$version"])
                    # A method goes to the connection of the instant, so a renewal by reconnecting may cost one.
                    until(lambda: hub.registry.invoke(device, "echo", connect=10).status == 200, "a method is answered")
                count += 1
        finally:
            program.close()
        return device, count

    return outcomes(with_features("renewal"), run, at_once=True)


@on_each("token renewal without a gap", "renewal")
def test_nothing_is_lost_while_tokens_are_renewed(renewed, events, kind):
    device, count = result(renewed, kind)

    def missing():
        # A message that is sent again is there twice, so the last ones may be beyond the first `count` events.
        return set(range(count)) - {int(eventhub.body(event)) for event in events.of(device.id, count)}

    until(lambda: not missing(), lambda: f"lost: {sorted(missing())}")
    assert max(int(eventhub.body(event)) for event in events.of(device.id, count)) < count


PAIRS = [("node-mqtt", "node-amqp"), ("node-amqp", "node-mqtt-ws"), ("node-amqp-ws", "node-amqp"),
         ("node-mqtt-ws", "node-amqp-ws"), ("python-mqtt", "node-amqp-ws"), ("node-amqp", "python-mqtt-ws"),
         ("paho-mqtt", "node-amqp"), ("node-amqp", "paho-mqtt-ws")]


def marks(old, new):
    return [pytest.mark.feature("takeover", client=BY_NAME[name].client, transport=BY_NAME[name].transport)
            for name in (old, new)]


@pytest.mark.parametrize(("old", "new"), [pytest.param(*pair, marks=marks(*pair)) for pair in PAIRS])
def test_the_newer_connection_takes_over(hub, service, start, old, new):
    device = hub.device(f"taken-{old}-{new}")
    first = start(BY_NAME[old], device)
    first.listen()
    first.answer_methods()
    assert service.invoke(device, "echo", 1) == (200, 1)
    second = start(BY_NAME[new], device)
    second.listen()
    second.answer_methods()
    second.watch()
    ended(first, BY_NAME[old])
    service.send(device.id, "for the newcomer")
    message = second.take()
    second.settle(message)
    assert message["body"] == b"for the newcomer"
    assert service.invoke(device, "reboot", 2) == (200, {"method": "reboot", "got": 2})
    assert first.empty()
    second.send({"body": b"still here", "app": []})


@on_each("disabled and deleted devices lose their connection", "twin")
def test_a_device_that_may_not_be_here_any_more_is_gone_at_once(hub, start, kind):
    for number, end in enumerate((
        lambda device: hub.registry.update(device.record, status="disabled"),
        lambda device: hub.registry.delete(device.id),
    )):
        device = hub.device(f"ending-{number}-{kind.name}")
        program = start(kind, device)
        program.watch()
        assert end(device).status in (200, 204)
        ended(program, kind)
        with pytest.raises(Exception):  # noqa: B017 - each SDK has errors of its own
            start(kind, device).send({"body": b"never", "app": []})


def ended(program, kind):
    if kind.client == NODE:
        program.disconnects.take()
    elif kind.name.startswith("paho"):
        until(program.gone.is_set, "the connection ends")
    else:
        until(lambda: not program.client.connected, "the connection ends")
