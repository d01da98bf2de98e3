"""Reading the hub's events through the unmodified Python SDK."""

import asyncio
import base64
import threading
import time
from contextlib import contextmanager

from azure.eventhub import EventHubConsumerClient, TransportType

import sas
from mqtt import Mqtt
from waiting import LIMIT, until


def client(hub, group="$Default", connection_string=None, **options):
    """A consumer client that fails at once instead of trying again."""
    options.setdefault("retry_total", 0)
    options.setdefault("transport_type", TransportType.Amqp)
    return EventHubConsumerClient.from_connection_string(
        connection_string or hub.events, consumer_group=group, connection_verify=hub.ca, **options,
    )


def entity(hub):
    return sas.parse(hub.events)["EntityPath"]


def plain(value):
    """Bytes of the wire as text, also inside dictionaries."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


def record(event, partition):
    """An event as plain data, the same shape as node/events.mjs gives."""
    system = plain(event.system_properties)
    return {
        "partition": partition,
        "sequence": event.sequence_number,
        "offset": event.offset,
        "enqueued": round(event.enqueued_time.timestamp() * 1000),
        "key": plain(event.partition_key),
        "body": base64.b64encode(b"".join(event.body)).decode(),
        "app": plain(event.properties or {}),
        "system": system,
        "device": system.get("iothub-connection-device-id"),
    }


class Receiver:
    """One `receive` call on a thread of its own; `events` and `errors` are filled as they come."""

    def __init__(self, hub, partition, client_options=None, **options):
        self.partition = partition
        self.events = []
        self.errors = []
        self.started = threading.Event()
        self.client = client(hub, **(client_options or {}))
        options.setdefault("starting_position", "-1")
        self.options = options
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.client.receive(
                on_event=self.on_event, on_error=self.on_error, partition_id=self.partition,
                max_wait_time=1, **self.options,
            )
        except Exception as error:  # noqa: BLE001 - what the SDK raises is what the test looks at
            self.errors.append(error)

    def on_event(self, context, event):
        self.started.set()
        if event is not None:
            self.last = context.last_enqueued_event_properties
            self.events.append(record(event, context.partition_id))

    def on_error(self, _context, error):
        self.errors.append(error)

    def failed(self):
        """Waits for an error and returns the first."""
        until(lambda: self.errors, f"the receiver of partition {self.partition} fails")
        return self.errors[0]

    def got(self, count):
        """Waits for `count` events and returns them all."""
        until(lambda: self.errors or len(self.events) >= count,
              lambda: f"{count} events of partition {self.partition}; there are {len(self.events)}")
        assert not self.errors, self.errors
        return self.events

    def close(self):
        self.client.close()
        self.thread.join(LIMIT)


@contextmanager
def receiving(*arguments, **options):
    receiver = Receiver(*arguments, **options)
    try:
        yield receiver
    finally:
        receiver.close()


def send(device, count):
    """Sends `count` acknowledged messages, numbered from 0."""

    async def run():
        connection = await Mqtt.connect(device)
        for number in range(count):
            await connection.send_acked(device.topic, f"{number}")
        await connection.disconnect()

    asyncio.run(run())


def last_numbers(hub):
    """The last sequence number of each partition, -1 where it is empty."""
    with client(hub) as reader:
        found = {}
        for partition in reader.get_partition_ids():
            properties = reader.get_partition_properties(partition)
            found[partition] = -1 if properties["is_empty"] else properties["last_enqueued_sequence_number"]
        return found


def read_all(hub, positions=None):
    """Everything that is in the hub now, by partition, from the start or from after the given sequence numbers."""
    ends = last_numbers(hub)
    positions = positions or {}
    found = {}
    waiting = {}
    for partition, end in ends.items():
        after = positions.get(partition, -1)
        found[partition] = []
        if end > after:
            start = after if after >= 0 else "-1"
            waiting[partition] = Receiver(hub, partition, starting_position=start, prefetch=3000)
    try:
        for partition, receiver in waiting.items():
            end = ends[partition]
            until(lambda r=receiver, e=end: r.errors or (r.events and r.events[-1]["sequence"] >= e),
                  lambda r=receiver, e=end: f"event {e} of partition {r.partition}; {len(r.events)} came")
            assert not receiver.errors, receiver.errors
            found[partition] = [event for event in receiver.events if event["sequence"] <= end]
    finally:
        for receiver in waiting.values():
            receiver.close()
    return found


def of_device(found, device_id):
    """The events of one device in the order of the log. They must all lie in one partition."""
    lists = [[e for e in events if e["device"] == device_id] for events in found.values()]
    lists = [events for events in lists if events]
    assert len(lists) <= 1, f"{device_id} has events in {len(lists)} partitions"
    return lists[0] if lists else []


def body(event):
    return base64.b64decode(event["body"])


def wait_for(hub, device_id, count):
    """The device's events, as soon as there are `count`."""
    end = time.monotonic() + LIMIT
    while True:
        events = of_device(read_all(hub), device_id)
        if len(events) >= count:
            return events
        assert time.monotonic() < end, f"{len(events)} of {count} events of {device_id}"
