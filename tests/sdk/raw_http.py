"""HTTP/1.1 byte by byte over TLS: also requests that no library would send."""

import asyncio
import json
import urllib.parse

from raw_websocket import tls
from waiting import LIMIT

API = "api-version=2021-04-12"


class Answer:
    """A response that was read to its end."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]}"


class Http:
    """A connection that stays open over several requests."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, hub):
        return cls(*await tls(hub, 443))

    def send(self, data):
        self.writer.write(data)

    def head(self, method, target, **headers):
        """Sends a request line and headers; `_` in a name stands for `-`."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def answer(self):
        """The response; None if the connection is closed without one."""
        return await asyncio.wait_for(self.read_answer(), LIMIT)

    async def read_answer(self):
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except (asyncio.IncompleteReadError, OSError):
            return None
        status = int(head[0].split()[1])
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        if status == 100:
            return await self.read_answer()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)

    def close(self):
        self.writer.close()


async def call(hub, method, target, body=b"", authorization=None, **headers):
    """One request on a connection of its own."""
    http = await Http.open(hub)
    if authorization:
        headers["Authorization"] = authorization
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    http.head(method, target, Content_Length=len(body), **headers)
    http.send(body)
    try:
        return await http.answer()
    finally:
        http.close()


def target(device, rest, query=API):
    """`/devices/{d}/…` with the api-version."""
    return f"/devices/{urllib.parse.quote(device.id, safe='')}/{rest}?{query}"


async def by_device(device, method, rest, body=b"", query=API, **headers):
    """A request of the device with its own token."""
    return await call(device.hub, method, target(device, rest, query), body, device.token(), **headers)
