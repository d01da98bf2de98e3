"""The bad-input table, WebSocket: upgrades that are none, frames that are wrong; and every split that is right."""

import asyncio
import struct

import pytest

from mqtt import packet, text
from raw_amqp import Amqp
from raw_bystander import bystander
from raw_device import Cbs, RawDevice
from raw_link import ACCEPTED
from raw_message import message
from raw_mqtt import MqttDevice
from raw_websocket import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, tls
from waiting import LIMIT

PROTOCOLS = pytest.mark.parametrize("protocol", ["mqtt", "AMQPWSB10"])

# What stands on the wire after the upgrade -> the codes a close may carry. A close without one is right too. 1000: the
# hub took the payload for what it carries, and that was none.
FRAMES = {
    "a text frame": (lambda ws: ws.frame(TEXT, b"hello"), {1003, 1002, 1007}),
    "an empty text frame": (lambda ws: ws.frame(TEXT, b""), {1003, 1002}),
    "a frame without a mask": (lambda ws: ws.frame(BINARY, b"\xc0\x00", masked=False), {1002}),
    "a reserved opcode": (lambda ws: ws.frame(3, b"x"), {1002}),
    "a reserved control opcode": (lambda ws: ws.frame(11, b"x"), {1002}),
    "a reserved bit": (lambda ws: bytes([0xC2]) + ws.frame(BINARY, b"x")[1:], {1002}),
    "a continuation of nothing": (lambda ws: ws.frame(0, b"x"), {1002}),
    "a new message within another": (lambda ws: ws.frame(BINARY, b"x", final=False) + ws.frame(BINARY, b"y"),
                                     {1000, 1002}),
    "a ping in two parts": (lambda ws: ws.frame(PING, b"x", final=False), {1002}),
    "a ping of 126 bytes": (lambda ws: ws.frame(PING, b"x" * 126), {1002}),
    "a close of one byte": (lambda ws: ws.frame(CLOSE, b"x"), {1002}),
    "a frame of four gigabytes": (lambda ws: bytes([0x82, 0xFF]) + struct.pack(">Q", 2**32) + b"mask" + b"x" * 100,
                                  {1000, 1002, 1009}),
    "a length with its highest bit": (lambda ws: bytes([0x82, 0xFF]) + struct.pack(">Q", 2**63) + b"mask",
                                      {1002, 1009}),
    "garbage": (lambda ws: b"\xff" * 64, {1002, 1009, 1007}),
}


@PROTOCOLS
@pytest.mark.parametrize("label", FRAMES)
async def test_a_wrong_frame_ends_its_own_connection_only(hub, label, protocol):
    make, codes = FRAMES[label]
    async with bystander(hub):
        socket = await WebSocket.open(hub, protocol)
        socket.writer.write(make(socket))
        try:
            while True:
                await asyncio.wait_for(socket.readexactly(1), LIMIT)
        except (asyncio.IncompleteReadError, OSError):
            pass
        assert socket.close_code is None or socket.close_code in codes, socket.close_code
        socket.close()


UPGRADE = {
    "Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt",
}
PATH = "/$iothub/websocket"
# (method, path, changed headers) -> status
UPGRADES = {
    "right": ("GET", PATH, {}, {101}),
    "the C SDK's spelling": ("GET", PATH, {"Sec-WebSocket-Protocol": "MQTT"}, {101}),
    "encoded dollar": ("GET", "/%24iothub/websocket", {}, {101}),
    "no client certificate": ("GET", PATH + "?iothub-no-client-cert=true", {}, {101}),
    "a list with the right one": ("GET", PATH, {"Sec-WebSocket-Protocol": "chat, mqtt"}, {101}),
    "an extension": ("GET", PATH, {"Sec-WebSocket-Extensions": "permessage-deflate"}, {101}),
    "an origin": ("GET", PATH, {"Origin": "https://elsewhere.example"}, {101}),
    "no subprotocol": ("GET", PATH, {"Sec-WebSocket-Protocol": None}, {400, 426}),
    "another subprotocol": ("GET", PATH, {"Sec-WebSocket-Protocol": "chat"}, {400, 426}),
    "no key": ("GET", PATH, {"Sec-WebSocket-Key": None}, {400}),
    "a key that is none": ("GET", PATH, {"Sec-WebSocket-Key": "short"}, {400}),
    "an old version": ("GET", PATH, {"Sec-WebSocket-Version": "8"}, {400, 426}),
    "no version": ("GET", PATH, {"Sec-WebSocket-Version": None}, {400, 426}),
    "no upgrade": ("GET", PATH, {"Upgrade": None, "Connection": None}, {400, 404, 405, 426}),
    "another upgrade": ("GET", PATH, {"Upgrade": "h2c"}, {400, 426}),
    "a POST": ("POST", PATH, {"Content-Length": "0"}, {400, 404, 405}),
    "another path": ("GET", "/$iothub/other", {}, {400, 401, 404}),
    "a path with dots": ("GET", "/$iothub/../$iothub/websocket", {}, {400, 401, 404}),
}


@pytest.mark.parametrize("label", UPGRADES)
async def test_an_upgrade_is_answered(hub, label):
    method, path, changes, expected = UPGRADES[label]
    headers = {name: value for name, value in (UPGRADE | changes).items() if value is not None}
    async with bystander(hub):
        reader, writer = await tls(hub, 443)
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT)).decode().lower()
        assert int(answer.split()[1]) in expected, answer
        if expected == {101}:
            chosen = "MQTT" if headers["Sec-WebSocket-Protocol"] == "MQTT" else "mqtt"
            assert f"sec-websocket-protocol: {chosen.lower()}\r\n" in answer
            assert "sec-websocket-extensions" not in answer, "declined by not answering it"
            # The key of this table and its answer (RFC 6455 4.2.2).
            assert "sec-websocket-accept: icx+yqv66kxgm0fcwalwlflwtai=\r\n" in answer, answer
        writer.close()


async def test_the_subprotocol_is_echoed_in_the_clients_own_spelling(hub):
    for protocol in ("mqtt", "MQTT", "Mqtt", "AMQPWSB10", "amqpwsb10"):
        socket = await WebSocket.open(hub, protocol)
        assert f": {protocol}\r\n" in socket.answer, socket.answer
        socket.close()


@pytest.mark.parametrize("size", [1, 3, 125, 126, 4096])
async def test_any_split_of_mqtt_over_frames_is_right(hub, device, size):
    socket = await WebSocket.open(hub, "mqtt")
    client = MqttDevice(socket, socket)
    connect = packet(0x10,
                     text("MQTT") + b"\x04\xc2\x00\x3c" + text(device.id) + text(device.user) + text(device.token()))
    data = connect + b"\xc0\x00" + packet(0x32, text(device.topic) + b"\x00\x05" + b"x" * 5000)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    _, acknowledged = client.register(5)
    for number, part in enumerate(parts):
        # Two frames each a message of their own, then one message in fragments, with a ping in between.
        if number % 3 < 2:
            socket.write(part)
        else:
            socket.writer.write(socket.frame(BINARY, part[:1], final=False) + socket.frame(PING, b"?")
                                + socket.frame(0, part[1:]))
    await asyncio.wait_for(acknowledged, LIMIT)
    # One pong may answer several pings (RFC 6455 5.5.3).
    assert bool(len(parts) // 3) <= socket.pongs <= len(parts) // 3
    await client.disconnect()


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_any_split_of_amqp_over_frames_is_right(hub, device, size):
    connection = await Amqp.dial(hub, websocket=True)
    whole = connection.writer.write
    connection.send = lambda data: [whole(data[at : at + size]) for at in range(0, len(data), size)]
    await connection.authenticate("ANONYMOUS")
    await connection.open()
    raw = RawDevice(await connection.begin(), device.id)
    assert await (await Cbs.open(raw.session)).put(f"localhost/devices/{device.id}", device.token()) == 200
    assert (await (await raw.telemetry()).send(message(b"x" * 3000))).descriptor == ACCEPTED
    await connection.close()


@PROTOCOLS
async def test_a_close_is_answered_with_its_code(hub, protocol):
    socket = await WebSocket.open(hub, protocol)
    for opcode, data in ((PONG, b"nobody asked"), (PING, b""), (CLOSE, struct.pack(">H", 1000))):
        socket.writer.write(socket.frame(opcode, data))
    with pytest.raises(asyncio.IncompleteReadError):
        await asyncio.wait_for(socket.readexactly(1), LIMIT)
    assert socket.close_code == 1000
    assert await asyncio.wait_for(socket.reader.read(), LIMIT) == b"", "the hub closes the connection"
    socket.close()
