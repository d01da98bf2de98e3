"""How large a message may be: 256 KB of body, system property values and application properties together."""

import eventhub
from azure.iot.device import IoTHubDeviceClient, Message
from mqtt import Mqtt

LIMIT = 256 * 1024


async def test_256_kb_are_accepted_and_read_back(hub, device):
    body = bytes(number % 251 for number in range(LIMIT))
    client = await Mqtt.connect(device)
    await client.send_acked(device.topic, body)
    await client.disconnect()
    events = eventhub.wait_for(hub, device.id, 1)
    assert [eventhub.body(event) == body for event in events] == [True]


def test_the_largest_message_of_the_python_sdk_is_accepted(hub, device):
    with open(hub.ca, encoding="ascii") as file:
        client = IoTHubDeviceClient.create_from_connection_string(
            device.connection_string, server_verification_cert=file.read())
    client.connect()
    message = Message(b"x" * LIMIT)
    # The SDK counts what Python itself needs for the object too, and sends nothing that is larger by that count.
    message.data = message.data[: LIMIT - (message.get_size() - LIMIT)]
    client.send_message(message)
    client.shutdown()
    events = eventhub.wait_for(hub, device.id, 1)
    assert len(eventhub.body(events[0])) == len(message.data) > LIMIT - 1024


async def test_one_byte_more_closes_the_connection_and_nobody_elses(hub, device):
    other = hub.device(device.id + "-other")
    bystander = await Mqtt.connect(other)
    await bystander.send_acked(other.topic, "before")
    client = await Mqtt.connect(device)
    client.publish(device.topic, b"x" * (LIMIT + 1))
    await client.until_closed()
    assert client.acked == []
    await bystander.send_acked(other.topic, "after")
    assert not bystander.closed.is_set()
    await bystander.disconnect()

    again = await Mqtt.connect(device)
    await again.send_acked(device.topic, "small")
    await again.disconnect()
    found = eventhub.read_all(hub)
    assert [eventhub.body(event) for event in eventhub.of_device(found, device.id)] == [b"small"]
    assert [eventhub.body(event) for event in eventhub.of_device(found, other.id)] == [b"before", b"after"]


async def test_properties_count_towards_the_limit(hub, device):
    # Two bytes of name and three of value, and the three bytes of a system property's value.
    topic = device.topic + "%24.mid=abc&k1=v%20x"
    client = await Mqtt.connect(device)
    await client.send_acked(topic, b"x" * (LIMIT - 8))
    client.publish(topic, b"x" * (LIMIT - 7))
    await client.until_closed()
    assert len(client.acked) == 1
    assert len(eventhub.wait_for(hub, device.id, 1)) == 1
