"""Bad input costs the sender at most its connection and disturbs nobody else."""

import asyncio

import eventhub
from mqtt import Mqtt, packet, text

CONNECT_TWICE = packet(0x10, text("MQTT") + b"\x04\xc2\x00\x3c" + text("x") + text("y") + text("z"))


def publish(topic, payload=b"x", first=0x30):
    return packet(first, text(topic) + payload)


def bad_packets(device):
    mine = device.topic
    return {
        "another device's topic": publish("devices/somebody-else/messages/events/"),
        "unknown topic": publish("house/kitchen/temperature"),
        "topic of the service": publish(f"devices/{device.id}/messages/devicebound/"),
        "unknown $iothub topic": publish("$iothub/nothing/here"),
        "empty topic": publish(""),
        "wildcard in a topic": publish("devices/+/messages/events/"),
        "topic that is not UTF-8": packet(0x30, b"\x00\x04\xff\xfe\xfd\xfc" + b"x"),
        "topic with a NUL": publish(f"devices/{device.id}/messages/events/\0"),
        "QoS 2": packet(0x34, text(mine) + b"\x00\x01x"),
        "QoS 3": packet(0x36, text(mine) + b"\x00\x01x"),
        "packet id 0": packet(0x32, text(mine) + b"\x00\x00x"),
        "topic longer than its packet": packet(0x30, b"\xff\xff" + b"abc"),
        "second CONNECT": CONNECT_TWICE,
        "reserved packet type 0": b"\x00\x00",
        "reserved packet type 15": b"\xf0\x00",
        "a server's packet": packet(0x20, b"\x00\x00"),
        "wrong flags": packet(0x83, b"\x00\x01" + text("a") + b"\x00"),
        "remaining length of five bytes": b"\x30\xff\xff\xff\xff\x7f",
        "packet larger than any message": b"\x30\xff\xff\xff\x7f" + b"x" * 64,
        "SUBSCRIBE without a filter": packet(0x82, b"\x00\x01"),
        "PINGREQ with a body": b"\xc0\x01x",
    }


async def test_each_bad_packet_closes_its_own_connection_only(hub, device):
    other = hub.device(device.id + "-by")
    bystander = await Mqtt.connect(other)
    for label, data in bad_packets(device).items():
        client = await Mqtt.connect(device)
        client.send(data)
        try:
            await client.until_closed()
        except TimeoutError:
            raise AssertionError(f"{label}: the connection stays open") from None
        await bystander.send_acked(other.topic, label)
    assert not bystander.closed.is_set()
    await bystander.disconnect()
    found = eventhub.read_all(hub)
    assert eventhub.of_device(found, device.id) == []
    assert len(eventhub.of_device(found, other.id)) == len(bad_packets(device))


async def test_what_is_not_a_connect_is_closed_without_an_answer(hub, device):
    for data in (publish(device.topic), b"\xc0\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, packet(0x10, b"\x00")):
        client = await Mqtt.open(hub)
        client.send(data)
        await client.until_closed()
        assert client.code is None, data


async def test_every_truncation_of_a_publish_leaves_no_event(hub, device):
    whole = packet(0x32, text(device.topic + "k=v") + b"\x00\x01" + b"body")
    for cut in range(1, len(whole)):
        client = await Mqtt.connect(device)
        client.send(whole[:cut])
        client.writer.write_eof() if client.writer.can_write_eof() else client.writer.close()
        await client.until_closed()
    assert eventhub.of_device(eventhub.read_all(hub), device.id) == []


async def test_bad_percent_encoding_is_taken_literally(hub, device):
    client = await Mqtt.connect(device)
    await client.send_acked(device.topic + "a=%zz&b=100%&c=%4", "x")
    await client.disconnect()
    (event,) = eventhub.wait_for(hub, device.id, 1)
    assert event["app"] == {"a": "%zz", "b": "100%", "c": "%4"}


async def test_a_client_that_never_reads_holds_up_nobody(hub, device):
    other = hub.device(device.id + "-by")
    client = await Mqtt.connect(device)
    client.task.cancel()
    # PUBACKs and PINGRESPs pile up at the hub until it stops reading or closes; both are fine.
    flood = b"\xc0\x00" * 4096
    try:
        for _ in range(512):
            client.send(flood)
            await asyncio.wait_for(client.writer.drain(), 0.5)
    except (TimeoutError, OSError):
        pass
    bystander = await Mqtt.connect(other)
    await bystander.send_acked(other.topic, "not held up")
    await bystander.disconnect()
    client.writer.transport.abort()
