"""A small MQTT 3.1.1 client that shows what the real SDKs hide: each PUBACK, each close, each return code."""

import asyncio
import ssl
import struct

from waiting import LIMIT

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13


def text(value):
    encoded = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(encoded)) + encoded


def packet(first_byte, body):
    """A packet with its remaining length in front."""
    length, out = len(body), bytearray([first_byte])
    while True:
        length, digit = length >> 7, length & 0x7F
        out.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(out) + body


class Mqtt:
    """One connection. `acked` holds the packet ids in the order of their PUBACKs; `closed` is set at the end."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.acked = []
        self.waiting = {}
        self.closed = asyncio.Event()
        self.code = None
        self.connack = asyncio.get_running_loop().create_future()
        self.pongs = 0
        self.next_id = 0
        self.on_ack = lambda packet_id: None
        self.on_publish = lambda topic, payload, qos, packet_id: None
        self.task = asyncio.create_task(self.read())

    @classmethod
    async def open(cls, hub):
        """A TLS connection to 8883, nothing sent yet."""
        context = ssl.create_default_context(cafile=hub.ca)
        return cls(*await asyncio.wait_for(asyncio.open_connection("localhost", 8883, ssl=context), LIMIT))

    @classmethod
    async def connect(cls, device, password=None, expect=0, client_id=None, user=None, will=None, **options):
        """Opens and sends CONNECT; fails unless the return code is `expect`."""
        client = await cls.open(device.hub)
        password = device.token() if password is None else password
        client.send_connect(client_id or device.id, user or device.user, password, will, **options)
        code = await client.return_code()
        assert code == expect, f"CONNACK {code}, expected {expect}"
        return client

    def send_connect(self, client_id, user, password, will=None, clean=True, keep_alive=60, level=4):
        flags = 0x80 | 0x40 | (2 if clean else 0)
        body = text(client_id)
        if will:
            flags |= 0x04 | (will.get("qos", 1) << 3)
            body += text(will["topic"]) + text(will["payload"])
        body += text(user) + text(password)
        self.send(packet(0x10, text("MQTT") + bytes([level, flags]) + struct.pack(">H", keep_alive) + body))

    def send(self, data):
        self.writer.write(data)

    async def return_code(self):
        """CONNACK's return code; None if the connection was closed without one."""
        return await asyncio.wait_for(asyncio.shield(self.connack), LIMIT)

    async def read(self):
        try:
            while True:
                first, body = await self.read_packet()
                self.handle(first, body)
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        finally:
            if not self.connack.done():
                self.connack.set_result(None)
            self.closed.set()
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("closed before the PUBACK"))
                    future.exception()
            self.writer.close()

    async def read_packet(self):
        first = (await self.reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            digit = (await self.reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, await self.reader.readexactly(length)

    def handle(self, first, body):
        kind = first >> 4
        if kind == CONNACK:
            self.code = body[1]
            self.connack.set_result(body[1])
        elif kind == PUBACK:
            packet_id = struct.unpack(">H", body)[0]
            self.acked.append(packet_id)
            future = self.waiting.pop(packet_id, None)
            if future and not future.done():
                future.set_result(None)
            self.on_ack(packet_id)
        elif kind == PUBLISH:
            self.handle_publish(first >> 1 & 3, body)
        elif kind == SUBACK:
            self.waiting.pop(struct.unpack(">H", body[:2])[0]).set_result(list(body[2:]))
        elif kind == PINGRESP:
            self.pongs += 1

    def handle_publish(self, qos, body):
        """Acknowledges after `on_publish` has seen the message."""
        length = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        packet_id = struct.unpack(">H", rest[:2])[0] if qos else None
        self.on_publish(topic, rest[2:] if qos else rest, qos, packet_id)
        if qos:
            self.send(packet(0x40, struct.pack(">H", packet_id)))

    async def subscribe(self, *filters, qos=1):
        """The return code of each filter."""
        packet_id, future = self.register()
        self.send(packet(0x82, struct.pack(">H", packet_id) + b"".join(text(one) + bytes([qos]) for one in filters)))
        return await asyncio.wait_for(future, LIMIT)

    def register(self, packet_id=None):
        """A packet id and the future that its acknowledgement resolves."""
        if packet_id is None:
            self.next_id = self.next_id % 0xFFFF + 1
            packet_id = self.next_id
        self.waiting[packet_id] = asyncio.get_running_loop().create_future()
        return packet_id, self.waiting[packet_id]

    def publish(self, topic, payload, qos=1, packet_id=None, dup=False, retain=False):
        """Sends a PUBLISH. At QoS 1 returns a future that the PUBACK resolves and a close fails."""
        if isinstance(payload, str):
            payload = payload.encode()
        header = 0x30 | (qos << 1) | (8 if dup else 0) | (1 if retain else 0)
        if qos == 0:
            self.send(packet(header, text(topic) + payload))
            return None
        packet_id, future = self.register(packet_id)
        self.send(packet(header, text(topic) + struct.pack(">H", packet_id) + payload))
        return future

    async def send_acked(self, topic, payload, **options):
        """A QoS 1 PUBLISH and its PUBACK."""
        await asyncio.wait_for(self.publish(topic, payload, **options), LIMIT)

    async def ping(self):
        """PINGREQ and PINGRESP: the connection is alive."""
        before = self.pongs
        self.send(packet(0xC0, b""))
        async with asyncio.timeout(LIMIT):
            while self.pongs == before:
                assert not self.closed.is_set(), "closed instead of answering a ping"
                await asyncio.sleep(0.005)

    async def until_closed(self, limit=LIMIT):
        await asyncio.wait_for(self.closed.wait(), limit)

    async def disconnect(self):
        """DISCONNECT, then waits for the server to close."""
        if not self.closed.is_set():
            self.send(packet(0xE0, b""))
        await self.until_closed()
