"""The C SDK's AMQP library as a device: telemetry in batches, C2D with each outcome, twin and methods by hand."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import uamqp
from uamqp.message import MessageProperties

import eventhub
from raw_service import Service, invoke, update_twin
from uamqp_client import TRANSPORTS, CDevice, plain
from waiting import until

OVER = pytest.mark.parametrize("transport", TRANSPORTS)


def message(body, **properties):
    app = properties.pop("app", None)
    return uamqp.Message(body, properties=MessageProperties(**properties) if properties else None,
                         application_properties=app)


@OVER
def test_telemetry_in_batches_and_alone(hub, device, transport):
    with CDevice(device, transport) as c:
        sender = c.sender("messages/events")
        # The C SDK computes its batches from this, and sends nothing when it is 0 or absent.
        assert sender.message_handler._link.peer_max_message_size == 262_144
        inner = [message(b"%d" % number, message_id=f"m{number}", content_type="application/json",
                         app={"n": str(number)}) for number in range(20)]
        # A message can be sent once, so the first is made again.
        first = message(b"0", message_id="m0", content_type="application/json", app={"n": "0"})
        sender.send_message(uamqp.BatchMessage(inner))
        sender.send_message(uamqp.BatchMessage([first]))
        sender.send_message(message(b"alone", correlation_id="c"))
        large = message(b"x" * 200_000)
        sender.send_message(large)
    events = eventhub.wait_for(hub, device.id, 23)
    ids = [event["system"].get("message-id") for event in events]
    assert ids == [f"m{number}" for number in [*range(20), 0]] + [None] * 2
    assert [event["app"].get("n") for event in events[:21]] == [str(number) for number in [*range(20), 0]]
    assert events[0]["system"]["content-type"] == "application/json"
    assert [eventhub.body(event) for event in events[21:]] == [b"alone", b"x" * 200_000]
    assert events[21]["system"]["correlation-id"] == "c"


def send_commands(hub, device, names):
    async def run():
        service = await Service.connect(hub)
        for name in names:
            await service.send(device.id, name.encode(), {"iothub-ack": "full"}, message_id=f"{device.id}-{name}")
        await service.close()

    asyncio.run(run())


def feedback(hub, device, names):
    async def run():
        service = await Service.connect(hub)
        found = await service.feedback(*(f"{device.id}-{name}" for name in names))
        await service.close()
        return found

    return asyncio.run(run())


@OVER
def test_each_outcome_of_a_command(hub, device, transport):
    send_commands(hub, device, ["accept", "reject", "release"])
    with CDevice(device, transport) as c:
        receiver = c.receiver("messages/devicebound")
        got = {}

        def read(count):
            until(lambda: read_some() or len(got) >= count, f"{count} commands")

        def read_some():
            for one in receiver.receive_message_batch(timeout=50):
                name = b"".join(one.get_data()).decode()
                got.setdefault(name, []).append(one)

        read(3)
        for name, (one,) in got.items():
            assert plain(one.properties.message_id) == f"{device.id}-{name}"
            assert len(one.delivery_tag) == 16
            annotations = {plain(key): value for key, value in one.annotations.items()}
            assert {"iothub-enqueuedtime", "iothub-deliverycount", "x-opt-sequence-number",
                    "x-opt-lock-token"} <= set(annotations)
        assert got["accept"][0].accept() and got["reject"][0].reject() and got["release"][0].release()
        until(lambda: read_some() or len(got["release"]) == 2, "the abandoned command again")
        assert got["release"][1].accept()
        c.work()
    assert feedback(hub, device, ["accept", "reject", "release"]) == ["Success", "Rejected", "Success"]


@OVER
def test_the_twin(hub, device, transport):
    with CDevice(device, transport) as c:
        c.open_twin()
        assert c.twin("PUT", "/notifications/twin/properties/desired")[0] == 200
        status, _, body = c.twin("GET")
        assert (status, json.loads(body)) == (200, {"desired": {"$version": 1}, "reported": {"$version": 1}})
        assert c.twin("PATCH", "/properties/reported", b'{"a": {"b": [1, "x"]}}')[:2] == (204, 2)
        status, _, body = c.twin("PATCH", "/properties/reported", b'{"a": ')
        assert status == 400 and "errorCode" in json.loads(body)
        for number in range(3):
            assert asyncio.run(update_twin(hub, device.id, {"n": number})).status == 200
        until(lambda: c.read_twin() or len(c.notifications) >= 3, "three changes")
        assert c.notifications == [(number + 2, {"n": number, "$version": number + 2}) for number in range(3)]
        assert json.loads(c.twin("GET")[2])["desired"] == {"n": 2, "$version": 4}


@OVER
def test_methods(hub, device, transport):
    with CDevice(device, transport) as c, ThreadPoolExecutor() as pool:
        c.open_methods()
        for status, payload in [(200, {"a": 1}), (500, None)]:
            waiting = pool.submit(lambda p=payload: asyncio.run(invoke(hub, device.id, "reboot", p)))
            call = c.call()
            app = {plain(key): plain(value) for key, value in call.application_properties.items()}
            assert app == {"IoThub-methodname": "reboot"}
            assert json.loads(b"".join(call.get_data())) == payload
            c.answer(call, status, json.dumps({"echo": payload}).encode())
            answer = waiting.result(60)
            assert answer.json == {"status": status, "payload": {"echo": payload}}, answer


def test_every_feature_shares_one_session(hub, device):
    with CDevice(device) as c:
        sender = c.sender("messages/events")
        receiver = c.receiver("messages/devicebound")
        c.open_twin()
        c.open_methods()
        send_commands(hub, device, ["one"])
        got = until(lambda: receiver.receive_message_batch(timeout=50), "the command")
        assert got[0].accept()
        assert c.twin("GET")[0] == 200
        sender.send_message(message(b"x", app={"k": "v"}))
    assert len(eventhub.wait_for(hub, device.id, 1)) == 1


def test_a_wrong_token_is_told(device):
    other = device.hub.device(device.id + "-x")
    with pytest.raises((uamqp.errors.TokenAuthFailure, uamqp.errors.AuthenticationException,
                        uamqp.errors.TokenExpired)):
        with CDevice(device, token=other.token()) as c:
            c.sender("messages/events")
