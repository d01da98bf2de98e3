"""The service's AMQP endpoints frame by frame: openings, C2D, feedback, file notifications, redirect (3 and 4.9)."""

import asyncio
import json
import time
import uuid

import pytest
from azure.storage.blob import BlobClient

import eventhub
import uploads
from raw_amqp import Amqp
from raw_codec import Described, Int, Symbol, Timestamp, UByte, UInt, ULong, encode
from raw_device import Cbs, RawDevice
from raw_link import ACCEPTED, MODIFIED, REJECTED, RELEASED
from raw_message import message
from raw_service import FEEDBACK, Service, login, request, service_token



OPENINGS = [
    (sasl, websocket) for sasl in (None, "ANONYMOUS", "MSSBCBS", "EXTERNAL", "PLAIN")
    for websocket in (False, "/$iothub/websocket?iothub-no-client-cert=true", "/$servicebus/websocket/")
]


@pytest.mark.parametrize(("sasl", "websocket"), OPENINGS)
async def test_a_service_may_open_in_each_way(hub, device, sasl, websocket):
    response = login(hub) if sasl == "PLAIN" else b""
    connection = await Amqp.connect(hub, sasl, response, websocket=websocket, hostname="localhost")
    session = await connection.begin()
    if sasl != "PLAIN":
        assert await (await Cbs.open(session)).put("localhost", service_token(hub)) == 200
    sender = await session.sender("amqps://localhost/messages/devicebound")
    state = await sender.send(message(b"x", to=f"/devices/{device.id}/messages/devicebound"))
    assert state.descriptor == ACCEPTED
    await session.receiver(FEEDBACK)
    await session.receiver("/messages/serviceBound/filenotifications")
    await connection.close()


@pytest.mark.parametrize("suffix", ["$management", "ConsumerGroups/$Default/Partitions/0"])
async def test_the_hub_s_own_name_leads_to_the_event_hub(hub, suffix):
    for resource in ("localhost", "localhost/messages/events"):
        connection = await Amqp.connect(hub, "PLAIN", login(hub, resource=resource))
        session = await connection.begin()
        infos = []
        handle = connection.handle

        def watch(channel, value, payload, handle=handle):
            if value.descriptor == 0x16:
                infos.append(value.value[2].value)
            handle(channel, value, payload)

        connection.handle = watch
        for prefix in ("amqps://localhost/messages/events/", "/messages/events/", "Messages/Events/"):
            link = await session.receiver(prefix + suffix, credit=1)
            condition, text = await link.until_detached()
            assert condition == "amqp:link:redirect" and text
            info = infos.pop()[2]
            entity = eventhub.entity(hub)
            assert {str(key): value for key, value in info.items()} == {
                "hostname": "localhost", "network-host": "localhost", "port": 5671,
                "address": f"amqps://localhost:5671/{entity}/{suffix}"}
            assert type(next(value for key, value in info.items() if key == "port")) is Int
        await connection.close()
    connection = await Amqp.connect(hub, "PLAIN", login(hub, "registryRead"))
    closed, error = await (await connection.begin()).receiver("/messages/events/" + suffix, refused=True)
    assert closed and error[0] == "amqp:unauthorized-access"
    await connection.close()


async def test_what_a_command_may_be(hub, device):
    to = f"/devices/{device.id}/messages/devicebound"
    hub.registry.create_module(device.id, "m")
    now = int(time.time() * 1000)
    argument, missing = "com.microsoft:argument-error", "amqp:not-found"
    rows = [
        ("plain", message(b"x", to=to), None),
        ("camel case", message(b"x", to=to.replace("devicebound", "deviceBound")), None),
        ("absolute", message(b"x", to="amqps://localhost" + to), None),
        ("encoded", message(b"x", to=f"/devices/{device.id.replace('-', '%2D')}/messages/deviceBound"), None),
        ("module", message(b"x", to=f"/devices/{device.id}/modules/m/messages/devicebound"), None),
        ("text", message(value="hello", to=to), None),
        ("binary value", message(value=b"hello", to=to), None),
        ("several sections", message([b"a", b"b", b"c"], to=to), None),
        ("no body", encode(Described(0x73, [None, None, to])), None),
        ("every scalar", message(b"x", to=to, app={
            "s": "t", "b": True, "i": Int(-1), "u": UInt(1), "l": ULong(9), "f": 1.5, "t": Timestamp(now),
            "y": UByte(3), "g": uuid.uuid4(), "sym": Symbol("x")}), None),
        ("every ack", message(b"x", to=to, app={"iothub-ack": "none"}), None),
        ("expiry", message(b"x", to=to, absolute_expiry_time=Timestamp(now + 600_000)), None),
        ("id of 128", message(b"x", to=to, message_id="x" * 128), None),
        ("id that is a uuid", message(b"x", to=to, message_id=uuid.uuid4()), None),
        ("id that is a number", message(b"x", to=to, message_id=ULong(5)), None),
        ("64 KB", message(b"x" * 65_000, to=to), None),
        ("nobody", message(b"x", to="/devices/nobody/messages/devicebound"), missing),
        ("other case", message(b"x", to=to.replace(device.id, device.id.upper())), missing),
        ("no module", message(b"x", to=f"/devices/{device.id}/modules/none/messages/devicebound"), missing),
        ("no to", message(b"x"), argument),
        ("wrong to", message(b"x", to=f"/devices/{device.id}/messages/events"), argument),
        ("to nothing", message(b"x", to=""), argument),
        ("bad ack", message(b"x", to=to, app={"iothub-ack": "maybe"}), argument),
        ("past", message(b"x", to=to, absolute_expiry_time=Timestamp(now - 1000)), argument),
        ("far future", message(b"x", to=to, absolute_expiry_time=Timestamp(now + 10 * 86_400_000)), argument),
        ("id of 129", message(b"x", to=to, message_id="x" * 129), argument),
        ("no value", message(b"x", to=to, app={"null": None}), argument),
        ("a map", message(b"x", to=to, app={"m": {"a": "b"}}), argument),
        ("over 64 KB", message(b"x" * 66_000, to=to), "amqp:link:message-size-exceeded"),
        ("garbage", b"\xff" * 20, "amqp:decode-error"),
    ]
    service = await Service.connect(hub)
    wrong = {}
    for label, data, expected in rows:
        state = await service.sender.send(data)
        if expected is None:
            if state.descriptor != ACCEPTED:
                wrong[label] = state
        elif state.descriptor != REJECTED or state.value[0].value[0] != expected or not state.value[0].value[1]:
            wrong[label] = state
    assert not wrong
    assert not service.sender.detached.done()
    # Larger than the link's max-message-size: the link goes, the connection stays.
    link = await service.session.sender("/messages/devicebound", name="large")
    assert link.fields[10] and link.fields[10] >= 65_536
    link.transfer(message(b"x" * (link.fields[10] + 1), to=to))
    assert (await link.until_detached())[0] == "amqp:link:message-size-exceeded"
    assert (await service.send(device.id, b"after")).descriptor == ACCEPTED
    # Settled messages have no outcome, and are kept or dropped without harm.
    service.sender.transfer(message(b"settled", to=to), settled=True)
    service.sender.transfer(message(b"lost", to="/nowhere"), settled=True)
    assert (await service.send(device.id, b"last")).descriptor == ACCEPTED
    raw = await RawDevice.connect(device)
    bodies, link = [], await raw.c2d()
    while not bodies or bodies[-1] != b"last":
        delivery = await link.receive()
        link.settle(delivery)
        bodies.append(delivery.message.body)
    assert b"settled" in bodies and b"abc" in bodies and bodies.count(b"hello") == 2
    for closing in (raw, service):
        await closing.close()


async def test_the_fifty_first_is_rejected_and_other_devices_go_on(hub, device):
    other = hub.device(device.id + "-other")
    service = await Service.connect(hub)
    for number in range(50):
        await service.send(device.id, b"%d" % number)
    state = await service.send(device.id, b"50", expect=REJECTED)
    assert state.value[0].value[0] == "amqp:resource-limit-exceeded"
    await service.send(other.id, b"x")
    await service.close()


async def settled_messages(hub, service, device, names):
    """Messages with feedback that the device completes."""
    for name in names:
        await service.send(device.id, b"x", {"iothub-ack": "full"}, message_id=name)
    raw = await RawDevice.connect(device)
    link = await raw.c2d()
    for _ in names:
        link.settle(await link.receive())
    await raw.close()
    # A batch goes when it is full, or 15 s after the one before (3.5).
    for number in range(2):
        filler = f"{names[0]}-filler-{number}"
        hub.registry.create(filler)
        for _ in range(32):
            await service.send(filler, b"x", {"iothub-ack": "full"}, message_id=str(uuid.uuid4()))
        assert (await request(hub, "DELETE", f"/devices/{filler}/commands")).json["totalMessagesPurged"] == 32


async def feedback_of(link, *names, many=False):
    """The first batch that is about one of these messages; others are completed, and their credit is granted anew."""
    while True:
        delivery = await link.receive()
        if any(record["originalMessageId"] in names for record in json.loads(delivery.message.body)):
            return delivery
        link.settle(delivery)
        link.flow(10 if many else 1)


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
async def test_feedback_has_its_form_and_each_outcome_its_effect(hub, device, second):
    service = await Service.connect(hub)
    name = f"{device.id}-{second}"
    started = int(time.time() * 1000)
    await settled_messages(hub, service, device, [name])
    link = await service.session.receiver(FEEDBACK, rcv=int(second), credit=1)
    delivery = await feedback_of(link, name)
    got = delivery.message
    assert len(delivery.tag) == 16 and not delivery.settled
    assert got.content_type == "application/vnd.microsoft.iothub.feedback.json" and type(got.content_type) is Symbol
    assert got.user_id == b"localhost" and type(got.message_id) is str
    at = got.annotations["iothub-enqueuedtime"]
    assert type(at) is Timestamp and started - 1000 <= at <= time.time() * 1000 + 1000
    assert all(type(key) is Symbol for key in got.annotations) and got.sections[-1] == 0x75
    (record,) = [one for one in json.loads(got.body) if one["originalMessageId"] == name]
    assert set(record) == {"originalMessageId", "enqueuedTimeUtc", "statusCode", "description", "deviceId",
                           "deviceGenerationId"}
    assert (record["statusCode"], record["description"], record["deviceId"]) == ("Success", "Success", device.id)
    assert record["deviceGenerationId"] == device.record["generationId"]
    assert len(record["enqueuedTimeUtc"]) == 28 and record["enqueuedTimeUtc"].endswith("Z")

    async def settle(one, code, *fields):
        link.settle(one, code, *fields, settled=not second)
        if second:
            async def answered():
                while not any(number == one.number for number, _, _ in service.session.dispositions):
                    await asyncio.sleep(0.005)

            await link.connection.within(answered(), "the hub's disposition")
            _, settled, state = next(d for d in service.session.dispositions if d[0] == one.number)
            assert settled and state.descriptor == code

    count = got.header[4] or 0
    for code, fields in [(RELEASED, ()), (MODIFIED, (True,))]:
        await settle(delivery, code, *fields)
        link.flow(1)
        delivery = await feedback_of(link, name)
        count += 1
        assert (delivery.message.header[4] or 0) == count, "abandoning counts"
    # Completed twice: the second finds nothing, and harms nobody.
    await settle(delivery, ACCEPTED)
    link.settle(delivery, ACCEPTED)
    link.settle(delivery, RELEASED)
    link.flow(1, drain=True)

    async def drained():
        while not link.drained:
            link.changed.clear()
            await link.changed.wait()

    await link.connection.within(drained(), "the answer to a drain")
    assert link.deliveries.empty() and not link.detached.done()
    # Rejected is dropped.
    await settled_messages(hub, service, device, [name + "-drop"])
    link.drained = False
    link.flow(1)
    await settle(await feedback_of(link, name + "-drop"), REJECTED)
    link.flow(1, drain=True)
    await link.connection.within(drained(), "the answer to a drain")
    assert link.deliveries.empty()
    await service.close()


async def test_feedback_is_one_queue_and_a_lost_link_gives_back(hub, device):
    service, other = await Service.connect(hub), await Service.connect(hub)
    name = f"{device.id}-lost"
    creditless = await other.session.receiver(FEEDBACK, credit=0)
    link = await service.session.receiver("amqps://localhost/Messages/servicebound/FEEDBACK", credit=50)
    await settled_messages(hub, service, device, [name])
    delivery = await feedback_of(link, name, many=True)
    count = delivery.message.header[4] or 0
    creditless.flow(50)
    await settled_messages(hub, service, device, [name + "-2"])
    got = await asyncio.wait(
        [asyncio.ensure_future(feedback_of(one, name + "-2", many=True)) for one in (link, creditless)],
        return_when=asyncio.FIRST_COMPLETED, timeout=60)
    assert len(got[0]) == 1, "each batch goes to one receiver"
    for left in got[1]:
        left.cancel()
    # The connection goes without a word: what was not settled comes to the other, and that counted nothing.
    service.session.connection.abort()
    again = await feedback_of(creditless, name, many=True)
    assert (again.message.header[4] or 0) == count
    creditless.settle(again)
    await other.close()


async def test_service_links_of_the_wrong_kind_are_refused(hub, device):
    service = await Service.connect(hub)
    for role, address, expected in [
        ("receiver", "/messages/devicebound", {"amqp:not-allowed"}), ("sender", FEEDBACK, {"amqp:not-allowed"}),
        ("sender", "/messages/serviceBound/filenotifications", {"amqp:not-allowed"}),
        ("receiver", "/messages/serviceBound/nothing", {"amqp:not-found"}), ("sender", "/messages", {"amqp:not-found"}),
        ("receiver", "/messages/operationsMonitoringEvents/$management", {"amqp:not-found"}),
    ]:
        closed, error = await getattr(service.session, role)(address, name=role + address, refused=True)
        assert closed and error[0] in expected and error[1], (role, address, error)
    await service.send(device.id, b"x")
    await service.close()


async def test_a_file_notification_is_one_object(hub, device):
    service = await Service.connect(hub)
    link = await service.session.receiver("/messages/serviceBound/filenotifications", credit=1)
    made = await asyncio.to_thread(uploads.ticket, device, "folder/a b.bin")
    await asyncio.to_thread(lambda: BlobClient.from_blob_url(
        uploads.url(made), connection_verify=hub.ca).upload_blob(b"x" * 10_000))
    await asyncio.to_thread(uploads.request, device, "/notifications", {
        "correlationId": made["correlationId"], "isSuccess": True, "statusCode": 200, "statusDescription": "done"})
    delivery = await link.receive()
    got = delivery.message
    assert len(delivery.tag) == 16 and not delivery.settled and got.user_id == b"localhost"
    assert got.content_type == "application/vnd.microsoft.iothub.filenotification.json"
    assert type(got.annotations["iothub-enqueuedtime"]) is Timestamp and got.sections[-1] == 0x75
    told = json.loads(got.body)
    assert set(told) == {"deviceId", "blobUri", "blobName", "lastUpdatedTime", "blobSizeInBytes", "enqueuedTimeUtc"}
    assert (told["deviceId"], told["blobName"]) == (device.id, f"{device.id}/folder/a b.bin")
    assert told["blobSizeInBytes"] == 10_000 and told["blobUri"].startswith("https://")
    assert told["lastUpdatedTime"].endswith("+00:00") and told["enqueuedTimeUtc"].endswith("Z")
    link.settle(delivery, RELEASED)
    link.flow(1)
    again = await link.receive()
    assert json.loads(again.message.body) == told
    assert (again.message.header[4] or 0) == (got.header[4] or 0) + 1
    link.settle(again)
    link.settle(again)
    link.flow(1, drain=True)

    async def drained():
        while not link.drained:
            link.changed.clear()
            await link.changed.wait()

    await link.connection.within(drained(), "the answer to a drain")
    assert link.deliveries.empty()
    await service.close()
