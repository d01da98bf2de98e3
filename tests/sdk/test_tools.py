"""The `az iot` extension and Azure IoT Explorer: what they send, as they send it (tools/*.json, tools.py)."""

import asyncio
import json
import time
import urllib.parse
import uuid

import pytest
import uamqp
from uamqp import authentication

import eventhub
import sas
from mqtt import Mqtt
from node_client import node
from service import trust
from tools import SCENARIOS, Replay
from waiting import LIMIT, until


@pytest.mark.parametrize(("tool", "scenario"), SCENARIOS, ids=[f"{tool}-{name}".replace(" ", "-") for tool, name in SCENARIOS])
def test_the_hub_answers_what_a_tool_sends(hub, tool, scenario):
    Replay(hub, tool, f"tool-{uuid.uuid4().hex[:12]}").run(scenario)


def plain_host(hub):
    """`user:token@host`: how the extension puts SASL PLAIN into addresses."""
    parts = sas.parse(hub.service)
    token = sas.token("localhost", parts["SharedAccessKey"], parts["SharedAccessKeyName"])
    user = urllib.parse.quote_plus(f"{parts['SharedAccessKeyName']}@sas.root.localhost")
    return f"{user}:{urllib.parse.quote_plus(token)}@localhost"


def send(device, body, **properties):
    async def run():
        connection = await Mqtt.connect(device)
        await connection.send_acked(device.topic + urllib.parse.urlencode(properties), body)
        await connection.disconnect()

    asyncio.run(run())


async def redirected(hub):
    """Where `az iot hub monitor-events` is sent: host, entity and the whole address."""
    source = uamqp.address.Source(f"amqps://{plain_host(hub)}/messages/events/$management")
    client = uamqp.ReceiveClientAsync(source, timeout=LIMIT * 1000, prefetch=1)
    try:
        await client.open_async()
        with pytest.raises(uamqp.errors.LinkRedirect) as found:
            await client.receive_message_batch_async(max_batch_size=1)
        address = found.value.address.decode()
        return found.value.hostname.decode(), address.removeprefix("amqps://").split("/")[1], address
    finally:
        await client.close_async()


async def partitions(address, entity, auth):
    """The partition ids, by the READ that `az iot hub monitor-events` sends."""
    client = uamqp.ReceiveClientAsync(uamqp.address.Source(address), auth=auth, timeout=LIMIT * 1000)
    try:
        await client.open_async()
        answer = await client.mgmt_request_async(
            uamqp.Message(application_properties={"name": entity}), b"READ", op_type=b"com.microsoft:eventhub",
            status_code_field=b"status-code", description_fields=b"status-description", timeout=LIMIT * 1000)
        found = answer.get_data()
        assert int(found[b"partition_count"]) == len(found[b"partition_ids"])
        return [partition.decode() for partition in found[b"partition_ids"]]
    finally:
        await client.close_async()


async def monitored(hub, device, since):
    """The first event of the device after `since` (ms), read as `az iot hub monitor-events -t 3` reads."""
    host, entity, address = await redirected(hub)
    parts = sas.parse(hub.service)

    def auth():
        return authentication.SASTokenAsync.from_shared_access_key(
            f"sb://{host}/{entity}", parts["SharedAccessKeyName"], parts["SharedAccessKey"])

    found = []
    shared = auth()
    ids = await partitions(address, entity, auth())
    async with uamqp.ConnectionAsync(host, sasl=shared, container_id=f"tool/{uuid.uuid4()}") as connection:

        async def read(partition):
            source = uamqp.address.Source(f"amqps://{host}/{entity}/ConsumerGroups/$Default/Partitions/{partition}")
            source.set_filter(f"amqp.annotation.x-opt-enqueuedtimeutc > {since}".encode())
            client = uamqp.ReceiveClientAsync(source, auth=shared, timeout=3000, prefetch=0)
            try:
                await client.open_async(connection=connection)
                # Ends when nothing came for as long as `timeout` says.
                async for message in client.receive_messages_iter_async():
                    if message.annotations[b"iothub-connection-device-id"].decode() == device.id:
                        found.append(message)
            finally:
                await client.close_async()

        await asyncio.gather(*[read(partition) for partition in ids])
    return found


def test_the_extension_monitors_events(hub, device):
    trust(hub.ca)
    since = round(time.time() * 1000) - 600_000
    send(device, '{"t": 21}', **{"k": "v", "$.ct": "application/json", "$.ce": "utf-8"})
    message = until(lambda: asyncio.run(monitored(hub, device, since)), "the event is read")[0]
    assert b"".join(message.get_data()) == b'{"t": 21}'
    assert message.application_properties == {b"k": b"v"}
    assert (message.properties.content_type, message.properties.content_encoding) == (b"application/json", b"utf-8")


def test_the_extension_sends_a_message_and_waits_for_its_feedback(hub, device):
    trust(hub.ca)
    sent = f"m-{uuid.uuid4()}"
    properties = uamqp.message.MessageProperties(message_id=sent, content_encoding="utf-8", content_type="application/json")
    properties.to = f"/devices/{device.id}/messages/devicebound"
    properties.absolute_expiry_time = round(time.time() * 1000) + 3_600_000
    message = uamqp.Message(b'{"a": 1}', properties=properties, application_properties={"k": "v", "iothub-ack": "full"})
    sender = uamqp.SendClient(f"amqps://{plain_host(hub)}/messages/devicebound")
    sender.queue_message(message)
    assert uamqp.constants.MessageState.SendFailed not in sender.send_all_messages()
    settled = hub.registry.request("DELETE", f"/devices/{device.id}/commands").json
    assert settled["totalMessagesPurged"] == 1
    receiver = uamqp.ReceiveClient(f"amqps://{plain_host(hub)}/messages/servicebound/feedback")
    try:
        for batch in receiver.receive_messages_iter():
            records = json.loads(b"".join(batch.get_data()))
            if any(record["originalMessageId"] == sent for record in records):
                batch.accept()
                break
    finally:
        receiver.close()
    record = next(record for record in records if record["originalMessageId"] == sent)
    assert (record["deviceId"], record["statusCode"]) == (device.id, "Purged")


def test_the_explorer_monitors_events(hub, device):
    since = round(time.time() * 1000) - 600_000
    send(device, '{"t": 21}', **{"k": "v", "$.ct": "application/json", "$.ce": "utf-8"})
    found = node(hub, "explorer.mjs", {"connectionString": hub.service, "device": device.id, "after": since})
    entity = eventhub.entity(hub)
    assert found == {
        "hostname": "localhost", "address": f"amqps://localhost:5671/{entity}/$management",
        "event": {"body": {"t": 21}, "properties": {"k": "v"}, "device": device.id}}
