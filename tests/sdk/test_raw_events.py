"""The Event Hubs-compatible endpoint frame by frame: types, positions, epochs, credit, refusals (section 4)."""

import asyncio
import uuid

import pytest

import eventhub
from mqtt import Mqtt
from raw_codec import Described, Int, Long, Symbol, Timestamp, ULong
from raw_events import EARLIEST, METRICS, SELECTOR_CODE, Consumer, enqueued, number, token

PATHS = pytest.mark.parametrize(
    "websocket", [False, "/$iothub/websocket", "/$servicebus/websocket", "/$servicebus/websocket/"],
    ids=["amqp", "iothub", "servicebus", "slash"])


@pytest.fixture(scope="module")
def writer(hub):
    """A device that sent ten events."""
    device = hub.device("raw-events")
    eventhub.send(device, 10)
    return device


@pytest.fixture(scope="module", autouse=True)
def partition(hub, writer):
    """Its partition, before anybody else sends anything."""
    (name,) = (name for name, last in eventhub.last_numbers(hub).items() if last >= 0)
    return name


@PATHS
async def test_an_event_has_every_field_with_its_type(hub, device, websocket):
    client = await Mqtt.connect(device)
    await client.send_acked(
        device.topic + "$.mid=m1&$.cid=c1&$.ct=application%2Fjson&$.ce=utf-8&k=v&n=5", b'{"a": 1}')
    await client.disconnect()
    found = (await asyncio.to_thread(eventhub.wait_for, hub, device.id, 1))[0]
    consumer = await Consumer.connect(hub, websocket=websocket)
    link = await consumer.receiver(
        found["partition"], f"amqp.annotation.x-opt-sequence-number >= '{found['sequence']}'")
    assert link.fields[3] == 1, "snd-settle-mode settled"
    assert link.fields[9] == 0 and link.fields[10] > 0, "initial-delivery-count and max-message-size"
    assert link.fields[5].value[7], "the filter is echoed"
    assert not link.fields[11], "no capability that was not asked for"
    delivery = await link.receive()
    assert delivery.settled and delivery.format == 0
    got = delivery.message
    assert got.sections == [0x72, 0x73, 0x74, 0x75]
    assert all(type(key) is Symbol for key in got.annotations)
    types = {"x-opt-sequence-number": Long, "x-opt-offset": str, "x-opt-enqueued-time": Timestamp,
             "x-opt-partition-key": str, "iothub-connection-device-id": str,
             "iothub-connection-auth-generation-id": str, "iothub-connection-auth-method": str,
             "iothub-enqueuedtime": Timestamp, "iothub-message-source": str}
    assert {key: type(value) for key, value in got.annotations.items()} == types
    assert (got.message_id, got.correlation_id, got.to) == ("m1", "c1", f"/devices/{device.id}/messages/events")
    assert (got.content_type, got.content_encoding) == ("application/json", "utf-8")
    assert type(got.content_type) is Symbol and type(got.content_encoding) is Symbol
    assert got.app == {"k": "v", "n": "5"} and all(type(value) is str for value in got.app.values())
    assert got.body == b'{"a": 1}'
    await consumer.close()


async def test_runtime_metrics_are_annotations_of_the_delivery(hub, partition):
    consumer = await Consumer.connect(hub)
    link = await consumer.receiver(partition, wants=METRICS)
    offered = link.fields[11]
    assert offered == METRICS or offered == [METRICS], offered
    delivery = await link.receive()
    assert delivery.message.sections[0] == 0x71
    found = delivery.message.delivery_annotations
    assert {str(key): type(value) for key, value in found.items()} == {
        "last_enqueued_sequence_number": Long, "last_enqueued_offset": str, "last_enqueued_time_utc": Timestamp,
        "runtime_info_retrieval_time_utc": Timestamp}
    assert found["last_enqueued_sequence_number"] >= 9
    other = await consumer.receiver(partition, wants="com.microsoft:georeplication")
    assert not other.fields[11] and (await other.receive()).message.sections[0] == 0x72
    await consumer.close()


async def test_every_start_position_is_understood(hub, writer, partition):
    consumer = await Consumer.connect(hub)
    link = await consumer.receiver(partition)
    events = [await link.receive() for _ in range(10)]
    await link.detach()
    offset = events[4].message.annotations["x-opt-offset"]
    after = next((n for n, event in enumerate(events) if enqueued(event) > enqueued(events[4])), 10)
    rows = [
        (EARLIEST, 0), ("amqp.annotation.x-opt-offset >= '-1'", 0), ("amqp.annotation.x-opt-offset > -1", 0),
        (f"amqp.annotation.x-opt-offset > '{offset}'", 5), (f"amqp.annotation.x-opt-offset >= '{offset}'", 4),
        ("amqp.annotation.x-opt-sequence-number > '5'", 6), ("amqp.annotation.x-opt-sequence-number >= '5'", 5),
        ("amqp.annotation.x-opt-sequence-number > 5", 6), ("amqp.annotation.x-opt-sequence-number > '-1'", 0),
        ("amqp.annotation.x-opt-sequence-number>'5'", 6), ("amqp.annotation.x-opt-sequence-number >='5'", 5),
        (f"amqp.annotation.x-opt-enqueued-time > '{enqueued(events[4])}'", after),
        (f"amqp.annotation.x-opt-enqueuedtimeutc > {enqueued(events[4])}", after),
        ("amqp.annotation.x-opt-enqueued-time > '0'", 0), ("amqp.annotation.x-opt-enqueuedtimeutc > 1", 0),
    ]
    for selector, expected in rows:
        for described in ("apache.org:selector-filter:string", SELECTOR_CODE, None):
            link = await consumer.receiver(partition, selector, described=described)
            if expected < 10:
                assert number(await link.receive()) == expected, (selector, described)
            await link.detach()
    last = (await asyncio.to_thread(eventhub.last_numbers, hub))[partition]
    latest = [await consumer.receiver(partition, selector) for selector in (
        "amqp.annotation.x-opt-offset > '@latest'", "amqp.annotation.x-opt-offset >= '@latest'", None,
        f"amqp.annotation.x-opt-enqueued-time > '{enqueued(events[9]) + 3_600_000}'", f"amqp.annotation.x-opt-sequence-number > '{last}'")]
    await asyncio.to_thread(eventhub.send, writer, 1)
    for link in latest:
        assert number(await link.receive()) == last + 1, link.name
    await consumer.close()


async def test_malformed_and_foreign_positions_are_refused(hub, partition):
    consumer = await Consumer.connect(hub)
    argument, kind = "com.microsoft:argument-error", "amqp:not-allowed"
    rows = [
        ("", argument), ("color = 'red'", argument), ("amqp.annotation.x-opt-offset", argument),
        ("amqp.annotation.x-opt-offset < '5'", argument), ("amqp.annotation.x-opt-offset > 'abc'", argument),
        ("amqp.annotation.x-opt-offset > '5", argument), ("amqp.annotation.x-opt-nothing > '5'", argument),
        ("amqp.annotation.x-opt-offset > '5' OR 1=1", argument), ("x" * 5000, argument),
        ("amqp.annotation.x-opt-sequence-number > '1.5'", argument),
        ("amqp.annotation.x-opt-offset > '99999999999999999999999999'", argument),
        # Another hub's positions: beyond what there is here.
        ("amqp.annotation.x-opt-offset > '99999999999'", argument),
        ("amqp.annotation.x-opt-sequence-number > '99999999999'", argument),
        (Described("apache.org:selector-filter:string", Int(5)), kind), (Described("jms:other", EARLIEST), kind),
        (Long(5), kind), ({"a": "b"}, kind),
    ]
    wrong = {}
    for selector, expected in rows:
        closed, error = await consumer.receiver(partition, selector, refused=True) if not late(selector) else (
            True, await refused_late(consumer, partition, selector))
        if not closed or error is None or error[0] != expected or not error[1]:
            wrong[str(selector)[:60]] = error
    assert not wrong
    await consumer.close()


def late(selector):
    """Offsets are searched on the disk, so that the refusal may come after the attach."""
    return isinstance(selector, str) and selector.endswith("'99999999999'") and "offset" in selector


async def refused_late(consumer, partition, selector):
    link = await consumer.receiver(partition, selector)
    return await link.until_detached()


async def test_links_to_what_is_not_there_are_refused(hub, partition):
    consumer = await Consumer.connect(hub)
    missing = {"amqp:not-found"}
    rows = [
        ("group", dict(partition=partition, group="nobody"), missing),
        ("partition", dict(partition="99"), missing | {"com.microsoft:argument-error"}),
        ("negative partition", dict(partition="-1"), missing | {"com.microsoft:argument-error"}),
        ("padded partition", dict(partition="00"), missing | {"com.microsoft:argument-error"}),
        ("no partition", dict(partition=""), missing | {"com.microsoft:argument-error"}),
        ("text partition", dict(partition="one"), missing | {"com.microsoft:argument-error"}),
    ]
    for label, options, expected in rows:
        closed, error = await consumer.receiver(refused=True, **options)
        assert closed and error[0] in expected and error[1], (label, error)
    for role, address, expected in [
        ("sender", consumer.address(partition), {"amqp:not-allowed"}),
        ("sender", consumer.entity, {"amqp:not-allowed", "amqp:not-found"}),
        ("receiver", consumer.entity, {"amqp:not-allowed", "amqp:not-found"}),
        ("receiver", None, {"amqp:not-allowed", "amqp:not-found", "amqp:invalid-field"}),
        ("sender", "$nothing", {"amqp:not-found", "amqp:unauthorized-access"}),
    ]:
        closed, error = await getattr(consumer.session, role)(address, name=f"{role}{address}", refused=True)
        assert closed and error[0] in expected, (role, address, error)
    # The connection serves as before.
    link = await consumer.receiver(partition.upper(), group="$DEFAULT", entity=consumer.entity.upper())
    assert number(await link.receive()) == 0
    await consumer.close()
    # Without hub scope another entity may not even be named.
    consumer = await Consumer.connect(hub)
    closed, error = await consumer.receiver(partition, entity="elsewhere", refused=True)
    assert closed and error[0] in missing | {"amqp:unauthorized-access"}
    await consumer.close()


async def test_epochs_by_the_table(hub, partition):
    """(4.6) One step: name, epoch, who goes for it, or the refusal."""
    stolen = "amqp:link:stolen"
    for steps in [
        [("A", None, []), ("B", 1, ["A"]), ("C", 1, ["B"]), ("D", 3, ["C"])],
        [("A", 0, []), ("B", 0, ["A"])],
    ]:
        consumer, there = await Consumer.connect(hub), {}
        for name, epoch, gone in steps:
            there[name] = (await consumer.receiver(partition, epoch=epoch, name=name), epoch)
            for old in gone:
                link, old_epoch = there.pop(old)
                condition, text = await link.until_detached()
                assert condition == stolen
                assert text.startswith(
                    f"New receiver '{name}' with higher epoch of '{epoch}' is created hence current receiver '{old}' "
                    f"with epoch '{-1 if old_epoch is None else old_epoch}' is getting disconnected."), text
        (owner, epoch), = there.values()
        if epoch > 0:
            _, (condition, text) = await consumer.receiver(partition, epoch=epoch - 1, name="low", refused=True)
            assert condition == stolen and text.startswith(
                f"Receiver '{name}' with a higher epoch '{epoch}' already exists. Receiver 'low' with epoch "
                f"{epoch - 1} cannot be created."), text
        _, (condition, text) = await consumer.receiver(partition, refused=True)
        assert condition == stolen and text.startswith(
            f"At least one receiver for the endpoint is created with epoch of '{epoch}', and so non-epoch receiver is "
            "not allowed."), text
        assert number(await owner.receive()) == 0 and not owner.detached.done()
        await consumer.close()


async def test_the_sixth_reader_is_refused_until_one_leaves(hub, partition):
    consumer = await Consumer.connect(hub)
    links = [await consumer.receiver(partition, name=f"r{n}") for n in range(5)]
    _, (condition, text) = await consumer.receiver(partition, refused=True)
    assert condition == "amqp:resource-limit-exceeded" and text.startswith(
        "Exceeded the maximum number of allowed receivers per partition in a consumer group which is 5. List of "
        "connected receivers - ") and "r4" in text, text
    await links[0].detach()
    assert number(await (await consumer.receiver(partition)).receive()) == 0
    await consumer.close()


@pytest.mark.parametrize("session_each", [False, True], ids=["one-session", "a-session-each"])
async def test_credit_is_kept_to_and_drained(hub, writer, partition, session_each):
    consumer = await Consumer.connect(hub)
    session = await consumer.connection.begin() if session_each else consumer.session
    link = await consumer.receiver(partition, session=session, credit=0)
    link.flow(3)
    assert [number(await link.receive()) for _ in range(3)] == [0, 1, 2]
    # Credit that is used up exactly is drained too; what is granted afterwards is not taken for it.
    link.flow(2, drain=True)
    assert [number(await link.receive()) for _ in range(2)] == [3, 4]

    async def drained():
        while not link.drained:
            link.changed.clear()
            await link.changed.wait()

    await consumer.connection.within(drained(), "the answer to a drain")
    assert link.count == 5 and link.deliveries.empty()
    link.drained = False
    last = (await asyncio.to_thread(eventhub.last_numbers, hub))[partition]
    link.flow(100)
    assert [number(await link.receive()) for _ in range(5, last + 1)] == list(range(5, last + 1))
    assert not link.drained
    link.flow(50, drain=True)
    await consumer.connection.within(drained(), "the answer to a drain at the end")
    assert link.count == last + 51, "the rest of the credit is gone"
    link.drained = False
    link.flow(10)
    await asyncio.to_thread(eventhub.send, writer, 1)
    assert number(await link.receive()) == last + 1
    assert not link.drained
    await consumer.close()


async def test_a_reader_without_credit_delays_nobody(hub, partition):
    consumer = await Consumer.connect(hub)
    creditless = await consumer.receiver(partition, credit=0)
    link = await consumer.receiver(partition, credit=1000)
    assert number(await link.receive()) == 0
    assert creditless.deliveries.empty() and not creditless.detached.done()
    creditless.flow(1)
    assert number(await creditless.receive()) == 0
    await consumer.close()


async def test_an_event_is_cut_into_the_frames_a_client_takes(hub):
    device = hub.device("cut")
    client = await Mqtt.connect(device)
    await client.send_acked(device.topic + "k=v", b"x" * 200_000)
    await client.disconnect()
    found = (await asyncio.to_thread(eventhub.wait_for, hub, device.id, 1))[0]
    for size in (512, 4096, 65536, 1048576):
        consumer = await Consumer.connect(hub, max_frame_size=size)
        link = await consumer.receiver(
            found["partition"], f"amqp.annotation.x-opt-sequence-number >= '{found['sequence']}'")
        delivery = await link.receive()
        assert delivery.message.body == b"x" * 200_000
        assert consumer.connection.largest <= size
        await consumer.close()


async def test_management_answers_with_its_types(hub, partition):
    consumer = await Consumer.connect(hub)
    eh, part = "com.microsoft:eventhub", "com.microsoft:partition"
    for message_id in (ULong(7), uuid.uuid4(), "text"):
        got = await consumer.ask(message_id, operation="READ", type=eh, name=consumer.entity,
                                 security_token=token(hub))
        assert (type(got.app["status-code"]), int(got.app["status-code"])) == (Int, 200)
        assert type(got.app["status-description"]) is str
        assert all(type(key) is str for key in got.value)
        assert {key: type(value) for key, value in got.value.items()} == {
            "name": str, "type": str, "created_at": Timestamp, "partition_count": Int, "partition_ids": list,
            "georeplication_factor": Int}
        assert (got.value["name"], got.value["type"]) == (consumer.entity, eh)
        assert got.value["partition_ids"] == ["0", "1", "2", "3"] and got.value["partition_count"] == 4
    got = await consumer.ask(operation="READ", type=part, name=consumer.entity, partition=partition)
    assert {key: type(value) for key, value in got.value.items()} == {
        "name": str, "type": str, "partition": str, "begin_sequence_number": Long,
        "last_enqueued_sequence_number": Long, "last_enqueued_offset": str, "last_enqueued_time_utc": Timestamp,
        "is_partition_empty": bool}
    rows = [
        (dict(operation="READ", type=eh, name="nowhere"), 404, "amqp:not-found"),
        (dict(operation="READ", type=part, name=consumer.entity, partition="99"), 404, "amqp:not-found"),
        (dict(operation="READ", type=part, name=consumer.entity), 404, "amqp:not-found"),
        (dict(operation="WRITE", type=eh, name=consumer.entity), 400, None),
        (dict(operation="READ", type="com.microsoft:other", name=consumer.entity), 400, None),
        (dict(type=eh, name=consumer.entity), 400, None),
        (dict(operation="READ", name=consumer.entity), 400, None),
    ]
    for app, status, condition in rows:
        got = await consumer.ask(**app)
        assert int(got.app["status-code"]) == status and got.app["status-description"], app
        assert condition is None or got.app["error-condition"] == condition, got.app
    got = await consumer.ask(operation="READ", type=eh, name=consumer.entity.upper())
    assert int(got.app["status-code"]) == 200
    await consumer.close()
