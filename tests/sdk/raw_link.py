"""A link of the AMQP client: credit, transfers, settlement and detaching."""

import asyncio
import itertools
import uuid

from raw_codec import Described, UInt, performative
from raw_message import Message

FLOW, TRANSFER, DISPOSITION, DETACH = 0x13, 0x14, 0x15, 0x16
ACCEPTED, REJECTED, RELEASED, MODIFIED = 0x24, 0x25, 0x26, 0x27
numbers = itertools.count(1)


def outcome(code, *fields):
    return Described(code, list(fields))


class Delivery:
    """A message from the hub with what is needed to settle it."""

    def __init__(self, number, tag, data, settled, message_format):
        self.number = number
        self.tag = tag
        self.settled = settled
        self.format = message_format
        self.message = Message(data)

    @property
    def lock(self):
        """The lock token that the tag is, as text."""
        return str(uuid.UUID(bytes=self.tag))


class Link:
    """One end of a link; `detached` becomes (closed, error) when the hub detaches."""

    def __init__(self, session, name, receives):
        loop = asyncio.get_running_loop()
        self.session = session
        self.name = name
        self.receives = receives
        self.handle = UInt(next(session.handles))
        self.remote = None
        self.attached = loop.create_future()
        self.detached = loop.create_future()
        self.accepted = False
        self.leaving = False
        self.credit = 0
        self.count = 0
        self.deliveries = asyncio.Queue()
        self.parts = b""
        self.first = None
        self.changed = asyncio.Event()
        self.drained = False

    @property
    def connection(self):
        return self.session.connection

    def on_attach(self, fields):
        self.remote = fields[1]
        self.fields = fields
        # A terminus without an address, or none at all: the hub is about to detach.
        terminus = fields[5] if self.receives else fields[6]
        self.accepted = terminus is not None and bool(terminus.value) and terminus.value[0] is not None
        self.attached.set_result(fields)

    def on_flow(self, fields):
        if self.receives:
            self.drained = bool(fields[8])
            # What waits in the queue is counted when it is taken from there.
            self.count = max(self.count, (fields[5] or 0) - self.deliveries.qsize())
        else:
            self.credit = (fields[5] or 0) + fields[6] - self.count
        self.changed.set()

    def on_transfer(self, fields, payload):
        if self.first is None:
            self.first = fields
        self.parts += payload
        if not fields[5]:
            first, data = self.first, self.parts
            self.first, self.parts = None, b""
            self.deliveries.put_nowait(Delivery(first[1], first[2], data, bool(first[4] or fields[4]), first[3]))

    def on_detach(self, closed, error):
        self.session.links.remove(self)
        self.detached.set_result((bool(closed), error))
        if not self.leaving:
            self.session.perform(DETACH, self.handle, True)

    # The client's side.

    def flow(self, credit, drain=None):
        session = self.session
        session.perform(FLOW, UInt(session.received), UInt(100_000), UInt(session.next_delivery), UInt(100_000),
                        self.handle, UInt(self.count), UInt(credit), None, drain)

    async def receive(self):
        """The next delivery."""
        delivery = await self.connection.within(self.next_delivery(), f"a message from {self.name}")
        self.count += 1
        return delivery

    async def next_delivery(self):
        got = asyncio.ensure_future(self.deliveries.get())
        end = asyncio.ensure_future(asyncio.shield(self.detached))
        try:
            await asyncio.wait([got, end], return_when=asyncio.FIRST_COMPLETED)
            if got.done():
                return got.result()
        finally:
            # Also when nobody waits any more: it must not take what the next one waits for.
            end.cancel()
            got.cancel()
        raise AssertionError(f"{self.name} is detached: {self.detached.result()}")

    def settle(self, delivery, code=ACCEPTED, *fields, settled=True):
        self.session.perform(DISPOSITION, True, UInt(delivery.number), None, settled, outcome(code, *fields))

    async def until_credit(self):
        async def wait():
            while self.credit <= 0:
                self.changed.clear()
                await self.changed.wait()

        await self.connection.within(wait(), f"credit for {self.name}")

    def transfer(self, data, settled=False, message_format=0, chunk=None, tag=None):
        """Puts the frames of one delivery on the wire, credit or not; the returned future is its outcome."""
        session = self.session
        number = session.next_delivery
        session.next_delivery += 1
        self.count += 1
        self.credit -= 1
        future = asyncio.get_running_loop().create_future()
        if settled:
            future.set_result(None)
        else:
            session.unsettled[number] = future
        tag = tag or b"%d" % next(numbers)
        chunk = chunk or max(min(self.connection.max_frame_size, 65536) - 64, 1)
        parts = [data[at : at + chunk] for at in range(0, len(data), chunk)] or [b""]
        for at, part in enumerate(parts):
            more = at < len(parts) - 1
            body = performative(TRANSFER, self.handle, UInt(number), tag, UInt(message_format), settled, more)
            session.connection.send_frame(session.channel, body + part)
        return future

    async def send(self, data, **options):
        """Sends within credit; returns the outcome."""
        await self.until_credit()
        return await self.connection.within(self.transfer(data, **options), f"an outcome on {self.name}")

    async def until_detached(self):
        """The error of the hub's detach: (condition, description)."""
        return (await self.connection.within(asyncio.shield(self.detached), f"{self.name} is detached"))[1]

    async def detach(self, closed=True):
        self.leaving = True
        self.session.perform(DETACH, self.handle, closed)
        await self.connection.within(asyncio.shield(self.detached), f"{self.name} is detached")
