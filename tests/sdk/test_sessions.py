"""One live session per device: takeover, expiry, removal, wills, keep-alive."""

import asyncio
import time

from azure.iot.device import IoTHubDeviceClient

import eventhub
from mqtt import Mqtt
from raw_mqtt import MqttDevice
from waiting import LIMIT, until


async def test_a_second_connection_closes_the_first(hub, device):
    first = await Mqtt.connect(device)
    await first.send_acked(device.topic, "first")
    second = await Mqtt.connect(device)
    await first.until_closed()
    await second.send_acked(device.topic, "second")
    assert not second.closed.is_set()
    await second.disconnect()
    events = eventhub.wait_for(hub, device.id, 2)
    assert [eventhub.body(event) for event in events] == [b"first", b"second"]


async def test_a_stranger_does_not_close_a_connection(hub, device):
    first = await Mqtt.connect(device)
    await Mqtt.connect(device, password=device.token(key=hub.device(device.id + "-y").primary), expect=5)
    await first.send_acked(device.topic, "still here")
    await first.disconnect()


async def test_takeovers_in_quick_succession_leave_the_last_one(hub, device):
    clients = [await Mqtt.connect(device) for _ in range(20)]
    await asyncio.gather(*(client.until_closed() for client in clients[:-1]))
    await clients[-1].send_acked(device.topic, "last")
    await clients[-1].disconnect()


def test_the_python_sdk_notices_a_takeover(hub, device):
    with open(hub.ca, encoding="ascii") as file:
        certificate = file.read()

    def client():
        made = IoTHubDeviceClient.create_from_connection_string(
            device.connection_string, server_verification_cert=certificate, connection_retry=False)
        made.connect()
        return made

    first, second = client(), None
    try:
        second = client()
        until(lambda: not first.connected, "the first client sees that it is disconnected")
        second.send_message("from the second")
        assert second.connected
    finally:
        first.shutdown()
        if second:
            second.shutdown()


async def closes_and_is_refused(hub, device, change):
    client = await Mqtt.connect(device)
    await client.send_acked(device.topic, "before")
    answer = await asyncio.to_thread(change)
    assert answer.status in (200, 204), answer
    await client.until_closed()
    await Mqtt.connect(device, expect=5)
    assert [eventhub.body(event) for event in eventhub.wait_for(hub, device.id, 1)] == [b"before"]


async def test_a_deleted_device_loses_its_connection(hub, device):
    await closes_and_is_refused(hub, device, lambda: hub.registry.delete(device.id))


async def test_a_disabled_device_loses_its_connection(hub, device):
    await closes_and_is_refused(hub, device, lambda: hub.registry.update(device.record, status="disabled"))


async def test_a_device_with_new_keys_loses_the_connection_made_with_the_old_ones(hub, device):
    keys = hub.registry.create(device.id + "-keys")["authentication"]
    await closes_and_is_refused(hub, device, lambda: hub.registry.update(device.record, authentication=keys))


async def test_an_enabled_again_device_may_come_back(hub, device):
    assert hub.registry.update(device.record, status="disabled").status == 200
    await Mqtt.connect(device, expect=5)
    assert hub.registry.update(device.record, status="enabled").status == 200
    await (await Mqtt.connect(device)).disconnect()


async def test_a_will_is_published_when_the_connection_breaks_and_only_then(hub, device):
    will = {"topic": device.topic + "reason=gone", "payload": "the will", "qos": 1}
    client = await Mqtt.connect(device, will=will)
    await client.send_acked(device.topic, "one")
    await client.disconnect()
    client = await Mqtt.connect(device, will=will)
    await client.send_acked(device.topic, "two")
    client.writer.transport.abort()
    events = await asyncio.to_thread(eventhub.wait_for, hub, device.id, 3)
    assert [eventhub.body(event) for event in events] == [b"one", b"two", b"the will"]
    seen = {**events[2]["app"], **events[2]["system"]}
    assert seen["iothub-MessageType"] == "Will" and seen["reason"] == "gone"


async def test_a_silent_client_is_dropped_after_one_and_a_half_keep_alives(hub, device):
    client = await Mqtt.connect(device, keep_alive=2)
    start = time.monotonic()
    await client.until_closed()
    assert 2 <= time.monotonic() - start < LIMIT


async def test_pings_keep_a_connection(hub, device):
    client = await Mqtt.connect(device, keep_alive=1)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        await client.ping()
        await asyncio.sleep(0.2)
    await client.send_acked(device.topic, "alive")
    await client.disconnect()


async def test_the_registry_knows_who_is_connected(hub, device):
    client = await Mqtt.connect(device)
    await asyncio.to_thread(until, lambda: hub.registry.get(device.id).json["connectionState"] == "Connected",
                            "connectionState says Connected")
    await client.disconnect()
    await asyncio.to_thread(until, lambda: hub.registry.get(device.id).json["connectionState"] == "Disconnected",
                            "connectionState says Disconnected")


async def test_an_answer_that_was_dropped_shows_nothing(hub, device, service):
    """As Python's SDK does after a reconnection: it asks for its twin without a subscription to answers."""
    desired = "$iothub/twin/PATCH/properties/desired/#"
    raw = await MqttDevice.enter(device)
    await raw.subscribe(desired)
    await raw.disconnect()
    version = service.desire(device, {"a": 1}).properties.desired["$version"]
    raw = await MqttDevice.enter(device)
    raw.publish("$iothub/twin/GET/?$rid=1", b" ", qos=0)
    # What comes after it is carried out after it.
    raw.publish("$iothub/twin/PATCH/properties/reported/?$rid=2", b'{"here": true}', qos=0)
    await asyncio.to_thread(until, lambda: service.twin(device).properties.reported.get("here"), "the patch is there")
    await raw.subscribe(desired)
    topic, _, _, _ = await raw.message()
    assert topic == f"$iothub/twin/PATCH/properties/desired/?$version={version}"
    await raw.disconnect()
