"""A consumer over raw AMQP: what Event Hubs SDKs ask for, with the types of the wire."""

import itertools
import uuid

import eventhub
import sas
from raw_amqp import Amqp
from raw_codec import Described, Long, Symbol, Timestamp
from raw_device import Cbs
from raw_link import ACCEPTED
from raw_message import message

SELECTOR = "apache.org:selector-filter:string"
SELECTOR_CODE = 0x468C00000004
METRICS = "com.microsoft:enable-receiver-runtime-metric"
EARLIEST = "amqp.annotation.x-opt-offset > '-1'"
names = itertools.count(1)


def key_of(hub):
    """(policy, key) of the hub's owner."""
    parts = sas.parse(hub.events)
    return parts["SharedAccessKeyName"], parts["SharedAccessKey"]


def token(hub, resource=None, **options):
    """A token as Event Hubs SDKs make it: signed with the text of the key."""
    policy, key = key_of(hub)
    resource = resource or f"sb://localhost/{eventhub.entity(hub)}"
    return sas.token(resource, key, policy, raw_key=True, **options)


class Consumer:
    """A connection with a token of the owner."""

    def __init__(self, hub, session, cbs):
        self.hub = hub
        self.session = session
        self.connection = session.connection
        self.cbs = cbs
        self.entity = eventhub.entity(hub)
        self.management = None

    @classmethod
    async def connect(cls, hub, put=None, **options):
        connection = await Amqp.connect(hub, **options)
        session = await connection.begin()
        made = cls(hub, session, await Cbs.open(session))
        if put is None:
            put = token(hub)
        if put:
            assert await made.cbs.put(f"sb://localhost/{made.entity}", put) == 200
        return made

    def address(self, partition, group="$Default", entity=None):
        return f"{entity or self.entity}/ConsumerGroups/{group}/Partitions/{partition}"

    async def receiver(self, partition, selector=EARLIEST, group="$Default", entity=None, epoch=None, name=None,
                       session=None, described=SELECTOR, **options):
        """A receiver's link; `selector` may be the filter itself."""
        if isinstance(selector, str):
            selector = Described(described, selector) if described else selector
        filters = None if selector is None else {Symbol(SELECTOR): selector}
        properties = {}
        if epoch is not None:
            properties["com.microsoft:epoch"] = Long(epoch)
        if name is not None:
            properties["com.microsoft:receiver-name"] = name
        return await (session or self.session).receiver(
            self.address(partition, group, entity), name=f"receiver-{next(names)}", filters=filters,
            properties=properties or None, snd=0, rcv=0, **options)

    async def ask(self, message_id=None, body=None, **app):
        """A management request; returns the reply's message."""
        if self.management is None:
            self.management = (await self.session.sender("$management"),
                               await self.session.receiver("$management", filler=str(uuid.uuid4())))
        sender, receiver = self.management
        message_id = str(uuid.uuid4()) if message_id is None else message_id
        state = await sender.send(message(body or b"[]", app=app, message_id=message_id))
        assert state.descriptor == ACCEPTED, state
        delivery = await receiver.receive()
        assert delivery.message.correlation_id == message_id
        assert type(delivery.message.correlation_id) is type(message_id)
        return delivery.message

    async def close(self):
        await self.connection.close()


def number(delivery):
    """An event's sequence number."""
    return int(delivery.message.annotations["x-opt-sequence-number"])


def enqueued(delivery):
    found = delivery.message.annotations["x-opt-enqueued-time"]
    assert type(found) is Timestamp
    return int(found)
