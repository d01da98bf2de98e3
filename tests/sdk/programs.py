"""Device programs of several SDKs behind one face, so that one test can run with each of them.

A program is opened for an identity (a device or a module of hub.py). It sends `message`s as messages.py makes them,
and fills inboxes: `messages` (C2D), `desired` (notifications), `calls` (direct methods).
"""

import base64
from dataclasses import dataclass
from typing import Callable

from agent import Inbox, NodeError
from messages import sendable
from paho_program import PahoProgram
from python_program import PythonProgram

__all__ = ["KINDS", "Kind", "NodeError", "NodeProgram", "with_features"]


class NodeProgram:
    """Node's azure-iot-device, in the agent's process."""

    def __init__(self, kind, identity, agent, options=None, retry=False, connection_string=None):
        self.agent = agent
        self.name = agent.name(kind.name)
        # Callers that only look for one of them get an inbox at any time.
        self.raw = agent.inbox(self.name, "c2d")
        self.calls = agent.inbox(self.name, "method")
        self.errors = agent.inbox(self.name, "error")
        self.disconnects = agent.inbox(self.name, "disconnect")
        self.messages = self
        self.desired = Unwrapped(agent.inbox(self.name, "desired"), "patch")
        agent.ask(
            "open", client=self.name, kind="module" if identity.module else "device", transport=kind.wire,
            connectionString=connection_string or identity.connection_string, options=options, retry=retry)

    def ask(self, op, **request):
        return self.agent.ask(op, client=self.name, **request)

    def send(self, message):
        self.ask("send", message=sendable(message))

    def send_batch(self, messages):
        self.ask("batch", messages=[sendable(message) for message in messages])

    def output(self, name, message):
        self.ask("output", name=name, message=sendable(message))

    def listen(self):
        """Subscribes to C2D messages."""
        self.ask("c2d")

    def take(self, limit=60):
        """The next C2D message, not yet settled."""
        said = self.raw.take(limit)
        message = said["message"]
        message["body"] = base64.b64decode(message["body"])
        # Over HTTPS the SDK leaves the header's prefix in the names.
        message["app"] = {name.removeprefix("iothub-app-"): value for name, value in message["app"]}
        return {**message, "token": said["token"]}

    def empty(self):
        return self.raw.empty()

    def settle(self, message, outcome="complete"):
        self.ask("settle", token=message["token"], outcome=outcome)

    def twin(self):
        return self.ask("twin")

    def report(self, patch):
        self.ask("report", patch=patch)

    def watch(self):
        """Subscribes to desired properties; returns when the subscription stands."""
        self.ask("watch")

    def answer_methods(self):
        self.ask("methods", names=["echo", "silent", "reboot"])

    def upload(self, name, content):
        self.ask("upload", name=name, body=base64.b64encode(content).decode())

    def close(self):
        self.ask("close")


class Unwrapped:
    """An inbox of happenings as an inbox of one of their members."""

    def __init__(self, inbox, member):
        self.inbox = inbox
        self.member = member

    def take(self, limit=60):
        return self.inbox.take(limit)[self.member]

    def empty(self):
        return self.inbox.empty()


@dataclass(frozen=True)
class Kind:
    """An SDK over a transport. `wire` is what the SDK calls the transport, `features` what the SDK offers over it."""

    name: str
    client: str
    transport: str
    wire: str
    make: Callable
    features: frozenset

    def open(self, identity, agent, **options):
        return self.make(self, identity, agent, **options)


PYTHON, NODE, PAHO = "Python azure-iot-device", "Node azure-iot-device", "paho-mqtt"
TALK = {"d2c", "c2d", "twin", "methods", "module", "output", "x509", "renewal"}


def kind(name, client, transport, make, *features):
    return Kind(name, client, transport, name.split("-", 1)[1], make, frozenset(features))


KINDS = [
    kind("python-mqtt", PYTHON, "MQTT", PythonProgram, *TALK, "upload"),
    kind("python-mqtt-ws", PYTHON, "MQTT-WS", PythonProgram, *TALK, "upload"),
    kind("node-mqtt", NODE, "MQTT", NodeProgram, *TALK, "upload"),
    kind("node-mqtt-ws", NODE, "MQTT-WS", NodeProgram, *TALK, "upload"),
    kind("node-amqp", NODE, "AMQP", NodeProgram, *TALK, "upload", "settle"),
    kind("node-amqp-ws", NODE, "AMQP-WS", NodeProgram, *TALK, "upload", "settle"),
    kind("node-http", NODE, "HTTPS", NodeProgram, "d2c", "batch", "c2d", "settle", "upload", "x509"),
    kind("paho-mqtt", PAHO, "MQTT", PahoProgram, "d2c", "c2d", "twin", "methods"),
    kind("paho-mqtt-ws", PAHO, "MQTT-WS", PahoProgram, "d2c", "c2d", "twin", "methods"),
]


def with_features(*features):
    """The kinds that offer all of the features."""
    return [one for one in KINDS if one.features.issuperset(features)]
