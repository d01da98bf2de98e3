"""C2D, twins and methods by hand: what paho-mqtt sees on each topic."""

import json
import threading

import pytest

from programs import KINDS
from waiting import until

PAHO = {kind.transport: kind for kind in KINDS if kind.name.startswith("paho")}
WINDOW = 16
QUEUE = 50


def connect(start, device, **options):
    return start(PAHO["MQTT"], device, **options)


@pytest.mark.feature("C2D: persistent sessions", client="paho-mqtt", transport="MQTT")
def test_a_persistent_session_gets_what_came_meanwhile_without_subscribing_again(hub, service, start):
    device = hub.device("persistent")
    first = connect(start, device, clean=False)
    assert first.session_present == 0
    first.listen()
    first.close()
    for number in range(3):
        service.send(device.id, f"{number}")
    second = connect(start, device, clean=False)
    assert second.session_present == 1
    got = [second.take() for _ in range(3)]
    assert [(message["body"], message["qos"], message["dup"]) for message in got] == [
        (f"{number}".encode(), 1, False) for number in range(3)]
    until(lambda: hub.registry.queued(device.id) == 0, "all are completed")
    second.close()
    # A clean session ends the stored one; the queue belongs to the device and stays.
    service.send(device.id, "kept")
    third = connect(start, device, clean=True)
    assert third.session_present == 0
    third.listen()
    assert third.take()["body"] == b"kept"
    third.close()
    assert connect(start, device, clean=False).session_present == 0


@pytest.mark.feature("C2D: redelivery", client="paho-mqtt", transport="MQTT")
def test_what_was_not_acknowledged_comes_again_at_reconnect(hub, service, start):
    device = hub.device("redelivery")
    first = connect(start, device, clean=False, acknowledge=False)
    first.listen()
    sent = [service.send(device.id, f"{number}") for number in range(3)]
    for _ in sent:
        first.take()
    assert hub.registry.queued(device.id) == 3
    first.drop()
    second = connect(start, device, clean=False, acknowledge=False)
    again = [second.take() for _ in sent]
    assert [message["messageId"] for message in again] == sent
    second.drop()
    # A new session knows of no earlier delivery.
    third = connect(start, device, clean=True)
    third.listen()
    assert [(message["messageId"], message["dup"]) for message in (third.take() for _ in sent)] == [
        (message_id, False) for message_id in sent]
    until(lambda: hub.registry.queued(device.id) == 0, "all are completed")


@pytest.mark.feature("C2D: redelivery", client="paho-mqtt", transport="MQTT")
def test_a_redelivery_on_the_same_session_has_its_identifier_and_says_so(hub, service, start):
    device = hub.device("dup")
    first = connect(start, device, clean=False, acknowledge=False)
    first.listen()
    for number in range(3):
        service.send(device.id, f"{number}")
    before = [first.take() for _ in range(3)]
    first.client._send_command_with_mid(0x40, before[0]["mid"], False)
    until(lambda: hub.registry.queued(device.id) == 2, "one is completed")
    first.drop()
    second = connect(start, device, clean=False)
    again = [second.take() for _ in range(2)]
    assert [(message["mid"], message["dup"]) for message in again] == [(message["mid"], True) for message in before[1:]]


@pytest.mark.feature("C2D: QoS 0 and 1")
@pytest.mark.parametrize("kind", PAHO.values(), ids=PAHO)
def test_the_subscription_says_at_which_quality_messages_come(hub, service, start, kind):
    device = hub.device(f"qos-{kind.name}")
    program = start(kind, device)
    service.send(device.id, "first")
    assert program.subscribe(f"devices/{device.id}/messages/devicebound/#", qos=0) == [0]
    first = program.take()
    assert (first["body"], first["qos"]) == (b"first", 0)
    # Sent is completed at QoS 0.
    until(lambda: hub.registry.queued(device.id) == 0, "it is completed")
    assert program.subscribe(f"devices/{device.id}/messages/devicebound/#", qos=2) == [1]
    service.send(device.id, "second")
    assert program.take()["qos"] == 1


@pytest.mark.feature("C2D: the 51st is refused", client="paho-mqtt", transport="MQTT")
def test_messages_on_their_way_count_and_no_more_than_sixteen_are(hub, service, start):
    device = hub.device("window")
    program = connect(start, device, clean=False, acknowledge=False)
    program.listen()
    for number in range(QUEUE):
        service.send(device.id, f"{number}")
    with pytest.raises(Exception, match="C2D message send failure"):
        service.send(device.id, "one too many")
    assert [int(program.take()["body"]) for _ in range(WINDOW)] == list(range(WINDOW))
    # An answer that comes after them on the same connection: nothing else was sent before it.
    program.twin()
    assert program.empty()
    assert hub.registry.queued(device.id) == QUEUE
    program.drop()
    program = connect(start, device, clean=False)
    assert [int(program.take()["body"]) for _ in range(QUEUE)] == list(range(QUEUE))
    until(lambda: hub.registry.queued(device.id) == 0, "all are completed")


@pytest.mark.feature("C2D: redelivery", client="paho-mqtt", transport="MQTT")
def test_pubacks_may_come_in_any_order(hub, service, start):
    device = hub.device("any-order")
    program = connect(start, device, clean=False, acknowledge=False)
    program.listen()
    sent = [service.send(device.id, f"{number}") for number in range(5)]
    got = [program.take() for _ in sent]
    for message in (got[3], got[1]):
        program.client._send_command_with_mid(0x40, message["mid"], False)
    until(lambda: hub.registry.queued(device.id) == 3, "two are completed")
    program.drop()
    program = connect(start, device, clean=False)
    assert [program.take()["messageId"] for _ in range(3)] == [sent[0], sent[2], sent[4]]


FILTERS = [
    ("devices/{d}/messages/devicebound/#", 1, 1), ("devices/{d}/messages/devicebound/#", 2, 1),
    ("devices/+/messages/devicebound/#", 1, 1), ("$iothub/twin/res/#", 0, 0), ("$iothub/twin/res/#", 1, 1),
    ("$iothub/twin/PATCH/properties/desired/#", 1, 1), ("$iothub/methods/POST/#", 2, 1),
    ("$iothub/methods/POST/reboot/#", 0, 0), ("devices/stranger/messages/devicebound/#", 1, 0x80), ("#", 1, 0x80),
    ("$iothub/#", 0, 0x80), ("devices/{d}/messages/events/#", 1, 0x80),
]


def test_each_filter_has_its_answer(hub, start):
    device = hub.device("filters")
    program = connect(start, device)
    for text, asked, granted in FILTERS:
        assert program.subscribe(text.format(d=device.id), qos=asked) == [granted], (text, asked)
    # One bad filter does not spoil the packet.
    several = ["$iothub/twin/res/#", "devices/stranger/messages/devicebound/#", "$iothub/methods/POST/#"]
    assert program.subscribe(*several, qos=1) == [1, 0x80, 1]


TWIN_ERRORS = [
    ("GET", "", 200), ("GET", " ", 200), ("GET", "no JSON", 200),
    ("PATCH/properties/reported", "{", 400), ("PATCH/properties/reported", "[]", 400),
    ("PATCH/properties/reported", "7", 400), ("PATCH/properties/reported", '{"a": 1e400}', 400),
    ("PATCH/properties/reported", '{"a b": 1}', 400), ("PATCH/properties/reported", '{"$b": 1}', 400),
    ("PATCH/properties/reported", '{"n": 4503599627370496}', 400),
    ("PATCH/properties/reported", "{}", 204), ("PATCH/properties/reported", '{"$version": 5, "ok": 1}', 204),
]


@pytest.mark.feature("twin: get, reported patch", client="paho-mqtt", transport="MQTT")
def test_twin_requests_by_hand(hub, start):
    device = hub.device("by-hand")
    program = connect(start, device)
    program.twin()
    for topic, payload, status in TWIN_ERRORS:
        got, version, body = program.request(f"$iothub/twin/{topic}", payload)
        assert got == status, (topic, payload, body)
        if status >= 400:
            assert set(json.loads(body)) >= {"errorCode", "message"}, body
            assert json.loads(body)["errorCode"] // 1000 == status
        assert (version is not None) == (status == 204)
    reported = hub.registry.twin(device)["properties"]["reported"]
    assert {name: value for name, value in reported.items() if name[0] != "$"} == {"ok": 1}


@pytest.mark.feature("twin: get, reported patch", client="paho-mqtt", transport="MQTT")
def test_an_expected_version_is_compared(hub, start):
    device = hub.device("expected-version")
    program = connect(start, device)
    version = program.report({"a": 1})
    program.client.publish(f"$iothub/twin/PATCH/properties/reported/?$rid=ok&$version={version}", '{"a": 2}', 1)
    topic, _ = program.answers.get(timeout=60)
    assert topic == f"$iothub/twin/res/204/?$rid=ok&$version={version + 1}"
    program.client.publish(f"$iothub/twin/PATCH/properties/reported/?$rid=stale&$version={version}", '{"a": 3}', 1)
    topic, body = program.answers.get(timeout=60)
    assert topic == "$iothub/twin/res/412/?$rid=stale" and json.loads(body)["errorCode"] == 412001
    assert hub.registry.twin(device)["properties"]["reported"]["a"] == 2


@pytest.mark.feature("twin: get, reported patch", client="paho-mqtt", transport="MQTT")
def test_a_patch_without_a_place_for_the_answer_is_done_all_the_same(hub, start):
    device = hub.device("no-answer")
    program = connect(start, device)
    program.client.publish("$iothub/twin/PATCH/properties/reported/?$rid=x y~1", '{"quiet": true}', 1)
    until(lambda: "quiet" in hub.registry.twin(device)["properties"]["reported"], "the patch is there")
    # Request ids are anything without a slash, and come back as they were.
    program.subscribe("$iothub/twin/res/#")
    program.client.publish("$iothub/twin/GET/?$rid=a%20b c=d", "", 1)
    assert program.answers.get(timeout=60)[0] == "$iothub/twin/res/200/?$rid=a%20b c=d"


@pytest.mark.feature("direct methods", client="paho-mqtt", transport="MQTT")
def test_methods_by_hand(hub, start):
    device = hub.device("methods-by-hand")
    program = connect(start, device)
    program.on_method = lambda topic, payload: program.calls.put((topic, payload))
    program.answer_methods()
    answers = []
    call = threading.Thread(target=lambda: answers.append(hub.registry.invoke(device, "fan", {"speed": 3})))
    call.start()
    topic, payload = program.calls.take()
    prefix, rid = topic.split("/?$rid=")
    assert prefix == "$iothub/methods/POST/fan" and json.loads(payload) == {"speed": 3}
    assert all(letter in "0123456789abcdef" for letter in rid)
    # Nobody waits for the first, the second is no number; neither does harm.
    for status, other in ((200, "ffffff"), ("yes", rid)):
        program.client.publish(f"$iothub/methods/res/{status}/?$rid={other}", "{}", 1)
    program.client.publish(f"$iothub/methods/res/299/?$rid={rid}", "", 0)
    call.join(60)
    assert answers[0].json == {"status": 299, "payload": None}
    # Connected but not subscribed is not online.
    program.client.unsubscribe("$iothub/methods/POST/#")
    program.send({"body": b"after", "app": []})
    assert hub.registry.invoke(device, "fan").status == 404
