"""A device over raw AMQP: CBS, telemetry, C2D, twin and methods with the types of the wire reference."""

import asyncio
import itertools
import json
import uuid

from raw_amqp import Amqp
from raw_codec import Int, Long, ULong
from raw_link import ACCEPTED
from raw_message import message

ids = itertools.count(0)


class Cbs:
    """The two `$cbs` links of a session."""

    def __init__(self, sender, receiver):
        self.sender = sender
        self.receiver = receiver

    @classmethod
    async def open(cls, session):
        return cls(await session.sender("$cbs", "cbs-out", filler="cbs"),
                   await session.receiver("$cbs", "cbs-in", filler="cbs"))

    async def ask(self, body=b"", value=None, app=None, message_id=None):
        """Sends a request as it is; returns the reply's (status-code, status-description)."""
        message_id = ULong(next(ids)) if message_id is None else message_id
        state = await self.sender.send(message(body, value=value, app=app, message_id=message_id, to="$cbs",
                                               reply_to="cbs"))
        assert state.descriptor == ACCEPTED, state
        delivery = await self.receiver.receive()
        if not delivery.settled:
            self.receiver.settle(delivery)
        reply = delivery.message
        assert reply.correlation_id == message_id and type(reply.correlation_id) is type(message_id), reply
        status = reply.app["status-code"]
        assert type(status) is Int and type(reply.app["status-description"]) is str, reply.app
        return int(status), reply.app["status-description"]

    async def put(self, audience, token, message_id=None, **app):
        """put-token; returns the status code."""
        app = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience, **app}
        return (await self.ask(value=token, app=app, message_id=message_id))[0]


class RawDevice:
    """A device (or module) on a session of its own. `id` is `{d}` or `{d}/modules/{m}`."""

    def __init__(self, session, device_id):
        self.session = session
        self.connection = session.connection
        self.id = device_id
        self.pairs = {}

    @classmethod
    async def connect(cls, device, **options):
        """A connection of its own with a token put."""
        connection = await Amqp.connect(device.hub, **options)
        made = cls(await connection.begin(), device.id)
        made.cbs = await Cbs.open(made.session)
        assert await made.cbs.put(f"localhost/devices/{device.id}", device.token()) == 200
        return made

    @property
    def telemetry_address(self):
        return f"/devices/{self.id}/messages/events"

    async def telemetry(self, **options):
        return await self.session.sender(self.telemetry_address, **options)

    async def c2d(self, **options):
        return await self.session.receiver(f"/devices/{self.id}/messages/devicebound", **options)

    async def pair(self, what, **options):
        """The two links of `twin` or `methods/devicebound`."""
        properties = {"com.microsoft:api-version": "2021-04-12",
                      "com.microsoft:channel-correlation-id": f"{what.split('/')[0]}:{uuid.uuid4()}"}
        address = f"/devices/{self.id}/{what}"
        receiver = await self.session.receiver(address, properties=properties, **options)
        return await self.session.sender(address, properties=properties, **options), receiver

    async def twin(self):
        return Twin(*await self.pair("twin", snd=1, rcv=0))

    async def methods(self):
        return await self.pair("methods/devicebound")

    async def close(self):
        await self.connection.close()


class Twin:
    """The twin's two links; notifications that come between replies are kept in `notified`."""

    def __init__(self, sender, receiver):
        self.sender = sender
        self.receiver = receiver
        self.notified = []

    async def next(self):
        delivery = await self.receiver.receive()
        if not delivery.settled:
            self.receiver.settle(delivery)
        return delivery.message

    async def ask(self, body=b" ", correlation_id=None, settled=True, **annotations):
        """(status, version, body) of a request; the types that SDKs insist on are checked."""
        correlation_id = correlation_id or str(uuid.uuid4())
        await self.sender.send(message(body, annotations=annotations, correlation_id=correlation_id), settled=settled)
        while True:
            reply = await self.next()
            if reply.correlation_id is None:
                self.notified.append(reply)
                continue
            assert reply.correlation_id == correlation_id and type(reply.correlation_id) is type(correlation_id), reply
            status, version = reply.annotations["status"], reply.annotations.get("version")
            assert type(status) is Int and (version is None or type(version) is Long), reply.annotations
            return int(status), version, reply.body

    async def get(self):
        status, _, body = await self.ask(operation="GET")
        assert status == 200, (status, body)
        return json.loads(body)

    async def patch(self, patch, **annotations):
        """(status, version, body) of a patch of the reported properties; text is sent as it is."""
        body = patch if isinstance(patch, bytes) else json.dumps(patch).encode()
        return await self.ask(body, operation="PATCH", resource="/properties/reported", **annotations)

    async def subscribe(self, operation="PUT"):
        status, _, body = await self.ask(operation=operation, resource="/notifications/twin/properties/desired")
        assert status == 200, (status, body)

    async def notification(self):
        """(version, patch) of the next change of the desired properties."""
        note = self.notified.pop(0) if self.notified else await self.next()
        assert note.correlation_id is None and note.annotations["resource"] == "/properties/desired", note
        version = note.annotations["version"]
        assert type(version) is Long, note.annotations
        return int(version), json.loads(note.body)


async def in_thread(function, *arguments, **options):
    """For the blocking HTTPS calls of the service side."""
    return await asyncio.to_thread(function, *arguments, **options)
