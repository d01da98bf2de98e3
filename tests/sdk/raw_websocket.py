"""A WebSocket without a library: frames are written and read as they are, also those that a library would not make."""

import asyncio
import base64
import os
import ssl
import struct

from waiting import LIMIT

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


async def tls(hub, port, certificate=None):
    """A TLS connection to one of the hub's ports; `certificate` is (certificate file, key file)."""
    context = ssl.create_default_context(cafile=hub.ca)
    if certificate:
        context.load_cert_chain(*certificate)
    return await asyncio.wait_for(asyncio.open_connection("localhost", port, ssl=context), LIMIT)


class WebSocket:
    """An upgraded connection that looks like a stream: `readexactly`, `write`, `close`."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.buffer = b""
        self.pongs = 0
        self.close_code = None

    @classmethod
    async def open(cls, hub, protocol, path="/$iothub/websocket", status=101, headers=(), certificate=None):
        """Upgrades; fails unless the answer has this status."""
        reader, writer = await tls(hub, 443, certificate)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers]
        if protocol:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT)).decode()
        assert answer.startswith(f"HTTP/1.1 {status} "), answer
        made = cls(reader, writer)
        made.answer = answer
        return made

    def frame(self, opcode, data, final=True, masked=True):
        first = (0x80 if final else 0) | opcode
        mask_bit = 0x80 if masked else 0
        if len(data) < 126:
            head = struct.pack(">BB", first, mask_bit | len(data))
        elif len(data) < 65536:
            head = struct.pack(">BBH", first, mask_bit | 126, len(data))
        else:
            head = struct.pack(">BBQ", first, mask_bit | 127, len(data))
        if not masked:
            return head + data
        mask = os.urandom(4)
        return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))

    def write(self, data):
        self.writer.write(self.frame(BINARY, data))

    async def drain(self):
        await self.writer.drain()

    async def readexactly(self, count):
        while len(self.buffer) < count:
            self.buffer += await self.read_frame()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    async def read_frame(self):
        """The payload of the next data frame; control frames are dealt with."""
        first, length = await self.reader.readexactly(2)
        assert not length & 0x80, "a server must not mask"
        if length == 126:
            length = struct.unpack(">H", await self.reader.readexactly(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", await self.reader.readexactly(8))[0]
        data = await self.reader.readexactly(length)
        opcode = first & 15
        if opcode == CLOSE:
            self.close_code = struct.unpack(">H", data[:2])[0] if data else None
            raise asyncio.IncompleteReadError(b"", None)
        if opcode == PING:
            self.writer.write(self.frame(PONG, data))
        elif opcode == PONG:
            self.pongs += 1
        else:
            assert opcode in (0, BINARY), f"opcode {opcode} from the hub"
            return data
        return b""

    def can_write_eof(self):
        return False

    def close(self):
        self.writer.close()
