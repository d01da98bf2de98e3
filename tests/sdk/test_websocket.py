"""Port 443: telemetry as MQTT in WebSocket, read back as AMQP in WebSocket, all through unmodified SDKs."""

import pytest
from azure.eventhub import TransportType
from azure.iot.device import IoTHubDeviceClient

import eventhub
from messages import expected, seen, variant
from node_client import node
from python_program import python_message

COUNT = 10


@pytest.fixture(scope="module")
def sent(hub):
    """A device whose messages came over WebSocket, and the messages."""
    device = hub.device("websocket")
    messages = [variant(device.id, number) for number in range(COUNT)]
    with open(hub.ca, encoding="ascii") as file:
        client = IoTHubDeviceClient.create_from_connection_string(
            device.connection_string, server_verification_cert=file.read(), websockets=True)
    client.connect()
    for message in messages:
        client.send_message(python_message(message))
    client.shutdown()
    return device, messages


def check(sent, events):
    device, messages = sent
    events = eventhub.of_device(events, device.id)
    assert [seen(event) for event in events] == [expected(message) for message in messages]


def test_python_reads_events_over_websocket(hub, sent):
    found = {}
    for partition, last in eventhub.last_numbers(hub).items():
        if last >= 0:
            options = {"transport_type": TransportType.AmqpOverWebsocket}
            with eventhub.receiving(hub, partition, client_options=options) as receiver:
                found[partition] = list(receiver.got(last + 1))
    check(sent, found)


def test_node_reads_events_over_websocket(hub, sent):
    found = node(hub, "events.mjs", {"connectionString": hub.events, "websocket": True})
    assert found["errors"] == []
    check(sent, found["events"])
