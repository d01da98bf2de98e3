"""Where a receiver starts: every position, inclusive or not, through both SDKs."""

import asyncio
import datetime

import pytest
from azure.eventhub.exceptions import EventHubError

import eventhub
from eventhub import receiving
from mqtt import Mqtt
from node_client import node
from waiting import until

EVENTS = 12


@pytest.fixture(scope="module")
def partition(hub):
    """A partition with EVENTS events whose enqueued times all differ: its id and the events."""
    device = hub.device("positions")

    async def send():
        client = await Mqtt.connect(device)
        for number in range(EVENTS):
            await client.send_acked(device.topic, f"event {number}")
            # The next millisecond, so that a time names one event.
            clock = asyncio.get_running_loop().time
            start = clock()
            while clock() - start < 0.003:
                await asyncio.sleep(0.001)
        await client.disconnect()

    asyncio.run(send())
    found = eventhub.read_all(hub)
    (name,) = (name for name, events in found.items() if events)
    assert len(found[name]) == EVENTS
    assert len({event["enqueued"] for event in found[name]}) == EVENTS
    return name, found[name]


def cases(events):
    """(label, Python position, Node position, inclusive, index of the first event expected)."""
    middle = events[5]
    time = datetime.datetime.fromtimestamp(middle["enqueued"] / 1000, datetime.timezone.utc)
    sequence, offset = middle["sequence"], middle["offset"]
    return [
        ("earliest", "-1", "earliest", False, 0),
        ("offset", str(offset), {"offset": str(offset)}, False, 6),
        ("offset, inclusive", str(offset), {"offset": str(offset), "isInclusive": True}, True, 5),
        ("sequence number", sequence, {"sequenceNumber": sequence}, False, 6),
        ("sequence number, inclusive", sequence, {"sequenceNumber": sequence, "isInclusive": True}, True, 5),
        ("enqueued time", time, {"enqueuedOn": middle["enqueued"]}, False, 6),
        ("enqueued time before all", time - datetime.timedelta(hours=1), {"enqueuedOn": middle["enqueued"] - 3600000},
         False, 0),
    ]


LABELS = [case[0] for case in cases([{"sequence": 0, "offset": "0", "enqueued": 0}] * EVENTS)]


@pytest.mark.parametrize("label", LABELS)
def test_python_starts_where_it_asked(hub, partition, label):
    name, events = partition
    _, position, _, inclusive, first = cases(events)[LABELS.index(label)]
    with receiving(hub, name, starting_position=position, starting_position_inclusive=inclusive) as receiver:
        got = receiver.got(EVENTS - first)
    assert [event["sequence"] for event in got] == [event["sequence"] for event in events[first:]]


def test_node_starts_where_it_asked(hub, partition):
    name, events = partition
    for label, _, position, _, first in cases(events):
        request = {"connectionString": hub.events, "partitions": {name: {"position": position}}}
        answer = node(hub, "events.mjs", request)
        assert answer["errors"] == [], label
        got = [event["sequence"] for event in answer["events"][name]]
        assert got == [event["sequence"] for event in events[first:]], label


def test_a_position_that_is_none_is_refused(hub, partition):
    name, _ = partition
    for position in ("nonsense", "1.5", "12x"):
        with receiving(hub, name, starting_position=position) as receiver:
            assert isinstance(receiver.failed(), EventHubError), (position, receiver.errors)


def test_latest_sees_only_what_comes_after_it_attached(hub):
    device = hub.device("latest")
    asyncio.run(send(device, ["old 1", "old 2"]))
    found = eventhub.read_all(hub)
    (name,) = (name for name, events in found.items() if any(e["device"] == device.id for e in events))
    with receiving(hub, name, starting_position="@latest") as receiver:
        # The SDK does not say when its link is attached; what is sent until it is may be missed, nothing old may come.
        number = 0
        while not receiver.events:
            assert number < 1000 and not receiver.errors, receiver.errors
            asyncio.run(send(device, [f"new {number}"]))
            number += 1
        asyncio.run(send(device, ["last"]))
        until(lambda: eventhub.body(receiver.events[-1]) == b"last", "the last event")
        bodies = [eventhub.body(event).decode() for event in receiver.events]
    assert not [body for body in bodies if body.startswith("old")]
    assert bodies[:-1] == [f"new {n}" for n in range(number - len(bodies) + 1, number)]


def test_a_waiting_receiver_gets_new_events_without_asking_again(hub):
    device = hub.device("tail")
    asyncio.run(send(device, ["first"]))
    found = eventhub.read_all(hub)
    (name,) = (name for name, events in found.items() if any(e["device"] == device.id for e in events))
    with receiving(hub, name, starting_position=found[name][-1]["sequence"] - 1) as receiver:
        receiver.got(1)
        for number in range(20):
            asyncio.run(send(device, [f"{number}"]))
            receiver.got(number + 2)
    assert [eventhub.body(event) for event in receiver.events][1:] == [f"{n}".encode() for n in range(20)]


async def send(device, bodies):
    client = await Mqtt.connect(device)
    for body in bodies:
        await client.send_acked(device.topic, body)
    await client.disconnect()
