"""An AMQP 1.0 client that shows what libraries hide, and sends what they would not: connection and frames."""

import asyncio
import itertools
import ssl
import struct

from raw_codec import Described, Symbol, UByte, UInt, UShort, decode, frame, performative
from raw_link import Link
from raw_websocket import WebSocket, tls
from waiting import LIMIT

AMQP, SASL = b"AMQP\0\1\0\0", b"AMQP\3\1\0\0"
OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
WINDOW = UInt(100_000)
# Readers of fixed indexes want every field there, in a list that is never empty (service-protocols.md 3.1, E1 to E4).
FIELDS = {OPEN: 10, BEGIN: 8, ATTACH: 14, FLOW: 11, TRANSFER: 11, DISPOSITION: 6, DETACH: 3, END: 1, CLOSE: 1}


def error_of(value):
    """(condition, description) of an error, or None."""
    if value is None:
        return None
    assert value.descriptor == 0x1D, value
    return (value.value + [None, None])[0], (value.value + [None, None])[1]


class Amqp:
    """One connection. `closed` is set at its end; `error` then holds the condition of the hub's close, if any."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.sessions = {}
        self.replies = asyncio.Queue()
        self.opened = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()
        self.error = None
        self.max_frame_size = 512
        self.largest = 0
        self.empty_frames = 0
        self.offered = None
        self.task = None

    @classmethod
    async def dial(cls, hub, websocket=False, certificate=None):
        """The transport alone, nothing sent yet. `websocket` may be the path."""
        if websocket:
            path = websocket if isinstance(websocket, str) else "/$iothub/websocket"
            socket = await WebSocket.open(hub, "AMQPWSB10", path, certificate=certificate)
            return cls(socket, socket)
        return cls(*await tls(hub, 5671, certificate))

    @classmethod
    async def connect(cls, hub, sasl="ANONYMOUS", response=b"", websocket=False, certificate=None, **options):
        """A connection that is open. `sasl` None leaves the SASL layer out."""
        made = await cls.dial(hub, websocket, certificate)
        if sasl:
            outcome = await made.authenticate(sasl, response)
            assert outcome == 0, f"SASL outcome {outcome}"
        await made.open(**options)
        return made

    async def within(self, awaitable, what):
        try:
            return await asyncio.wait_for(awaitable, LIMIT)
        except TimeoutError:
            raise AssertionError(f"not within {LIMIT:.0f} s: {what}") from None

    def send(self, data):
        self.writer.write(data)

    def send_frame(self, channel, body):
        self.send(frame(channel, body))

    def perform(self, channel, code, *fields):
        self.send_frame(channel, performative(code, *fields))

    async def read_frame(self):
        """(channel, kind, performative, payload); the performative of an empty frame is None."""
        size, offset, kind, channel = struct.unpack(">IBBH", await self.reader.readexactly(8))
        body = await self.reader.readexactly(size - 8)
        self.largest = max(self.largest, size)
        assert offset >= 2
        body = body[offset * 4 - 8 :]
        if not body:
            return channel, kind, None, b""
        value, at = decode(body)
        if kind == 0:
            assert body[:2] == b"\x00\x53" and body[3] in (0xC0, 0xD0), body[:4].hex()
            assert len(value.value) == FIELDS[value.descriptor], value
        return channel, kind, value, body[at:]

    async def authenticate(self, mechanism, response=b""):
        """SASL; returns the outcome code, None if the hub closed instead."""
        self.send(SASL)
        try:
            header = await self.within(self.reader.readexactly(8), "a SASL header")
            assert header == SASL, header
            _, kind, mechanisms, _ = await self.within(self.read_frame(), "SASL mechanisms")
            assert (kind, mechanisms.descriptor) == (1, 0x40)
            self.offered = mechanisms.value[0]
            self.send(frame(0, performative(0x41, Symbol(mechanism), response, "localhost"), kind=1))
            _, kind, outcome, _ = await self.within(self.read_frame(), "a SASL outcome")
            assert (kind, outcome.descriptor) == (1, 0x44)
            return outcome.value[0]
        except asyncio.IncompleteReadError:
            return None

    async def open(self, max_frame_size=None, idle=None, hostname="localhost", channel_max=65535):
        """Headers and `open` in both directions; returns what the hub's says."""
        self.send(AMQP)
        header = await self.within(self.reader.readexactly(8), "an AMQP header")
        assert header == AMQP, header
        self.start()
        limit = None if max_frame_size is None else UInt(max_frame_size)
        self.perform(0, OPEN, "raw-" + hex(id(self)), hostname, limit, UShort(channel_max),
                     None if idle is None else UInt(idle))
        return await self.within(asyncio.shield(self.opened), "an open")

    def start(self):
        self.task = asyncio.create_task(self.read())

    async def read(self):
        try:
            while True:
                channel, _, value, payload = await self.read_frame()
                if value is None:
                    self.empty_frames += 1
                else:
                    self.handle(channel, value, payload)
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        finally:
            self.closed.set()
            for future in [self.opened, *(session.begun for session in self.sessions.values())]:
                if not future.done():
                    future.set_exception(ConnectionError(f"closed: {self.error}"))
                    future.exception()
            for session in self.sessions.values():
                session.fail(ConnectionError(f"closed: {self.error}"))
            self.writer.close()

    def handle(self, channel, value, payload):
        code, fields = value.descriptor, value.value + [None] * 16
        if code == OPEN:
            self.max_frame_size = fields[2] or 0xFFFFFFFF
            self.opened.set_result(fields)
        elif code == CLOSE:
            self.error = error_of(fields[0])
            self.perform(0, CLOSE)
        elif code == BEGIN:
            session = self.sessions[fields[0]]
            session.remote = channel
            session.begun.set_result(fields)
        else:
            session = next(one for one in self.sessions.values() if one.remote == channel)
            session.handle(code, fields, payload)

    async def begin(self):
        """A new session."""
        channel = len(self.sessions)
        session = self.sessions[channel] = Session(self, channel)
        self.perform(channel, BEGIN, None, UInt(0), WINDOW, WINDOW, UInt(1023))
        await self.within(asyncio.shield(session.begun), "a begin")
        return session

    async def until_closed(self):
        await self.within(self.closed.wait(), "the hub closes the connection")
        return self.error

    async def close(self):
        if not self.closed.is_set():
            self.perform(0, CLOSE)
            await self.until_closed()

    def abort(self):
        """Lets go of the transport without a word."""
        transport = getattr(self.writer, "writer", self.writer).transport
        transport.abort()


class Session:
    """One session and its links."""

    def __init__(self, connection, channel):
        self.connection = connection
        self.channel = channel
        self.remote = None
        self.begun = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.links = []
        self.handles = itertools.count()
        self.next_delivery = 0
        self.received = 0
        self.unsettled = {}
        self.dispositions = []

    def perform(self, code, *fields):
        self.connection.perform(self.channel, code, *fields)

    def fail(self, error):
        for future in [self.ended, *self.unsettled.values(), *(link.attached for link in self.links),
                       *(link.detached for link in self.links)]:
            if not future.done():
                future.set_exception(error)
                future.exception()

    def handle(self, code, fields, payload):
        if code == ATTACH:
            link = next(one for one in self.links if one.name == fields[0] and one.receives == (fields[2] is False))
            link.on_attach(fields)
        elif code == FLOW and fields[4] is not None:
            next(one for one in self.links if one.remote == fields[4]).on_flow(fields)
        elif code == TRANSFER:
            self.received += 1
            next(one for one in self.links if one.remote == fields[0]).on_transfer(fields, payload)
        elif code == DISPOSITION:
            self.on_disposition(fields)
        elif code == DETACH:
            next(one for one in self.links if one.remote == fields[0]).on_detach(fields[1], error_of(fields[2]))
        elif code == END:
            self.ended.set_result(error_of(fields[0]))

    def on_disposition(self, fields):
        from_hub_as_receiver, first, last, settled, state = fields[:5]
        for number in range(first, (first if last is None else last) + 1):
            if from_hub_as_receiver:
                future = self.unsettled.pop(number, None)
                if future and not future.done():
                    future.set_result(state)
            else:
                self.dispositions.append((number, settled, state))

    async def attach(self, name, receives, address, filler=None, snd=None, rcv=None, properties=None, largest=None,
                     refused=False, credit=100, filters=None, wants=None):
        """A link to (or from) this address. Fails if the hub refuses it, unless that is what is asked for.

        `filters` are the source's; `wants` is a capability to ask for."""
        link = Link(self, name, receives)
        self.links.append(link)
        source, target = (address, filler) if receives else (filler, address)
        self.perform(
            ATTACH, name, link.handle, receives, None if snd is None else UByte(snd),
            None if rcv is None else UByte(rcv),
            Described(0x28, [source, None, None, None, None, None, None, filters] if filters else [source]),
            Described(0x29, [target]), None, None,
            None if receives else UInt(0), largest, None, None if wants is None else Symbol(wants),
            None if properties is None else {Symbol(key): value for key, value in properties.items()})
        await self.connection.within(asyncio.shield(link.attached), f"an attach of {address}")
        if refused:
            return await self.connection.within(asyncio.shield(link.detached), f"a detach of {address}")
        assert link.accepted, f"{address} is refused: {await asyncio.shield(link.detached)}"
        # What was detached meanwhile has no handle any more.
        if receives and credit and not link.detached.done():
            link.flow(credit)
        return link

    async def sender(self, address, name=None, **options):
        return await self.attach(name or f"to {address}", False, address, **options)

    async def receiver(self, address, name=None, **options):
        return await self.attach(name or f"from {address}", True, address, **options)
