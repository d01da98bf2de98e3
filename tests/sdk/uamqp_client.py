"""A device through `uamqp`, the C SDK's own AMQP library: MSSBCBS, ulong ids on `$cbs`, one session for every link."""

import contextlib
import json
import time
import uuid

import uamqp
from uamqp import authentication, constants, types

from waiting import LIMIT, until

TRANSPORTS = {"amqp": uamqp.TransportType.Amqp, "amqp-ws": uamqp.TransportType.AmqpOverWebsocket}


class CDevice:
    """One connection, the links of all features in one session as the C SDK lays them out."""

    def __init__(self, device, transport="amqp", token=None):
        self.device = device
        token = token or device.token()
        # The C SDK names the audience with raw slashes.
        self.auth = authentication.SASTokenAuth(
            f"localhost/devices/{device.id}", f"amqps://localhost/devices/{device.id}", token,
            expires_at=time.time() + 3600, verify=device.hub.ca, transport_type=TRANSPORTS[transport])
        self.connection = uamqp.Connection("localhost", self.auth, container_id=f"c-{device.id}", max_frame_size=65536)
        self.clients = []
        self.answers = {}
        self.notifications = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in reversed(self.clients):
            client.close()
        # The token's links belong to the connection, not to a client.
        if self.connection._cbs:
            self.auth.close_authenticator()
            self.connection._cbs = None
        self.connection.destroy()

    def address(self, rest):
        return f"amqps://localhost/devices/{self.device.id}/{rest}"

    def opened(self, client):
        client.open(connection=self.connection)
        self.clients.append(client)
        until(client.client_ready, "the token is accepted and the link attached")
        return client

    def sender(self, rest, settled=False, **options):
        mode = constants.SenderSettleMode.Settled if settled else constants.SenderSettleMode.Unsettled
        return self.opened(uamqp.SendClient(
            self.address(rest), auth=self.auth, send_settle_mode=mode,
            error_policy=uamqp.errors.ErrorPolicy(max_retries=0), **options))

    def receiver(self, rest, **options):
        return self.opened(uamqp.ReceiveClient(
            self.address(rest), auth=self.auth, prefetch=20, auto_complete=False,
            error_policy=uamqp.errors.ErrorPolicy(max_retries=0), **options))

    def pair(self, rest, prefix):
        properties = {types.AMQPSymbol("com.microsoft:channel-correlation-id"): f"{prefix}:{uuid.uuid4()}",
                      types.AMQPSymbol("com.microsoft:api-version"): "2020-09-30"}
        return (self.sender(rest, settled=prefix == "twin", link_properties=properties),
                self.receiver(rest, link_properties=properties))

    def open_twin(self):
        self.twin_out, self.twin_in = self.pair("twin", "twin")

    def open_methods(self):
        self.methods_out, self.methods_in = self.pair("methods/devicebound", "methods")

    def twin(self, operation, resource=None, body=b" "):
        """(status, version, body) of a twin request."""
        annotations = {types.AMQPSymbol("operation"): operation}
        if resource:
            annotations[types.AMQPSymbol("resource")] = resource
        correlation = str(uuid.uuid4())
        self.twin_out.send_message(uamqp.Message(
            body, annotations=annotations, properties=uamqp.message.MessageProperties(correlation_id=correlation)))
        until(lambda: self.read_twin() or correlation in self.answers, f"an answer to {operation}")
        return self.answers.pop(correlation)

    def read_twin(self):
        for message in self.twin_in.receive_message_batch(timeout=50):
            annotations = {plain(key): plain(value) for key, value in message.annotations.items()}
            body = b"".join(message.get_data())
            # A notification has no correlation id, and so perhaps no properties at all.
            correlation = message.properties and message.properties.correlation_id
            if correlation is None:
                self.notifications.append((annotations["version"], json.loads(body)))
            else:
                self.answers[plain(correlation)] = (annotations["status"], annotations.get("version"), body)

    def call(self):
        """The next method call."""
        return until(lambda: self.methods_in.receive_message_batch(timeout=50), "a method call")[0]

    def answer(self, call, status, body):
        """Settles the call and answers it."""
        with contextlib.suppress(Exception):
            call.accept()
        self.methods_out.send_message(uamqp.Message(
            body, application_properties={"IoThub-status": types.AMQPInt(status)},
            properties=uamqp.message.MessageProperties(correlation_id=call.properties.correlation_id)))

    def work(self, limit=LIMIT):
        """Lets the connection do what is due: outcomes and flows."""
        end = time.monotonic() + min(limit, 0.2)
        while time.monotonic() < end:
            self.connection.work()


def plain(value):
    return value.decode() if isinstance(value, bytes) else value
