"""Telemetry frame by frame over AMQP: addresses, frame sizes, batches, limits, credit, and many devices together."""

import asyncio
import os
import time
import uuid

import pytest

import eventhub
import sas
from mqtt import Mqtt
from raw_amqp import Amqp
from raw_codec import Timestamp
from raw_device import Cbs, RawDevice
from raw_link import ACCEPTED, REJECTED
from raw_message import BATCH, message

LIMIT_BYTES = 262_144


async def sent(link, data, **options):
    state = await link.send(data, **options)
    assert state.descriptor == ACCEPTED, state


async def test_every_form_of_an_address_is_the_same(hub, device):
    raw = await RawDevice.connect(device)
    plain = f"/devices/{device.id}/messages/events"
    forms = [plain, plain[1:], plain + "/", f"amqps://localhost{plain}", f"amqps://localhost:5671{plain}",
             f"amqps://localhost:443{plain}", plain + "?api-version=2021-04-12", plain.replace("events", "Events"),
             plain.replace("messages", "MESSAGES"), plain.replace("devices", "Devices", 1),
             plain.replace("dev-", "dev%2D")]
    for number, form in enumerate(forms):
        link = await raw.telemetry() if form == plain else await raw.session.sender(form)
        assert link.fields[6].value[0] == form, "the client's own spelling is echoed"
        await sent(link, message(b"%d" % number))
        await link.detach()
    for form in (f"/devices/{device.id}/messages/deviceBound",
                 f"amqps://localhost/devices/{device.id}/messages/devicebound"):
        await (await raw.session.receiver(form)).detach()
    await raw.close()
    events = eventhub.wait_for(hub, device.id, len(forms))
    assert [eventhub.body(event) for event in events] == [b"%d" % number for number in range(len(forms))]


@pytest.mark.parametrize("size", [512, 4096, 65536])
async def test_messages_go_over_frames_of_the_peers_size(hub, device, size):
    raw = await RawDevice.connect(device, max_frame_size=size)
    link = await raw.telemetry()
    body = os.urandom(200_000)
    await sent(link, message(body), chunk=min(size, raw.connection.max_frame_size) - 100)
    await sent(link, message(b"single bytes"), chunk=1)
    twin = await raw.twin()
    status, _, answer = await twin.patch({"text": "x" * 4000, "more": ["y" * 4000]})
    assert status == 204, answer
    assert (await twin.get())["reported"]["text"] == "x" * 4000
    assert raw.connection.largest <= size, "a frame is larger than the client allows"
    await raw.close()
    events = eventhub.wait_for(hub, device.id, 2)
    assert [eventhub.body(event) for event in events] == [body, b"single bytes"]


async def test_properties_arrive_with_their_names_and_types(hub, device):
    raw = await RawDevice.connect(device)
    link = await raw.telemetry()
    some = uuid.uuid4()
    await sent(link, message(
        [b"two ", b"sections"], message_id=some, user_id=b"u", correlation_id="c", content_type="application/json",
        content_encoding="utf-8", to=raw.telemetry_address, absolute_expiry_time=Timestamp(1_900_000_000_000),
        app={"k": "v", "empty": "", "iothub-connection-device-id": "forged", "ü": "€"},
        annotations={"dt-subject": "part", "iothub-interface-id": "urn:x"}))
    await sent(link, message(value="a string"))
    await sent(link, message(value=b"binary"))
    await raw.close()
    first, second, third = eventhub.wait_for(hub, device.id, 3)
    assert eventhub.body(first) == b"two sections"
    assert first["app"] == {"k": "v", "empty": "", "ü": "€"}
    system = first["system"]
    assert system["message-id"] == str(some)
    assert (system["user-id"], system["correlation-id"]) == ("u", "c")
    assert (system["content-type"], system["content-encoding"]) == ("application/json", "utf-8")
    assert system["absolute-expiry-time"] == 1_900_000_000_000
    assert (system["dt-subject"], system["iothub-interface-id"]) == ("part", "urn:x")
    assert system["iothub-connection-device-id"] == device.id
    assert (eventhub.body(second), eventhub.body(third)) == (b"a string", b"binary")


async def test_a_batch_is_split_and_has_one_outcome(hub, device):
    raw = await RawDevice.connect(device)
    link = await raw.telemetry()
    inner = [message(b"%d" % number, app={"n": str(number)}, message_id=f"m{number}") for number in range(50)]
    await sent(link, message(inner), message_format=BATCH)
    await sent(link, message(inner[:1]), message_format=BATCH)
    # All or nothing: one bad message spoils the batch.
    state = await link.send(message([*inner, b"\xff\xff"]), message_format=BATCH)
    assert state.descriptor == REJECTED, state
    await raw.close()
    events = eventhub.wait_for(hub, device.id, 51)
    assert [event["system"]["message-id"] for event in events] == [f"m{number}" for number in [*range(50), 0]]
    assert [event["app"]["n"] for event in events[:50]] == [str(number) for number in range(50)]


async def test_the_largest_message_is_stored_and_a_larger_one_rejected(hub, device):
    raw = await RawDevice.connect(device)
    link = await raw.telemetry()
    # Names and values count, framing does not (7.1).
    await sent(link, message(b"x" * (LIMIT_BYTES - 2), app={"k": "v"}))
    for label, data, options in [
        ("one byte too many", message(b"x" * (LIMIT_BYTES - 1), app={"k": "v"}), {}),
        ("a batch that is too large", message([message(b"x" * 90_000)] * 3), {"message_format": BATCH}),
    ]:
        state = await link.send(data, **options)
        reason = (state.descriptor, state.value[0].value[0])
        assert reason == (REJECTED, "amqp:link:message-size-exceeded"), (label, state)
    await sent(link, message(b"after"))
    await raw.close()
    events = eventhub.wait_for(hub, device.id, 2)
    assert [len(eventhub.body(event)) for event in events] == [LIMIT_BYTES - 2, 5]


async def test_a_message_without_end_is_cut_off(hub, device):
    """Far over max-message-size: the link or the connection goes, and the hub keeps none of it."""
    raw = await RawDevice.connect(device)
    link = await raw.telemetry()
    await link.until_credit()
    future = link.transfer(b"\0" * (4 * 1024 * 1024))
    done, _ = await asyncio.wait([future, asyncio.ensure_future(raw.connection.closed.wait()),
                                  asyncio.ensure_future(asyncio.shield(link.detached))],
                                 return_when=asyncio.FIRST_COMPLETED, timeout=60)
    assert done, "nothing happens"
    if link.detached.done() and not link.detached.exception():
        assert link.detached.result()[1][0] == "amqp:link:message-size-exceeded"
    elif future.done() and not future.exception():
        assert future.result().descriptor == REJECTED
    raw.connection.abort()
    assert eventhub.of_device(await asyncio.to_thread(eventhub.read_all, hub), device.id) == []


async def test_many_messages_are_on_their_way_at_once_and_stay_in_order(hub, device):
    raw = await RawDevice.connect(device)
    link = await raw.telemetry()
    futures = []
    for number in range(2500):
        await link.until_credit()
        futures.append(link.transfer(message(b"%d" % number)))
    for future in futures:
        assert (await raw.connection.within(future, "an outcome")).descriptor == ACCEPTED
    await raw.close()
    events = eventhub.wait_for(hub, device.id, 2500)
    assert [eventhub.body(event) for event in events] == [b"%d" % number for number in range(2500)]


async def test_settled_messages_are_stored_too(hub, device):
    raw = await RawDevice.connect(device)
    link = await raw.telemetry(snd=1)
    for number in range(10):
        await link.until_credit()
        link.transfer(message(b"%d" % number), settled=True)
    await raw.close()
    assert len(eventhub.wait_for(hub, device.id, 10)) == 10


@pytest.mark.parametrize("own_session", [True, False], ids=["a session each", "one session"])
async def test_a_hundred_devices_share_a_connection_and_a_bad_token_disturbs_none(hub, own_session):
    devices = [hub.device(f"many-{own_session}-{number}") for number in range(100)]
    bad = 37
    connection = await Amqp.connect(hub)
    cbs = await Cbs.open(await connection.begin())
    links = []
    for number, device in enumerate(devices):
        token = device.token(key=devices[0].primary) if number == bad else device.token()
        assert await cbs.put(f"localhost/devices/{device.id}", token) == (401 if number == bad else 200)
        session = await connection.begin() if own_session else cbs.sender.session
        raw = RawDevice(session, device.id)
        if number == bad:
            _, error = await session.sender(raw.telemetry_address, refused=True)
            assert error[0] == "amqp:unauthorized-access"
        elif own_session:
            # Link names are unique in a session only (3.4).
            links.append(await raw.telemetry(name="TelemetrySenderLink"))
        else:
            links.append(await raw.telemetry())
    states = await asyncio.gather(*(link.send(message(b"x")) for link in links))
    assert [state.descriptor for state in states] == [ACCEPTED] * 99
    await connection.close()
    found = eventhub.read_all(hub)
    assert [len(eventhub.of_device(found, device.id)) for device in devices] == [int(n != bad) for n in range(100)]


async def test_a_token_for_the_whole_hub_serves_every_device(hub):
    policy = sas.parse(hub.service)
    token = sas.token("localhost", policy["SharedAccessKey"], policy["SharedAccessKeyName"])
    connection = await Amqp.connect(hub)
    session = await connection.begin()
    cbs = await Cbs.open(session)
    assert await cbs.put("localhost", token) == 200
    for device in [hub.device(f"group-{number}") for number in range(5)]:
        await sent(await RawDevice(session, device.id).telemetry(), message(b"x"))
    await connection.close()


async def test_links_end_with_their_token_and_neighbours_stay(hub, device):
    other = hub.device(device.id + "-by")
    connection = await Amqp.connect(hub)
    cbs = await Cbs.open(await connection.begin())
    # Clocks may be five minutes apart, so a token lives on for so long (1.2).
    soon = int(time.time()) - 300 + 5
    assert await cbs.put(f"localhost/devices/{device.id}", device.token(expiry=soon)) == 200
    assert await cbs.put(f"localhost/devices/{other.id}", other.token(expiry=soon)) == 200
    ends = await RawDevice(await connection.begin(), device.id).telemetry()
    stays = await RawDevice(await connection.begin(), other.id).telemetry()
    await sent(ends, message(b"before"))
    # Renewal replaces the expiry without a gap; the other token lapses.
    assert await cbs.put(f"localhost/devices/{other.id}", other.token()) == 200
    assert (await ends.until_detached())[0] == "amqp:unauthorized-access"
    await sent(stays, message(b"after"))
    assert await cbs.put(f"localhost/devices/{device.id}", device.token()) == 200
    await sent(await RawDevice(await connection.begin(), device.id).telemetry(), message(b"again"))
    await connection.close()
    assert [eventhub.body(event) for event in eventhub.wait_for(hub, device.id, 2)] == [b"before", b"again"]


async def test_a_removed_device_loses_its_links_and_neighbours_stay(hub, device):
    other = hub.device(device.id + "-by")
    connection = await Amqp.connect(hub)
    cbs = await Cbs.open(await connection.begin())
    for one in (device, other):
        assert await cbs.put(f"localhost/devices/{one.id}", one.token()) == 200
    ends = await RawDevice(await connection.begin(), device.id).telemetry()
    stays = await RawDevice(await connection.begin(), other.id).telemetry()
    answer = await asyncio.to_thread(hub.registry.delete, device.id)
    assert answer.status == 204
    assert (await ends.until_detached())[0] in ("amqp:not-found", "amqp:unauthorized-access")
    await sent(stays, message(b"here"))
    assert await cbs.put(f"localhost/devices/{device.id}", device.token()) == 401
    await connection.close()


async def test_a_newer_connection_takes_over(hub, device):
    first = await RawDevice.connect(device)
    link = await first.telemetry()
    await sent(link, message(b"first"))
    second = await RawDevice.connect(device)
    newer = await second.telemetry()
    error = await link.until_detached() if not first.connection.closed.is_set() else first.connection.error
    assert error[0] in ("amqp:link:stolen", "com.microsoft:link-creation-conflict"), error
    await sent(newer, message(b"second"))
    third = await Mqtt.connect(device)
    assert (await newer.until_detached())[0] in ("amqp:link:stolen", "com.microsoft:link-creation-conflict")
    await third.send_acked(device.topic, "third")
    assert not third.closed.is_set()
    await third.disconnect()
    await second.close()
    events = eventhub.wait_for(hub, device.id, 3)
    assert [eventhub.body(event) for event in events] == [b"first", b"second", b"third"]


async def test_a_drain_is_answered(hub, device):
    raw = await RawDevice.connect(device)
    link = await raw.c2d(credit=0)
    link.flow(10, drain=True)

    async def drained():
        while not link.drained:
            link.changed.clear()
            await link.changed.wait()

    await raw.connection.within(drained(), "the drained flow")
    # Nothing was there to send, so the credit is used up by the count (OASIS AMQP 1.0 2.6.7).
    assert link.count == 10
    await raw.close()

