"""Cloud-to-device messages: sent by both service SDKs, received and settled by each device SDK over each transport."""

import time

import pytest

from agent import NodeError
from feedback import Feedback
from on_each import on_each, outcomes, result
from programs import with_features
from service import Service
from waiting import until

MAX_DELIVERIES = 10
QUEUE = 50
# What a device SDK does not show of a message, by client and transport.
HIDDEN = {
    ("Python azure-iot-device", "MQTT"): {"to"},
    ("Python azure-iot-device", "MQTT-WS"): {"to"},
    ("Node azure-iot-device", "MQTT"): {"ack"},
    ("Node azure-iot-device", "MQTT-WS"): {"ack"},
    ("Node azure-iot-device", "HTTPS"): {"ack", "contentType", "contentEncoding"},
}


@pytest.fixture(scope="module")
def feedback(hub, agent):
    made = Feedback(hub, agent)
    yield made
    made.close()


@pytest.fixture(scope="module")
def back_end(hub, agent):
    """Node's service client over AMQP over WebSocket: `send(device, message)`."""
    name = agent.name("back-end")
    agent.ask("service", client=name, transport="amqp-ws", connectionString=hub.service)
    yield lambda device, message: agent.ask("serviceSend", client=name, device=device.id, message=message)
    agent.ask("serviceClose", client=name)


FULL = {
    "body": "YmluYXJ5IAD/", "messageId": "mid/1 =&?", "correlationId": "cid+1",
    "contentType": "application/json", "contentEncoding": "utf-8", "ack": "full",
    "app": [["plain", "value"], ["signs", "a=b&c/d?e#f+g%20 h"], ["empty", ""]],
}


@on_each("C2D: receive, complete", "c2d")
def test_messages_arrive_with_every_property_in_the_order_they_were_sent(hub, service, back_end, start, kind):
    device = hub.device(f"c2d-{kind.name}")
    # Two wait for the device; two come while it is there.
    back_end(device, FULL)
    service.send(device.id, "second", messageId="second", key="value")
    assert hub.registry.queued(device.id) == 2
    program = start(kind, device)
    program.listen()
    first = program.take()
    program.settle(first)
    sent = {**FULL, "to": f"/devices/{device.id}/messages/devicebound"}
    for name in ("messageId", "correlationId", "contentType", "contentEncoding", "ack", "to"):
        if name not in HIDDEN.get((kind.client, kind.transport), ()):
            assert first.get(name) == sent[name], name
    # Node reads a body as text over HTTPS.
    assert first["body"].startswith(b"binary \x00") and (kind.transport == "HTTPS" or first["body"].endswith(b"\xff"))
    app = {name: value for name, value in first["app"].items() if name != "iothub-ack"}
    assert app == dict(FULL["app"])
    second = program.take()
    program.settle(second)
    assert (second["body"], second["messageId"], second["app"]) == (b"second", "second", {"key": "value"})
    for number in range(2):
        service.send(device.id, f"live {number}")
    for number in range(2):
        message = program.take()
        program.settle(message)
        assert message["body"] == f"live {number}".encode()
    until(lambda: hub.registry.queued(device.id) == 0, "the queue is empty")
    assert program.empty()


@on_each("C2D: receive, complete", "c2d")
def test_nothing_is_pushed_to_who_does_not_listen(hub, service, start, kind):
    device = hub.device(f"deaf-{kind.name}")
    program = start(kind, device)
    service.send(device.id, "waits")
    program.send({"body": b"busy otherwise", "app": []})
    assert hub.registry.queued(device.id) == 1 and program.empty()


@on_each("C2D: receive, complete", "c2d")
def test_64_kb_arrive(hub, back_end, service, start, kind):
    device = hub.device(f"c2d-large-{kind.name}")
    program = start(kind, device)
    program.listen()
    body = "0123456789abcdef" * (60 * 1024 // 16)
    service.send(device.id, body)
    message = program.take()
    program.settle(message)
    assert message["body"] == body.encode()


@on_each("C2D: reject, abandon", "settle")
def test_an_abandoned_message_comes_back_at_its_place(hub, service, start, kind):
    device = hub.device(f"abandon-{kind.name}")
    service.send(device.id, "one", messageId="one")
    program = start(kind, device)
    program.listen()
    first = program.take()
    service.send(device.id, "two", messageId="two")
    program.settle(first, "abandon")
    got = [program.take() for _ in range(2)]
    assert sorted(message["messageId"] for message in got) == ["one", "two"]
    for message in got:
        program.settle(message)
    until(lambda: hub.registry.queued(device.id) == 0, "the queue is empty")


@pytest.fixture(scope="module")
def settled(hub, agent, service, feedback):
    """Each outcome that each program can have, all before anybody waits for feedback."""

    def settle(kind):
        device = hub.device(f"feedback-{kind.name}")
        program = kind.open(device, agent)
        sent = {}
        try:
            program.listen()
            for ack in ("none", "positive", "negative", "full"):
                sent["complete", ack] = service.send(device.id, "complete me", ack=ack, todo="complete")
                if "settle" in kind.features:
                    sent["reject", ack] = service.send(device.id, "reject me", ack=ack, todo="reject")
                    sent["abandon", ack] = service.send(device.id, "abandon me", ack=ack, todo="abandon")
            expected = len(sent) + (MAX_DELIVERIES - 1) * sum(outcome == "abandon" for outcome, _ in sent)
            for _ in range(expected):
                message = program.take()
                program.settle(message, message["app"]["todo"])
            until(lambda: hub.registry.queued(device.id) == 0, "the queue is empty")
        finally:
            program.close()
        return device, sent

    return outcomes(with_features("c2d"), settle)


STATUS = {"complete": "Success", "reject": "Rejected", "abandon": "DeliveryCountExceeded"}


@on_each("C2D: feedback", "c2d")
def test_feedback_says_what_became_of_a_message(settled, feedback, kind):
    device, sent = result(settled, kind)
    for (outcome, ack), message_id in sent.items():
        if ack == "full" or ack == ("positive" if outcome == "complete" else "negative"):
            record = feedback.of(message_id)
            assert (record["statusCode"], record["description"]) == (STATUS[outcome],) * 2
            assert record["deviceId"] == device.id
            assert record["deviceGenerationId"] == device.record["generationId"]
            assert record["enqueuedTimeUtc"].endswith("Z")
    # The records of one device come together, so none is still on its way.
    for (outcome, ack), message_id in sent.items():
        if ack == "none" or ack == ("negative" if outcome == "complete" else "positive"):
            assert message_id not in feedback.found, f"{outcome} with ack {ack}"


@pytest.mark.feature("C2D: feedback", client="Node azure-iothub", transport="AMQP")
def test_purged_and_expired_messages_have_feedback(hub, service, feedback):
    device = hub.device("unread")
    purged = {ack: service.send(device.id, "purge me", ack=ack) for ack in ("none", "positive", "negative", "full")}
    assert service.purge(device.id) == 4
    assert hub.registry.queued(device.id) == 0
    expiring = service.send(device.id, "too late", ack="full", expiryTimeUtc=int(time.time() * 1000) + 1500)
    kept = service.send(device.id, "in time", ack="full")
    assert feedback.of(purged["negative"])["statusCode"] == feedback.of(purged["full"])["statusCode"] == "Purged"
    assert feedback.of(expiring)["statusCode"] == "Expired"
    assert hub.registry.queued(device.id) == 1
    for message_id in (purged["none"], purged["positive"], kept):
        assert message_id not in feedback.found


@pytest.mark.feature("C2D: the 51st is refused", client="Python azure-iot-hub", transport="AMQP")
@pytest.mark.feature("C2D: the 51st is refused", client="Node azure-iothub", transport="AMQP-WS")
def test_the_51st_message_is_refused_and_nobody_elses(hub, service, back_end):
    full, other = hub.device("full"), hub.device("not-full")
    for number in range(QUEUE - 1):
        service.send(full.id, f"{number}")
    back_end(full, {"body": "", "app": []})
    with pytest.raises(NodeError) as refused:
        back_end(full, {"body": "", "app": []})
    assert refused.value.name == "DeviceMaximumQueueDepthExceededError"
    with pytest.raises(Exception, match="C2D message send failure"):
        service.send(full.id, "one too many")
    # The same links go on.
    back_end(other, {"body": "", "app": []})
    service.send(other.id, "fine")
    assert (hub.registry.queued(full.id), hub.registry.queued(other.id)) == (QUEUE, 2)
    assert service.purge(full.id) == QUEUE
    service.send(full.id, "room again")
    assert hub.registry.queued(full.id) == 1


@pytest.mark.feature("C2D: send", client="Node azure-iothub", transport="AMQP-WS")
def test_a_message_to_nobody_is_refused(hub, service, back_end):
    class Nobody:
        id = "nobody"

    with pytest.raises(NodeError) as refused:
        back_end(Nobody, {"body": "", "app": []})
    assert refused.value.name == "DeviceNotFoundError"
    with pytest.raises(Exception, match="C2D message send failure"):
        service.send("nobody", "hello")


def python_sends(hub, transport):
    made = Service(hub, transport)
    return made.send, made.close


def node_sends(hub, agent, transport):
    name = agent.name("sender")
    agent.ask("service", client=name, transport=transport.lower(), connectionString=hub.service)

    def send(device_id, body, **properties):
        agent.ask("serviceSend", client=name, device=device_id, message={"body": "", "app": [], **properties})

    return send, lambda: agent.ask("serviceClose", client=name)


def sends(transport):
    clients = ("Python azure-iot-hub", "Node azure-iothub")
    marks = [pytest.mark.feature("C2D: send", client=client, transport=transport) for client in clients]
    return pytest.param(transport, marks=marks)


@pytest.mark.parametrize("transport", [sends("AMQP"), sends("AMQP-WS")])
def test_both_service_sdks_send_over_both_transports(hub, agent, transport):
    device = hub.device(f"sent-by-{transport}")
    for send, close in (python_sends(hub, transport), node_sends(hub, agent, transport)):
        for _ in range(3):
            send(device.id, "hello")
        close()
    assert hub.registry.queued(device.id) == 6
