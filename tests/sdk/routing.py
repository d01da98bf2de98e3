"""Routing documents, messages that go by them, and what became of these."""

import base64

import eventhub
from eventhub import Receiver
from mqtt import Mqtt
from waiting import until
from webhook import SECRET


def put(hub, document):
    answer = hub.registry.request("PUT", "/routing", document)
    assert answer.status == 200, answer
    return answer


def route(name, source, *endpoints, condition="true", enabled=True):
    return {"name": name, "source": source, "condition": condition, "endpointNames": list(endpoints),
            "isEnabled": enabled}


def log_named(name):
    return {"endpoints": {"eventHubs": [{"name": name}]}}


def connection_string(hub, entity):
    return hub.events.replace(f"EntityPath={eventhub.entity(hub)}", f"EntityPath={entity}")


class Reader:
    """Receivers of every partition of an event log, through a connection string with its name."""

    def __init__(self, hub, entity, start="-1"):
        options = {"connection_string": connection_string(hub, entity)}
        self.receivers = [
            Receiver(hub, str(number), options, starting_position=start) for number in range(4)
        ]

    def events(self, wanted=lambda event: True):
        for receiver in self.receivers:
            assert not receiver.errors, receiver.errors
        found = [event for receiver in self.receivers for event in list(receiver.events)]
        return [event for event in found if wanted(event)]

    def got(self, count, wanted=lambda event: True):
        until(lambda: len(self.events(wanted)) >= count,
              lambda: f"{count} events; there are {len(self.events(wanted))}")
        return self.events(wanted)

    def close(self):
        for receiver in self.receivers:
            receiver.close()


async def send(device, *bodies, properties=""):
    client = await Mqtt.connect(device)
    for body in bodies:
        await client.send_acked(device.topic + properties, body)
    await client.disconnect()


def hooked(server, **settings):
    """A document whose telemetry goes to a server."""
    hook = {"name": "hook", "url": server.url, "secret": SECRET, "retryDelayInSeconds": 1, **settings}
    return {"endpoints": {"webhooks": [hook]}, "routes": [route("r", "DeviceMessages", "hook")]}


def body(event):
    return base64.b64decode(event["Body"]).decode()


def health(hub, endpoint):
    answer = hub.registry.request("GET", f"/routing/endpoints/{endpoint}/health")
    assert answer.status == 200, answer
    return answer.json
