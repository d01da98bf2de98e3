"""kill -9 under QoS 1 load: whatever was acknowledged is there afterwards, in order."""

import asyncio

import eventhub
from mqtt import Mqtt
from waiting import LIMIT

CYCLES = 20
DEVICES = 8
WINDOW = 16
ACKS_PER_CYCLE = 400


class Sender:
    """One device that publishes 0, 1, 2, … with up to WINDOW unacknowledged, and resends those after a crash."""

    def __init__(self, device):
        self.device = device
        self.next = 0
        self.acked = []
        self.unacked = []

    def payload(self, number):
        return f"{number}".encode()

    async def run(self, progress):
        """Connects and publishes until the connection ends."""
        client = await Mqtt.connect(self.device)
        numbers = {}
        room = asyncio.Semaphore(WINDOW)

        def on_ack(packet_id):
            number = numbers.pop(packet_id)
            assert number == self.unacked[0], "PUBACKs come in the order of the messages"
            self.unacked.pop(0)
            self.acked.append(number)
            progress.acks += 1
            room.release()

        client.on_ack = on_ack
        resend = list(self.unacked)
        while not client.closed.is_set():
            take = asyncio.create_task(room.acquire())
            gone = asyncio.create_task(client.closed.wait())
            await asyncio.wait({take, gone}, return_when=asyncio.FIRST_COMPLETED)
            take.cancel()
            gone.cancel()
            if client.closed.is_set():
                break
            if resend:
                number, dup = resend.pop(0), True
            else:
                number, dup = self.next, False
                self.next += 1
                self.unacked.append(number)
            numbers[client.next_id % 0xFFFF + 1] = number
            client.publish(self.device.topic, self.payload(number), dup=dup)
        # Raises what `on_ack` found wrong.
        await client.task


class Progress:
    acks = 0


async def load_then_kill(hub, senders, cycle):
    """Load on all devices; kills the hub in the middle of it once enough was acknowledged. Returns devices created."""
    progress = Progress()
    tasks = [asyncio.create_task(sender.run(progress)) for sender in senders]
    # A registry write is acknowledged like a message and must survive like one.
    created = await asyncio.to_thread(hub.registry.create, f"created-{cycle}")
    async with asyncio.timeout(LIMIT):
        # Another number of acknowledgements in each cycle, so that the kill hits other moments.
        while progress.acks < ACKS_PER_CYCLE + 37 * cycle:
            assert hub.alive(), hub.tail()
            for task in tasks:
                if task.done():
                    task.result()
                    raise AssertionError("a connection ended before the kill")
            await asyncio.sleep(0.001)
    hub.kill()
    await asyncio.gather(*tasks)
    return created


def check(hub, senders):
    found = eventhub.read_all(hub)
    for partition, events in found.items():
        assert [event["sequence"] for event in events] == list(range(len(events))), f"gaps in partition {partition}"
    for sender in senders:
        numbers = [int(eventhub.body(event)) for event in eventhub.of_device(found, sender.device.id)]
        lost = sorted(set(sender.acked) - set(numbers))
        assert not lost, f"{sender.device.id}: acknowledged but gone: {lost}"
        first_seen = list(dict.fromkeys(numbers))
        assert first_seen == sorted(first_seen), f"{sender.device.id}: out of order"
        assert set(numbers) <= set(range(sender.next)), f"{sender.device.id}: never sent"
    return found


def test_twenty_kills_lose_nothing_that_was_acknowledged(new_hub):
    hub = new_hub("--hub-partitions", "4").start()
    senders = [Sender(hub.device(f"sender-{number}")) for number in range(DEVICES)]
    created = []
    contents = {}
    for cycle in range(CYCLES):
        created.append(asyncio.run(load_then_kill(hub, senders, cycle)))
        hub.start()
        # Sequence numbers given out before the kill still name the same events.
        if cycle % 5 == 4:
            found = check(hub, senders)
            for partition, events in found.items():
                known = contents.get(partition, [])
                now = [(event["sequence"], event["offset"], event["body"], event["device"]) for event in events]
                assert now[: len(known)] == known, f"partition {partition} changed its past"
                contents[partition] = now
    assert sum(len(sender.acked) for sender in senders) >= CYCLES * ACKS_PER_CYCLE
    for record in created:
        assert hub.registry.get(record["deviceId"]).json["generationId"] == record["generationId"]
