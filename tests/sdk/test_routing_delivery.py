"""Webhooks and blobs as endpoints: signed, again and again, in order."""

import base64
import io
import json

import pytest
from azure.storage.blob import ContainerClient

import eventhub
from mqtt import Mqtt
from routing import Reader, body, health, hooked, log_named, put, route, send
from waiting import until
from webhook import SECRET


@pytest.fixture(autouse=True)
def no_routes(hub):
    """Each test begins with a hub that routes nothing, and leaves one."""
    put(hub, {})
    yield
    put(hub, {})


async def test_a_webhook_that_fails_twice_gets_everything_in_order(hub, device, webhook):
    server = webhook(lambda number, events: 503 if number < 2 else 200)
    put(hub, hooked(server))
    await send(device, *[f"{number}" for number in range(50)], properties="level=high")
    events = server.got(50)
    assert [body(event) for event in events] == [f"{number}" for number in range(50)]
    assert events[0]["Properties"] == {"level": "high"}
    assert events[0]["SystemProperties"]["connectionDeviceId"] == device.id
    assert events[0]["SystemProperties"]["iothub-message-source"] == "Telemetry"
    path, headers, _ = server.requests[0]
    assert path == "/events?source=hub" and headers["content-type"].startswith("application/json")
    until(lambda: health(hub, "hook")["backlog"] == 0, "nothing waits")
    state = health(hub, "hook")
    assert (state["healthStatus"], state["delivered"], state["failedAttempts"]) == ("healthy", 50, 2)
    assert "503" in state["lastKnownError"]


async def test_what_is_never_taken_goes_to_the_dead_letters(hub, device, webhook):
    server = webhook(lambda number, events: 400 if any(body(event) == "bad" for event in events) else 200)
    document = hooked(server, maxDeliveryCount=8, maxRetryDelayInSeconds=1, deadLetterEndpointName="dead")
    document["endpoints"].update(log_named("dead")["endpoints"])
    put(hub, document)
    await send(device, "1", "2", "bad", "3")
    assert [body(event) for event in server.got(3)] == ["1", "2", "3"]
    reader = Reader(hub, "dead")
    try:
        letter = reader.got(1)[0]
    finally:
        reader.close()
    assert eventhub.body(letter) == b"bad" and letter["device"] == device.id
    app = letter["app"]
    assert app["iothub-deadletter-endpoint"] == "hook" and "400" in app["iothub-deadletter-reason"]
    assert health(hub, "hook")["deadLettered"] == 1


async def test_a_webhook_that_never_answers_delays_no_acknowledgement(hub, device, webhook):
    silent, good = webhook(lambda number, events: None), webhook()
    hooks = [{"name": name, "url": server.url, "secret": SECRET, "timeoutInSeconds": 30}
             for name, server in [("silent", silent), ("good", good)]]
    put(hub, {"endpoints": {"webhooks": hooks}, "routes": [route("r", "DeviceMessages", "silent", "good")]})
    await send(device, *[f"{number}" for number in range(200)])
    assert [body(event) for event in good.got(200)] == [f"{number}" for number in range(200)]
    until(lambda: silent.requests, "the silent server was asked")
    assert not silent.taken
    until(lambda: health(hub, "silent")["backlog"] == 200, "everything waits for the silent server")
    assert health(hub, "silent")["delivered"] == 0


def storage(encoding, container, **settings):
    one = {"name": "store", "containerName": container, "encoding": encoding, "batchFrequencyInSeconds": 5,
           "maxChunkSizeInBytes": 10485760, **settings}
    return {"endpoints": {"storageContainers": [one]}, "routes": [route("r", "DeviceMessages", "store")]}


def blobs(hub, container):
    """Names and contents, in the order of the names."""
    with ContainerClient.from_connection_string(hub.storage, container, connection_verify=hub.ca) as client:
        if not client.exists():
            return []
        return [(blob.name, client.download_blob(blob.name).readall()) for blob in client.list_blobs()]


def with_content(hub, container):
    until(lambda: blobs(hub, container), "a blob")
    return blobs(hub, container)


async def test_batches_are_blobs_of_json_lines(hub, device):
    put(hub, storage("JSON", "routed-json"))
    client = await Mqtt.connect(device)
    topic = device.topic + "%24.ct=application%2Fjson&%24.ce=utf-8&level=high"
    for number in range(20):
        await client.send_acked(topic, json.dumps({"number": number}))
    await client.send_acked(device.topic, b"\x00\xff")
    await client.disconnect()
    [(name, content)] = with_content(hub, "routed-json")
    parts = name.split("/")
    assert (parts[0], len(parts)) == ("localhost", 7) and parts[1] in ("00", "01", "02", "03"), name
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["Body"] for line in lines[:20]] == [{"number": number} for number in range(20)]
    assert base64.b64decode(lines[20]["Body"]) == b"\x00\xff"
    assert set(lines[0]) == {"EnqueuedTimeUtc", "Properties", "SystemProperties", "Body"}
    assert lines[0]["Properties"] == {"level": "high"}
    assert lines[0]["SystemProperties"]["connectionDeviceId"] == device.id
    assert lines[0]["SystemProperties"]["contentType"] == "application/json"


def read_avro(content):
    """The schema and the records of a container file, read by the format's specification."""
    data = io.BytesIO(content)

    def long():
        shift = value = 0
        while True:
            byte = data.read(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return (value >> 1) ^ -(value & 1)

    def chunk():
        return data.read(long())

    def entries():
        found = {}
        while count := long():
            for _ in range(count):
                key = chunk().decode()
                found[key] = chunk()
        return found

    assert data.read(4) == b"Obj\x01"
    meta = entries()
    sync = data.read(16)
    records = []
    while data.tell() < len(content):
        count, size = long(), long()
        end = data.tell() + size
        for _ in range(count):
            record = {"EnqueuedTimeUtc": chunk().decode(), "Properties": entries(), "SystemProperties": entries()}
            record["Body"] = chunk() if long() else None
            records.append(record)
        assert data.tell() == end and data.read(16) == sync
    return json.loads(meta["avro.schema"]), records


async def test_batches_are_avro_files(hub, device):
    put(hub, storage("Avro", "routed-avro"))
    await send(device, "one", "two", properties="level=high")
    [(_, content)] = with_content(hub, "routed-avro")
    schema, records = read_avro(content)
    assert [field["name"] for field in schema["fields"]] == list(records[0])
    assert [record["Body"] for record in records] == [b"one", b"two"]
    assert records[0]["Properties"] == {"level": b"high"}
    assert records[1]["SystemProperties"]["connectionDeviceId"] == device.id.encode()
