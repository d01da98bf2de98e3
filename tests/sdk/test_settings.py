"""Settings that change what clients see. Each test has a hub of its own, so none here shares one."""

import asyncio
import struct
import time

from azure.eventhub.exceptions import ConnectionLostError

import eventhub
from eventhub import Receiver, receiving
from hub import admin
from mqtt import Mqtt
from waiting import LIMIT


def test_consumer_groups_have_receivers_of_their_own(new_hub):
    hub = new_hub("--hub-partitions", "1", "--events-consumer-groups", "analytics,archive").start()
    eventhub.send(hub.device("grouped"), 3)
    receivers = []
    try:
        # Each is the only owner of the partition, in its own group.
        for group in ("$Default", "analytics", "archive"):
            receivers.append(Receiver(hub, "0", {"group": group}, owner_level=1))
            receivers[-1].got(3)
        assert not any(receiver.errors for receiver in receivers)
        # Names are compared without case.
        with receiving(hub, "0", {"group": "$default"}, owner_level=2) as receiver:
            receiver.got(3)
            assert isinstance(receivers[0].failed(), ConnectionLostError)
    finally:
        for receiver in receivers:
            receiver.close()


async def test_a_connection_does_not_outlive_its_token(new_hub):
    hub = new_hub("--mqtt-sas-grace-seconds", "0").start()
    device = hub.device("expiring")
    expiry = int(time.time()) + 4
    client = await Mqtt.connect(device, password=device.token(expiry=expiry))
    await client.send_acked(device.topic, "in time")
    await client.until_closed()
    assert time.time() >= expiry - 1


async def test_clients_that_do_not_speak_tls_or_nothing_at_all_are_dropped(new_hub):
    hub = new_hub("--limits-handshake-seconds", "2").start()
    device = hub.device("patient")
    bystander = await Mqtt.connect(device)

    async def rude(port, first):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        # The server's alert or answer, then the end.
        await asyncio.wait_for(reader.read(), LIMIT)
        writer.close()

    beginnings = (b"", b"\x10\x00", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01" + struct.pack(">H", 512))
    await asyncio.gather(*(rude(port, first) for port in (8883, 5671, 443) for first in beginnings))
    # After TLS too: a client that does not say who it is.
    await (await Mqtt.open(hub)).until_closed()
    await bystander.send_acked(device.topic, "still here")
    await bystander.disconnect()
    assert admin("/health/live")[0] == 200
