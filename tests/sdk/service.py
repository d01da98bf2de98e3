"""The back end's side through the unmodified Python service SDK, trusting the hub's own CA."""

import os
import uuid

import certifi
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties
from uamqp import TransportType

TRANSPORTS = {"AMQP": TransportType.Amqp, "AMQP-WS": TransportType.AmqpOverWebsocket}


def trust(ca):
    """For the SDK's two ways out: `requests` reads the variable, `uamqp` knows certifi's bundle alone."""
    os.environ["REQUESTS_CA_BUNDLE"] = ca
    certifi.where = lambda: ca


class Service:
    """`manager` is the SDK's own client."""

    def __init__(self, hub, transport="AMQP"):
        self.hub = hub
        trust(hub.ca)
        self.manager = IoTHubRegistryManager.from_connection_string(hub.service, transport_type=TRANSPORTS[transport])

    def send(self, device_id, body, **properties):
        """A C2D message with `ack`, `messageId`, … and application properties; returns its message id."""
        properties.setdefault("messageId", str(uuid.uuid4()))
        if "ack" in properties:
            properties["iothub-ack"] = properties.pop("ack")
        self.manager.send_c2d_message(device_id, body, properties)
        return properties["messageId"]

    def invoke(self, identity, name, payload=None, response=30, connect=30):
        """(status, payload) of a direct method on a device or module."""
        call = CloudToDeviceMethod(
            method_name=name, payload=payload, response_timeout_in_seconds=response, connect_timeout_in_seconds=connect)
        if identity.module:
            answer = self.manager.invoke_device_module_method(identity.id, identity.module, call)
        else:
            answer = self.manager.invoke_device_method(identity.id, call)
        return answer.status, answer.payload

    def twin(self, identity):
        """The whole twin as the SDK shows it."""
        if identity.module:
            return self.manager.get_module_twin(identity.id, identity.module)
        return self.manager.get_twin(identity.id)

    def desire(self, identity, patch, etag=None):
        """Patches the desired properties; returns the twin."""
        twin = Twin(properties=TwinProperties(desired=patch))
        if identity.module:
            return self.manager.update_module_twin(identity.id, identity.module, twin, etag)
        return self.manager.update_twin(identity.id, twin, etag)

    def replace_desired(self, identity, document):
        """Replaces the desired properties as a whole; returns the twin."""
        twin = Twin(properties=TwinProperties(desired=document))
        if identity.module:
            return self.manager.replace_module_twin(identity.id, identity.module, twin)
        return self.manager.replace_twin(identity.id, twin)

    def purge(self, device_id):
        """The number of messages that were purged from a device's queue."""
        found = self.manager.protocol.cloud_to_device_messages.purge_cloud_to_device_message_queue(device_id)
        return found.total_messages_purged

    def close(self):
        if self.manager.amqp_svc_client:
            self.manager.amqp_svc_client.disconnect_sync()
            self.manager.amqp_svc_client = None
