"""C2D, twin, methods and refusals frame by frame over AMQP."""

import asyncio
import json
import uuid

import pytest

import eventhub
import sas
from raw_codec import Int, Long, Timestamp, UByte, ULong
from raw_device import RawDevice
from raw_link import ACCEPTED, MODIFIED, REJECTED, RELEASED
from raw_message import message
from raw_service import Service, invoke, request, update_twin
from waiting import until


async def test_a_command_has_every_field_with_its_type(hub, device):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    await service.send(device.id, b"body", {"k": "v", "iothub-ack": "full"}, message_id="m1", correlation_id="c1",
                       user_id=b"u", content_type="application/json", content_encoding="utf-8")
    link = await raw.c2d()
    delivery = await link.receive()
    assert len(delivery.tag) == 16 and not delivery.settled
    got = delivery.message
    assert got.body == b"body" and got.sections[-1] == 0x75
    assert (got.message_id, got.correlation_id, got.user_id) == ("m1", "c1", b"u")
    assert got.to == f"/devices/{device.id}/messages/devicebound"
    assert (got.content_type, got.content_encoding) == ("application/json", "utf-8")
    assert got.app == {"k": "v", "iothub-ack": "full"}
    for name, kind in [("iothub-enqueuedtime", Timestamp), ("iothub-deliverycount", UByte),
                       ("x-opt-sequence-number", ULong), ("x-opt-lock-token", str)]:
        assert type(got.annotations[name]) is kind, (name, got.annotations)
    assert got.annotations["x-opt-lock-token"] == delivery.lock
    link.settle(delivery)
    assert await service.feedback("m1") == ["Success"]
    await raw.close()
    await service.close()


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
async def test_each_outcome_does_what_it_says(hub, device, second):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    ids = [f"{device.id}-{name}" for name in ("accept", "reject", "release", "undeliverable")]
    for one in ids:
        await service.send(device.id, one.encode(), {"iothub-ack": "full"}, message_id=one)
    link = await raw.c2d(rcv=int(second))
    deliveries = [await link.receive() for _ in ids]
    assert [one.message.message_id for one in deliveries] == ids
    assert len({one.tag for one in deliveries}) == len(ids), "a lock token per delivery"

    async def settle(delivery, code, *fields):
        link.settle(delivery, code, *fields, settled=not second)
        if second:
            # The hub settles with the same outcome (3.7).
            async def answered():
                while not any(number == delivery.number for number, _, _ in raw.session.dispositions):
                    await asyncio.sleep(0.005)

            await raw.connection.within(answered(), "the hub's disposition")
            _, settled, state = next(one for one in raw.session.dispositions if one[0] == delivery.number)
            assert settled and state.descriptor == code, state

    await settle(deliveries[0], ACCEPTED)
    await settle(deliveries[1], REJECTED)
    await settle(deliveries[3], MODIFIED, True, True)
    await settle(deliveries[2], RELEASED)
    again = await link.receive()
    assert again.message.message_id == ids[2] and again.tag != deliveries[2].tag
    counts = [one.message.annotations["iothub-deliverycount"] for one in (deliveries[2], again)]
    assert counts[1] == counts[0] + 1
    await settle(again, ACCEPTED)
    assert await service.feedback(*ids) == ["Success", "Rejected", "Success", "Rejected"]
    await raw.close()
    await service.close()


async def test_a_command_abandoned_too_often_is_dead_lettered(hub, device):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    await service.send(device.id, b"x", {"iothub-ack": "negative"}, message_id=f"{device.id}-often")
    link = await raw.c2d()
    for _ in range(10):
        link.settle(await link.receive(), RELEASED)
    assert await service.feedback(f"{device.id}-often") == ["DeliveryCountExceeded"]
    await raw.close()
    await service.close()


async def test_a_lost_link_gives_the_lock_back_and_counts_nothing(hub, device):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    for number in range(3):
        await service.send(device.id, b"%d" % number)
    link = await raw.c2d()
    before = [await link.receive() for _ in range(3)]
    await link.detach()
    link = await raw.c2d(name="again")
    after = [await link.receive() for _ in range(3)]
    assert [one.message.body for one in after] == [b"0", b"1", b"2"], "in order"
    assert not {one.tag for one in before} & {one.tag for one in after}
    assert [one.message.annotations["iothub-deliverycount"] for one in after] == [
        one.message.annotations["iothub-deliverycount"] for one in before]
    raw.connection.abort()
    raw = await RawDevice.connect(device)
    link = await raw.c2d()
    for number in range(3):
        delivery = await link.receive()
        assert delivery.message.body == b"%d" % number
        link.settle(delivery)
    await raw.close()
    await service.close()


async def test_the_queue_holds_fifty_also_while_some_are_locked(hub, device):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    for number in range(10):
        await service.send(device.id, b"%d" % number)
    link = await raw.c2d(credit=10)
    locked = [await link.receive() for _ in range(10)]
    for number in range(40):
        await service.send(device.id, b"%d" % number)
    state = await service.send(device.id, b"51", expect=REJECTED)
    assert state.value[0].value[0] == "amqp:resource-limit-exceeded", state
    link.settle(locked[0])

    async def room():
        while (await service.send(device.id, b"51 again", expect=None)).descriptor != ACCEPTED:
            await asyncio.sleep(0.02)

    await raw.connection.within(room(), "room for another")
    assert link.deliveries.empty(), "no more than the credit"
    await raw.close()
    purged = await request(hub, "DELETE", f"/devices/{device.id}/commands")
    assert (purged.status, purged.json["totalMessagesPurged"]) == (200, 50), purged
    await service.close()


async def test_a_twin_over_amqp(hub, device):
    raw = await RawDevice.connect(device)
    twin = await raw.twin()
    assert await twin.get() == {"desired": {"$version": 1}, "reported": {"$version": 1}}
    # Java sends a uuid, and unsettled; it waits for `accepted`.
    status, _, _ = await twin.ask(correlation_id=uuid.uuid4(), settled=False, operation="GET")
    assert status == 200
    assert (await twin.patch({"a": {"b": 1}, "gone": 1}))[:2] == (204, 2)
    assert (await twin.patch({"gone": None}))[:2] == (204, 3)
    await update_twin(hub, device.id, {"early": 1})
    await twin.subscribe()
    for number in (1, 2):
        answer = await update_twin(hub, device.id, {"n": number, "nothing": None})
        assert answer.status == 200, answer
    notes = [await twin.notification()]
    # A change that was missed comes first, as the whole document (twin.notify_at_reconnect).
    if notes[0][0] == 2:
        assert notes.pop() == (2, {"early": 1, "$version": 2})
    while not notes or notes[-1][0] < 4:
        notes.append(await twin.notification())
    assert notes == [(3, {"n": 1, "nothing": None, "$version": 3}), (4, {"n": 2, "nothing": None, "$version": 4})]
    assert (await twin.patch({"x": 1}, version=Long(2)))[0] == 412, "a stale version"
    assert (await twin.patch({"x": 1}, version=Long(3)))[:2] == (204, 4)
    await twin.subscribe("DELETE")
    await update_twin(hub, device.id, {"n": 3})
    document = await twin.get()
    assert document == {"desired": {"early": 1, "n": 3, "$version": 5},
                        "reported": {"a": {"b": 1}, "x": 1, "$version": 4}}
    assert twin.notified == []
    await raw.close()


async def test_methods_over_amqp(hub, device):
    raw = await RawDevice.connect(device)
    sender, receiver = await raw.methods()

    async def answer(status, body):
        delivery = await receiver.receive()
        got = delivery.message
        assert type(got.correlation_id) is uuid.UUID and got.app == {"IoThub-methodname": "reboot"}
        if not delivery.settled:
            receiver.settle(delivery)
        reply = message(body, app={"IoThub-status": Int(status)}, correlation_id=got.correlation_id)
        assert (await sender.send(reply)).descriptor == ACCEPTED
        return got.body

    for status, payload in [(200, {"a": [1, None]}), (-7, "text"), (404, None)]:
        call = asyncio.ensure_future(invoke(hub, device.id, "reboot", payload))
        body = await answer(status, json.dumps({"back": payload}).encode())
        assert json.loads(body) == payload
        result = await call
        assert (result.status, result.json) == (200, {"status": status, "payload": {"back": payload}})
    call = asyncio.ensure_future(invoke(hub, device.id, "reboot", 1))
    await answer(200, b"not json")
    assert (await call).status in (200, 502)
    # Half of the pair gone: offline for methods.
    await receiver.detach()
    result = await invoke(hub, device.id, "reboot")
    assert (result.status, result.headers["iothub-errorcode"]) == (404, "DeviceNotOnline"), result
    await raw.close()


async def test_a_call_fails_when_its_device_leaves_or_does_not_answer(hub, device):
    raw = await RawDevice.connect(device)
    _, receiver = await raw.methods()
    late = asyncio.ensure_future(invoke(hub, device.id, "silence", response=5))
    await receiver.receive()
    result = await late
    assert (result.status, "504101" in result.text) == (504, True), result
    call = asyncio.ensure_future(invoke(hub, device.id, "leave"))
    await receiver.receive()
    raw.connection.abort()
    result = await call
    assert (result.status, "404103" in result.text) == (404, True), result


async def test_a_module_has_links_of_its_own(hub, device):
    path = hub.registry.path(device.id) + "/modules/mod1"
    answer = await request(hub, "PUT", path, {"deviceId": device.id, "moduleId": "mod1"})
    assert answer.status in (200, 201), answer
    key = answer.json["authentication"]["symmetricKey"]["primaryKey"]
    raw = await RawDevice.connect(device)
    module = RawDevice(await raw.connection.begin(), f"{device.id}/modules/mod1")
    _, error = await module.session.sender(module.telemetry_address, refused=True)
    assert error[0] == "amqp:unauthorized-access", "a device's key is not its module's"
    token = sas.token(f"localhost/devices/{module.id}", key)
    assert await raw.cbs.put(f"localhost/devices/{module.id}", token) == 200
    state = await (await module.telemetry()).send(message(b"x", app={"iothub-outputname": "out"}))
    assert state.descriptor == ACCEPTED, state
    assert (await (await module.twin()).patch({"who": "module"}))[:2] == (204, 2)
    assert "who" not in (await (await raw.twin()).get())["reported"]
    event = (await asyncio.to_thread(eventhub.wait_for, hub, device.id, 1))[0]
    assert event["system"]["iothub-outputname"] == "out"
    link = await module.c2d()
    service = await Service.connect(hub)
    await service.send(module.id, b"to the module")
    delivery = await link.receive()
    assert delivery.message.body == b"to the module"
    link.settle(delivery)
    await raw.close()
    await service.close()


async def test_outcomes_that_come_together_are_each_honoured(hub, device):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    link = await raw.c2d(credit=5)
    for number in range(6):
        await service.send(device.id, b"%d" % number)
    first = [await link.receive() for _ in range(5)]
    for delivery in first:
        # Five frames in one write: accepted, released, accepted, released, accepted; and credit for all that is left.
        link.settle(delivery, RELEASED if int(delivery.message.body) % 2 else ACCEPTED)
    link.flow(5)
    again = [await link.receive() for _ in range(3)]
    assert sorted(one.message.body for one in again) == [b"1", b"3", b"5"]
    for delivery in again:
        link.settle(delivery)
    # Settled by the client, so nothing on the wire tells when the hub has done so.
    await asyncio.to_thread(until, lambda: hub.registry.queued(device.id) == 0, "the queue is empty")
    await raw.close()
    await service.close()


async def test_outcomes_right_before_the_close_count(hub, device):
    service, raw = await Service.connect(hub), await RawDevice.connect(device)
    for number in range(5):
        await service.send(device.id, b"%d" % number)
    link = await raw.c2d()
    for delivery in [await link.receive() for _ in range(5)]:
        link.settle(delivery)
    await raw.close()
    raw = await RawDevice.connect(device)
    link = await raw.c2d()
    await service.send(device.id, b"next")
    assert (await link.receive()).message.body == b"next", "the others were completed"
    await raw.close()
    await service.close()
