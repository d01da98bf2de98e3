"""Old events go, and what is left keeps its numbers."""

import asyncio

import eventhub
from eventhub import receiving
from mqtt import Mqtt
from waiting import until

KEPT = 1024 * 1024
BODY = 64 * 1024
EVENTS = 64


async def send(device, numbers):
    client = await Mqtt.connect(device)
    for number in numbers:
        await client.send_acked(device.topic, number.to_bytes(4, "big") * (BODY // 4))
    await client.disconnect()


def partition(hub):
    with eventhub.client(hub) as client:
        return client.get_partition_properties("0")


def check(hub, last):
    """What is left are the newest events up to `last`, whichever start is asked for."""
    first = partition(hub)["beginning_sequence_number"]
    assert partition(hub)["last_enqueued_sequence_number"] == last
    for position in ("-1", 0):
        with receiving(hub, "0", starting_position=position) as receiver:
            events = receiver.got(last - first + 1)
        assert [event["sequence"] for event in events] == list(range(first, last + 1)), f"from {position}"
        for event in events:
            assert eventhub.body(event) == event["sequence"].to_bytes(4, "big") * (BODY // 4)
    return first


def test_events_beyond_the_bytes_to_keep_are_dropped_from_the_start(new_hub):
    hub = new_hub("--hub-partitions", "1", "--events-retention-bytes", str(KEPT)).start()
    device = hub.device("old-and-new")
    asyncio.run(send(device, range(EVENTS)))
    # Trimming has its own pace, so this may take longer than anything else here.
    until(lambda: partition(hub)["beginning_sequence_number"] > 0, "old events are dropped", limit=180)
    first = check(hub, EVENTS - 1)
    assert first < EVENTS - 1, "the newest events stay"
    hub.kill()
    hub.start()
    assert check(hub, EVENTS - 1) >= first
    asyncio.run(send(device, [EVENTS]))
    check(hub, EVENTS)
