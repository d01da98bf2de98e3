"""A thousand messages of twenty devices, sent by three kinds of clients and read back through two SDKs."""

import asyncio
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.iot.device import IoTHubDeviceClient
from azure.iot.device.aio import IoTHubDeviceClient as AsyncDeviceClient

import eventhub
from messages import expected, bag, seen, sendable, variant
from node_client import node
from python_program import python_message

PER_DEVICE = 50
SENDERS = {"python-sync": 4, "python-async": 4, "node": 6, "mosquitto": 6}


def certificate(hub):
    with open(hub.ca, encoding="ascii") as file:
        return file.read()


def send_sync(hub, device, messages):
    client = IoTHubDeviceClient.create_from_connection_string(
        device.connection_string, server_verification_cert=certificate(hub))
    client.connect()
    for message in messages:
        client.send_message(python_message(message))
    client.shutdown()


async def send_async(hub, batches):
    async def one(device, messages):
        client = AsyncDeviceClient.create_from_connection_string(
            device.connection_string, server_verification_cert=certificate(hub))
        await client.connect()
        for message in messages:
            await client.send_message(python_message(message))
        await client.shutdown()

    await asyncio.gather(*(one(device, messages) for device, messages in batches))


def send_mosquitto(hub, device, messages):
    """One process per message, since the properties are in the topic. The last kind goes at QoS 0."""
    for number, message in enumerate(messages):
        # Nobody acknowledges QoS 0, so only the last message may be sent so: a newer connection overtakes none.
        qos = "0" if number == len(messages) - 1 else "1"
        subprocess.run(
            ["mosquitto_pub", "-V", "mqttv311", "-h", "localhost", "-p", "8883", "--cafile", hub.ca, "-q", qos,
             "-i", device.id, "-u", device.user, "-P", device.token(), "-t", device.topic + bag(message), "-s"],
            input=message["body"], check=True, timeout=60, capture_output=True,
        )


@pytest.fixture(scope="module")
def sent(hub):
    """Sends everything; returns {device: messages} and the time span."""
    start = time.time()
    batches = {kind: [] for kind in SENDERS}
    for kind, count in SENDERS.items():
        for index in range(count):
            device = hub.device(f"{kind}-{index}")
            messages = [variant(device.id, number) for number in range(PER_DEVICE)]
            if kind == "mosquitto":
                # Only a hand-written bag can hold a name without a value.
                messages[3]["app"].append(["bare", None])
            batches[kind].append((device, messages))
    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(send_sync, hub, *batch) for batch in batches["python-sync"]]
        jobs += [pool.submit(send_mosquitto, hub, *batch) for batch in batches["mosquitto"]]
        jobs.append(pool.submit(lambda: asyncio.run(send_async(hub, batches["python-async"]))))
        request = [{"connectionString": device.connection_string, "messages": [sendable(m) for m in messages]}
                   for device, messages in batches["node"]]
        jobs.append(pool.submit(node, hub, "send.mjs", request))
        for job in jobs:
            job.result(300)
    everything = [batch for kind in batches.values() for batch in kind]
    total = sum(len(messages) for _, messages in everything)
    assert total == 1000
    # The QoS 0 messages may still be on their way.
    wait_until_stored(hub, total)
    return everything, (start, time.time())


def wait_until_stored(hub, total):
    end = time.monotonic() + 60
    while (stored := sum(last + 1 for last in eventhub.last_numbers(hub).values())) < total:
        assert time.monotonic() < end, f"{stored} of {total} messages are stored"


def check(sent, found):
    everything, (start, end) = sent
    for partition, events in found.items():
        assert [event["sequence"] for event in events] == list(range(len(events))), f"gaps in partition {partition}"
        offsets = [int(event["offset"]) for event in events]
        assert offsets == sorted(set(offsets)), f"offsets of partition {partition} do not grow"
    assert sum(map(len, found.values())) == 1000
    for device, messages in everything:
        events = eventhub.of_device(found, device.id)
        assert len(events) == len(messages), device.id
        for number, (message, event) in enumerate(zip(messages, events, strict=True)):
            assert seen(event) == expected(message), f"message {number} of {device.id}"
            check_stamps(device, event, start, end)


def check_stamps(device, event, start, end):
    system = event["system"]
    assert event["key"] == device.id
    assert system["iothub-connection-device-id"] == device.id
    assert system["iothub-connection-auth-generation-id"] == device.record["generationId"]
    method = json.loads(system["iothub-connection-auth-method"])
    assert (method["scope"], method["type"], method["issuer"]) == ("device", "sas", "iothub")
    assert system["iothub-message-source"] == "Telemetry"
    for stamp in (event["enqueued"], system["iothub-enqueuedtime"]):
        assert start * 1000 - 1 <= stamp <= end * 1000 + 1


def test_a_thousand_messages_are_read_back_complete_and_in_order_through_python(hub, sent):
    check(sent, eventhub.read_all(hub))


def test_a_thousand_messages_are_read_back_complete_and_in_order_through_node(hub, sent):
    found = node(hub, "events.mjs", {"connectionString": hub.events})
    assert found["errors"] == []
    check(sent, found["events"])


def test_both_sdks_agree_on_every_event(hub, sent):
    python = eventhub.read_all(hub)
    other = node(hub, "events.mjs", {"connectionString": hub.events})["events"]
    for partition, events in python.items():
        names = ("sequence", "offset", "enqueued", "key", "body", "device")
        assert [[event[name] for name in names] for event in events] == [
            [event[name] for name in names] for event in other[partition]]
