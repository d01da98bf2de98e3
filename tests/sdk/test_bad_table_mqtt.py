"""The bad-input table, MQTT: subscriptions, twin and method topics, acknowledgements that nobody waits for."""

import asyncio

import pytest

from mqtt import packet, text
from raw_bystander import bystander
from raw_mqtt import MqttDevice
from raw_service import Service, invoke

CLOSED, STAYS = "closed", "stays"


def publish(topic, payload=b"{}", qos=0):
    """A PUBLISH of the device that is named later."""
    return lambda d: packet(0x30 | qos << 1, text(topic.replace("{d}", d)) + (b"\x00\x09" if qos else b"") + payload)


# what the client sends -> what becomes of its connection (2.3, 2.8, 2.11, 2.12)
PACKETS = {
    "a desired patch by the device": (publish("$iothub/twin/PATCH/properties/desired/?$rid=1"), CLOSED),
    "a tags patch by the device": (publish("$iothub/twin/PATCH/tags/?$rid=1"), CLOSED),
    "an unknown twin operation": (publish("$iothub/twin/DELETE/?$rid=1"), CLOSED),
    "a twin response by the device": (publish("$iothub/twin/res/200/?$rid=1"), CLOSED),
    "a method call by the device": (publish("$iothub/methods/POST/reboot/?$rid=1"), CLOSED),
    "the hub's own name space": (publish("$iothub/"), CLOSED),
    "another device's commands": (publish("devices/other/messages/devicebound/"), CLOSED),
    "another device's module": (publish("devices/other/modules/m/messages/events/"), CLOSED),
    "its own module without the module's key": (publish("devices/{d}/modules/m/messages/events/"), CLOSED),
    "a method answer that nobody waits for": (publish("$iothub/methods/res/200/?$rid=1"), STAYS),
    "the same at QoS 1": (publish("$iothub/methods/res/200/?$rid=77", qos=1), STAYS),
    "a method answer with an unknown id": (publish("$iothub/methods/res/200/?$rid=zzz-ü"), STAYS),
    "a status that is no number": (publish("$iothub/methods/res/abc/?$rid=1"), STAYS),
    "a status of a hundred digits": (publish("$iothub/methods/res/" + "9" * 100 + "/?$rid=1"), STAYS),
    "PUBACK of nothing": (packet(0x40, b"\x12\x34"), STAYS),
    "PUBACK of packet 0": (packet(0x40, b"\x00\x00"), "either"),
    "PUBREL of nothing": (packet(0x62, b"\x00\x01"), "either"),
    "a short PUBACK": (packet(0x40, b"\x01"), CLOSED),
    "SUBSCRIBE with QoS 3": (packet(0x82, b"\x00\x01" + text("$iothub/twin/res/#") + b"\x03"), CLOSED),
    "SUBSCRIBE without its QoS": (packet(0x82, b"\x00\x01" + text("$iothub/twin/res/#")), CLOSED),
    "SUBSCRIBE with packet id 0": (packet(0x82, b"\x00\x00" + text("$iothub/twin/res/#") + b"\x00"), CLOSED),
    "SUBSCRIBE with an empty filter": (packet(0x82, b"\x00\x01" + text("") + b"\x00"), CLOSED),
    "SUBSCRIBE with a NUL": (packet(0x82, b"\x00\x01" + text("a\0b") + b"\x00"), CLOSED),
    "UNSUBSCRIBE of nothing": (packet(0xA2, b"\x00\x01"), CLOSED),
    "a message of 300 KB": (publish("devices/{d}/messages/events/", b"x" * 300_000), CLOSED),
    "a text that is not UTF-8 as a topic": (packet(0x30, b"\x00\x02\xc3\x28"), CLOSED),
}


@pytest.mark.parametrize("websocket", [False, True], ids=["mqtt", "mqtt-ws"])
@pytest.mark.parametrize("label", PACKETS)
async def test_a_bad_packet_costs_at_most_its_own_connection(hub, device, label, websocket):
    data, becomes = PACKETS[label]
    data = data(device.id) if callable(data) else data
    async with bystander(hub):
        client = await MqttDevice.enter(device, websocket=websocket)
        client.send(data)
        if becomes == CLOSED:
            await client.until_closed()
        elif becomes == STAYS:
            await client.ping()
            await client.send_acked(device.topic, "still here")
            await client.disconnect()
        else:
            client.send(packet(0xE0, b""))
            await client.until_closed()


async def test_filters_that_a_device_may_not_have_are_refused_one_by_one(hub, device):
    own = f"devices/{device.id}/messages/devicebound/#"
    refused = [
        "#", "+/#", "devices/#", "devices/+/messages/#", "devices/other/messages/devicebound/#", "$SYS/#",
        f"devices/{device.id}/#", f"devices/{device.id}/messages/events/#",
        f"devices/{device.id}x/messages/devicebound/#",
        f"devices/{device.id}/modules/m/#", "devices/other/modules/m/inputs/#", "$iothub/#", "$iothub/twin/#",
        "$iothub/twin/GET/#", "$iothub/twin/PATCH/properties/reported/#", "$iothub/methods/res/#",
        "$share/group/devices/+/messages/devicebound/#",
    ]
    async with bystander(hub):
        client = await MqttDevice.enter(device)
        for one in refused:
            assert await client.subscribe(one) == [0x80], one
        assert await client.subscribe(refused[0], own, refused[1], qos=2) == [0x80, 1, 0x80], "the others are honoured"
        assert await client.subscribe("devices/+/messages/devicebound/#", qos=0) == [0], "embedded C's own"
        await client.unsubscribe("never/subscribed", own)
        # A client that collects filters does not collect without limit.
        codes = [(await client.subscribe(f"$iothub/methods/POST/name{number}/#"))[0] for number in range(64)]
        assert codes[0] in (0, 1) and codes[-1] == 0x80, codes
        await client.ping()
        await client.disconnect()


async def test_method_answers_that_are_wrong_are_told_to_the_caller(hub, device):
    """(status in the topic, body) -> what the service's call gets."""
    async with bystander(hub):
        client = await MqttDevice.enter(device)
        assert await client.subscribe("$iothub/methods/POST/#") in ([0], [1])
        for status, body, expected in [
            ("200", b"not json", (200, 502)), ("200", b'{"a":', (200, 502)), ("-3", b"{}", (200,)), ("0", b"", (200,)),
            ("200", b"x" * 131_073, (413, 502, 400)), ("200", b"\xff\xfe", (200, 502)),
        ]:
            call = asyncio.ensure_future(invoke(hub, device.id, "reboot", response=5))
            topic, _, _, _ = await client.message("$iothub/methods/POST/reboot/?$rid=")
            client.publish(f"$iothub/methods/res/{status}/{topic[topic.index('?') :]}", body, qos=0)
            answer = await call
            assert answer.status in expected, (status, body[:20], answer)
        # Twice answered: the first counts; the second is nobody's.
        call = asyncio.ensure_future(invoke(hub, device.id, "reboot"))
        topic, _, _, _ = await client.message("$iothub/methods/POST/reboot/?$rid=")
        for status in (1, 2):
            client.publish(f"$iothub/methods/res/{status}/{topic[topic.index('?') :]}", b"null", qos=0)
        assert (await call).json == {"status": 1, "payload": None}
        # An answer that is none leaves the call without one.
        call = asyncio.ensure_future(invoke(hub, device.id, "reboot", response=5))
        topic, _, _, _ = await client.message("$iothub/methods/POST/reboot/?$rid=")
        client.publish(f"$iothub/methods/res/abc/{topic[topic.index('?') :]}", b"{}", qos=0)
        assert (await call).status == 504
        await client.disconnect()


async def test_method_answers_of_another_device_are_nobodys(hub, device):
    other = hub.device(device.id + "-x")
    async with bystander(hub):
        client, stranger = await MqttDevice.enter(device), await MqttDevice.enter(other)
        await client.subscribe("$iothub/methods/POST/#")
        call = asyncio.ensure_future(invoke(hub, device.id, "reboot"))
        topic, _, _, _ = await client.message("$iothub/methods/POST/reboot/?$rid=")
        await stranger.send_acked(f"$iothub/methods/res/666/{topic[topic.index('?') :]}", b"null")
        await client.send_acked(f"$iothub/methods/res/200/{topic[topic.index('?') :]}", b"null")
        assert (await call).json["status"] == 200
        await client.disconnect()
        await stranger.disconnect()


async def test_twin_requests_without_an_id_do_no_harm(hub, device):
    async with bystander(hub):
        for topic in ("$iothub/twin/GET/", "$iothub/twin/GET/?$rid=", "$iothub/twin/GET", "$iothub/twin/GET/?x=1",
                      "$iothub/twin/PATCH/properties/reported/", "$iothub/twin/PATCH/properties/reported/?$version=1",
                      "$iothub/twin/GET/?$rid=" + "r" * 60_000):
            client = await MqttDevice.enter(device)
            await client.subscribe("$iothub/twin/res/#")
            client.publish(topic, b"{}", qos=0)
            # Answered, ignored or closed: the reference is silent. It must be over, and the next one must work.
            client.send(packet(0xE0, b""))
            await client.until_closed()
        client = await MqttDevice.enter(device)
        await client.subscribe("$iothub/twin/res/#")
        assert (await client.get())["reported"] == {"$version": 1}
        await client.disconnect()


async def test_acknowledging_twice_or_something_else_completes_nothing_more(hub, device):
    service = await Service.connect(hub)
    async with bystander(hub):
        client = await MqttDevice.enter(device, clean=False)
        await client.subscribe(f"devices/{device.id}/messages/devicebound/#")
        for body in (b"one", b"two"):
            await service.send(device.id, body)
        first, second = await client.message(), await client.message()
        assert (first[1], second[1]) == (b"one", b"two")
        for _ in range(3):
            client.puback(first[3])
        client.puback(0x7ABC)
        await client.ping()
        await client.disconnect()
        client = await MqttDevice.enter(device, clean=False)
        await client.subscribe(f"devices/{device.id}/messages/devicebound/#")
        again = await client.message()
        assert again[1] == b"two", "what was not acknowledged comes again"
        client.puback(again[3])
        await client.ping()
        await client.disconnect()
    await service.close()
