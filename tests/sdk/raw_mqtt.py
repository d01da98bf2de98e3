"""The small MQTT client with what a device receives: SUBACK, C2D, twin answers, method calls; also over WebSocket."""

import asyncio
import json
import struct

from mqtt import Mqtt, packet, text
from raw_websocket import WebSocket, tls
from waiting import LIMIT

UNSUBACK = 11


class MqttDevice(Mqtt):
    """Messages of the hub are in `messages` as (topic, payload, QoS, packet id); nothing is acknowledged by itself."""

    def __init__(self, reader, writer):
        super().__init__(reader, writer)
        self.messages = asyncio.Queue()

    @classmethod
    async def enter(cls, device, websocket=False, **options):
        """A connected client of the device."""
        if websocket:
            stream = await WebSocket.open(device.hub, "mqtt")
            client = cls(stream, stream)
        else:
            client = cls(*await tls(device.hub, 8883))
        client.device = device
        client.send_connect(device.id, device.user, device.token(), **options)
        code = await client.return_code()
        assert code == 0, f"CONNACK {code}"
        return client

    def handle(self, first, body):
        if first >> 4 == UNSUBACK:
            self.waiting.pop(struct.unpack(">H", body[:2])[0]).set_result(None)
        else:
            super().handle(first, body)

    def handle_publish(self, qos, body):
        length = struct.unpack_from(">H", body)[0]
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        number = struct.unpack_from(">H", rest)[0] if qos else None
        self.messages.put_nowait((topic, rest[2:] if qos else rest, qos, number))

    async def unsubscribe(self, *filters):
        packet_id, future = self.register()
        self.send(packet(0xA2, struct.pack(">H", packet_id) + b"".join(map(text, filters))))
        await asyncio.wait_for(future, LIMIT)

    def puback(self, number):
        self.send(packet(0x40, struct.pack(">H", number)))

    async def next(self, what):
        """The next message; fails at once when the connection ends instead."""
        got, end = asyncio.ensure_future(self.messages.get()), asyncio.ensure_future(self.closed.wait())
        await asyncio.wait([got, end], timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        if got.done():
            return got.result()
        got.cancel()
        raise AssertionError(f"{'the connection is closed' if self.closed.is_set() else 'nothing comes'}: no {what}")

    async def message(self, prefix=""):
        """The next message under this topic; others are passed over."""
        while True:
            got = await self.next(f"message under {prefix!r}")
            if got[0].startswith(prefix):
                return got

    async def twin(self, topic, payload, rid="1a"):
        """(status, rest of the topic, body) of a twin request; the response's topic must have the exact form."""
        self.publish(topic, payload, qos=0)
        answer, body, _, _ = await self.message("$iothub/twin/res/")
        status, _, rest = answer[len("$iothub/twin/res/") :].partition("/")
        assert len(status) == 3 and rest.startswith(f"?$rid={rid}"), answer
        return int(status), rest[len(f"?$rid={rid}") :], body

    async def patch(self, body, query=""):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.twin(f"$iothub/twin/PATCH/properties/reported/?$rid=1a{query}", body)

    async def get(self):
        status, _, body = await self.twin("$iothub/twin/GET/?$rid=1a", b"")
        assert status == 200, (status, body)
        return json.loads(body)
