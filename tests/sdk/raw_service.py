"""The service's side as the tests need it: C2D and feedback over AMQP, twins and methods over HTTPS."""

import asyncio
import json

import sas
from raw_amqp import Amqp
from raw_device import Cbs
from raw_link import ACCEPTED
from raw_message import message

FEEDBACK = "/messages/serviceBound/feedback"


class Service:
    """A connection with a token of the policy."""

    def __init__(self, hub, session):
        self.hub = hub
        self.session = session
        self.sender = None
        self.records = []

    @classmethod
    async def connect(cls, hub):
        connection = await Amqp.connect(hub)
        made = cls(hub, await connection.begin())
        parts = sas.parse(hub.service)
        token = sas.token("localhost", parts["SharedAccessKey"], parts["SharedAccessKeyName"])
        assert await (await Cbs.open(made.session)).put("localhost", token) == 200
        made.sender = await made.session.sender("/messages/devicebound")
        return made

    async def send(self, device_id, body=b"", app=None, expect=ACCEPTED, **properties):
        """Sends to a device (or `{d}/modules/{m}`); returns the outcome."""
        properties.setdefault("to", f"/devices/{device_id}/messages/devicebound")
        state = await self.sender.send(message(body, app=app, **properties))
        assert expect is None or state.descriptor == expect, state
        return state

    async def feedback(self, *wanted):
        """Waits for the feedback about these message ids; returns their status codes."""
        if not hasattr(self, "receiver"):
            self.receiver = await self.session.receiver("/messages/serviceBound/feedback")
        found = {}
        while True:
            found = {record["originalMessageId"]: record["statusCode"] for record in self.records}
            if all(one in found for one in wanted):
                return [found[one] for one in wanted]
            delivery = await self.receiver.receive()
            self.receiver.settle(delivery)
            self.records += json.loads(delivery.message.body)

    async def close(self):
        await self.session.connection.close()


async def request(hub, method, path, body=None, **options):
    """An HTTPS request of the service on a thread of its own."""
    return await asyncio.to_thread(hub.registry.request, method, path, body, **options)


async def update_twin(hub, device_id, desired=None, tags=None, etag="*", method="PATCH"):
    """The answer of a twin update."""
    body = {}
    if desired is not None:
        body["properties"] = {"desired": desired}
    if tags is not None:
        body["tags"] = tags
    return await request(hub, method, f"/twins/{device_id}", body, headers={"If-Match": f'"{etag}"'})


async def invoke(hub, device_id, name, payload=None, response=30, connect=0):
    """The answer of a direct method call."""
    return await request(hub, "POST", f"/twins/{device_id}/methods", {
        "methodName": name, "payload": payload, "responseTimeoutInSeconds": response,
        "connectTimeoutInSeconds": connect})


def policy(hub, name="service"):
    """(policy, key)"""
    parts = sas.parse(hub.settings[f"IRONHUB_POLICY_{name.upper()}_CONNECTION_STRING"])
    return parts["SharedAccessKeyName"], parts["SharedAccessKey"]


def service_token(hub, resource="localhost", name="service", **options):
    policy_name, key = policy(hub, name)
    return sas.token(resource, key, policy_name, **options)


def login(hub, name="service", resource="localhost", **options):
    made = service_token(hub, resource, name, **options)
    return f"\0{policy(hub, name)[0]}@sas.root.localhost\0{made}".encode()
