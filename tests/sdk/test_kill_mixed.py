"""kill -9 under everything at once: telemetry, C2D, reported and desired properties, registry."""

import asyncio
import json
import threading

from mqtt import Mqtt
from service import Service
from test_kill import Progress, Sender, check
from waiting import LIMIT, until

CYCLES = 20
SENDERS = 2
# Acknowledgements of each sort that a cycle waits for before the kill.
PER_CYCLE = {"telemetry": 150, "c2d": 8, "reported": 25, "desired": 8}
SLOTS = 7


class Counter:
    """State `number` of a document: the number, and in a slot each of the last few."""

    @staticmethod
    def patch(number):
        return {"n": number, f"s{number % SLOTS}": number}

    @staticmethod
    def check(section, acked, sent, what):
        number = section.get("n", -1)
        assert acked <= number <= sent, f"{what}: {acked} was acknowledged, {sent} was sent, {number} is there"
        for slot in range(SLOTS):
            newest = next((one for one in range(number, number - SLOTS, -1) if one >= 0 and one % SLOTS == slot), None)
            assert section.get(f"s{slot}") == newest, f"{what}: a patch was applied in part or skipped"


class Thing:
    """A device that reports, watches its desired properties and completes its C2D messages."""

    def __init__(self, device):
        self.device = device
        self.reported = self.reported_acked = -1
        self.reported_version = self.desired_version = 0
        self.received = []
        self.problems = []

    async def run(self, counts):
        client = await Mqtt.connect(self.device, clean=False)
        answers = asyncio.Queue()
        told = []

        def on_publish(topic, payload, _qos, _packet_id):
            if topic.startswith("$iothub/twin/res/"):
                answers.put_nowait(topic)
            elif topic.startswith("$iothub/twin/PATCH/"):
                told.append(json.loads(payload)["$version"])
                if told != sorted(set(told)):
                    self.problems.append(f"desired versions {told}")
            else:
                self.received.append(int(payload))
                counts["received"] += 1

        client.on_publish = on_publish
        try:
            await client.subscribe(
                f"devices/{self.device.id}/messages/devicebound/#", "$iothub/twin/res/#",
                "$iothub/twin/PATCH/properties/desired/#")
            while not client.closed.is_set():
                self.reported += 1
                number = self.reported
                client.publish(f"$iothub/twin/PATCH/properties/reported/?$rid={number}",
                               json.dumps(Counter.patch(number)), qos=0)
                take = asyncio.create_task(answers.get())
                gone = asyncio.create_task(client.closed.wait())
                await asyncio.wait({take, gone}, return_when=asyncio.FIRST_COMPLETED, timeout=LIMIT)
                gone.cancel()
                if not take.done():
                    take.cancel()
                    if not client.closed.is_set():
                        self.problems.append(f"no answer to report {number}")
                    return
                topic = take.result()
                if not topic.startswith(f"$iothub/twin/res/204/?$rid={number}&$version="):
                    self.problems.append(topic)
                    return
                self.reported_acked = number
                self.reported_version = int(topic.rpartition("=")[2])
                counts["reported"] += 1
        except (ConnectionError, TimeoutError):
            pass


class BackEnd:
    """Sends numbered C2D messages and desired patches; each on a thread of its own, until the hub is gone."""

    def __init__(self, hub, device):
        self.hub = hub
        self.device = device
        self.c2d = self.desired = self.desired_acked = -1
        self.desired_version = 0
        self.accepted = []

    def send(self, counts, ended):
        try:
            service = Service(self.hub)
            while not ended.is_set():
                # The queue holds fifty; a refusal would be no news here.
                if len(self.accepted) - counts["received_ever"]() > 30:
                    ended.wait(0.01)
                    continue
                self.c2d += 1
                service.send(self.device.id, f"{self.c2d}")
                self.accepted.append(self.c2d)
                counts["c2d"] += 1
        except Exception:  # noqa: BLE001 - the hub was killed; what was not accepted is not looked for
            pass

    def desire(self, counts, ended):
        while not ended.is_set():
            self.desired += 1
            try:
                twin = self.hub.registry.update_twin(
                    self.device, {"properties": {"desired": Counter.patch(self.desired)}})
            except Exception:  # noqa: BLE001
                return
            self.desired_acked = self.desired
            self.desired_version = twin["properties"]["desired"]["$version"]
            counts["desired"] += 1


async def cycle(hub, senders, thing, back_end, number):
    """Load of every sort, and the kill in the middle of it."""
    progress = Progress()
    counts = {"c2d": 0, "reported": 0, "desired": 0, "received": 0, "received_ever": lambda: len(set(thing.received))}
    ended = threading.Event()
    threads = [threading.Thread(target=job, args=(counts, ended), daemon=True)
               for job in (back_end.send, back_end.desire)]
    tasks = [asyncio.create_task(sender.run(progress)) for sender in senders]
    tasks.append(asyncio.create_task(thing.run(counts)))
    for thread in threads:
        thread.start()
    try:
        async with asyncio.timeout(LIMIT):
            while progress.acks < PER_CYCLE["telemetry"] + 13 * number or any(
                    counts[sort] < least for sort, least in PER_CYCLE.items() if sort != "telemetry"):
                assert hub.alive(), hub.tail()
                assert not thing.problems, thing.problems
                assert not any(task.done() for task in tasks), "a connection ended before the kill"
                await asyncio.sleep(0.001)
    finally:
        hub.kill()
        ended.set()
    await asyncio.gather(*tasks)
    await asyncio.to_thread(lambda: [thread.join(LIMIT) for thread in threads])
    assert not any(thread.is_alive() for thread in threads)


def look(hub, thing, back_end):
    """The twin after a restart: nothing acknowledged is missing, nothing is half there, versions never went back."""
    properties = hub.registry.twin(thing.device)["properties"]
    Counter.check(properties["reported"], thing.reported_acked, thing.reported, "reported")
    Counter.check(properties["desired"], back_end.desired_acked, back_end.desired, "desired")
    assert properties["reported"]["$version"] >= thing.reported_version
    assert properties["desired"]["$version"] >= back_end.desired_version
    # From here on, what was on its way counts as sent and applied up to what is there.
    thing.reported, back_end.desired = properties["reported"]["n"], properties["desired"]["n"]


async def drain(hub, thing):
    """Receives what is left in the queue."""
    client = await Mqtt.connect(thing.device, clean=False)
    client.on_publish = lambda topic, payload, qos, packet_id: thing.received.append(int(payload))
    await client.subscribe(f"devices/{thing.device.id}/messages/devicebound/#")
    await asyncio.to_thread(until, lambda: hub.registry.queued(thing.device.id) == 0, "the queue is empty")
    await client.disconnect()


def test_twenty_kills_under_mixed_load_lose_nothing_that_was_acknowledged(new_hub):
    hub = new_hub("--hub-partitions", "4").start()
    senders = [Sender(hub.device(f"sender-{number}")) for number in range(SENDERS)]
    thing = Thing(hub.device("thing"))
    back_end = BackEnd(hub, thing.device)
    for number in range(CYCLES):
        asyncio.run(cycle(hub, senders, thing, back_end, number))
        hub.start()
        look(hub, thing, back_end)
    asyncio.run(drain(hub, thing))
    check(hub, senders)
    assert not thing.problems, thing.problems
    lost = sorted(set(back_end.accepted) - set(thing.received))
    assert not lost, f"accepted C2D messages that never came: {lost}"
    assert set(thing.received) <= set(range(back_end.c2d + 1))
    first_seen = list(dict.fromkeys(thing.received))
    assert first_seen == sorted(first_seen), "C2D messages out of order"
    assert len(back_end.accepted) >= CYCLES * PER_CYCLE["c2d"]
