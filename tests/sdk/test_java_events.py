"""The unmodified Java Event Hubs SDK on the built-in endpoint: properties, positions, owner levels, consumer groups, over
AMQP and AMQP over WebSocket."""

import asyncio
import itertools

import pytest

import eventhub
import sas
from java_client import NEEDS_JAVA, JavaError
from java_objects import Callback, Class
from mqtt import Mqtt
from transfers import cli
from waiting import until

pytestmark = NEEDS_JAVA
TRANSPORTS = ["AMQP", "AMQP_WEB_SOCKETS"]
EVENTS = 8
names = itertools.count(1)


@pytest.fixture(scope="module")
def hubs(java):
    """The SDK's package."""
    return java.azure.messaging.eventhubs


@pytest.fixture(scope="module")
def builder(hub, java, hubs):
    """Makes builders of clients that fail at once instead of trying again."""
    def make(connection_string=None, group="$Default", transport="AMQP"):
        retry = java.azure.core.amqp.AmqpRetryOptions().setMaxRetries(0).setTryTimeout("PT30S")
        made = hubs.EventHubClientBuilder().consumerGroup(group).retryOptions(retry).transportType(transport)
        return made.connectionString(connection_string or hub.events)

    return make


@pytest.fixture(scope="module", params=TRANSPORTS)
def client(request, builder):
    made = builder(transport=request.param).buildConsumerClient()
    yield made
    made.close()


@pytest.fixture(scope="module")
def partition(hub):
    """A partition with EVENTS events, each with its own enqueued time: its id, and the events as Python's SDK has them."""
    device = hub.device("j-events")
    for _ in range(EVENTS):
        # A connection each takes longer than a millisecond.
        eventhub.send(device, 1)
    found = eventhub.wait_for(hub, device.id, EVENTS)
    assert len({event["enqueued"] for event in found}) == EVENTS
    return found[0]["partition"], found


def sequences(events):
    return [event.getData().getSequenceNumber() for event in events]


def test_properties(hub, hubs, client, partition):
    name, events = partition
    known = client.getEventHubProperties()
    assert known.getName() == client.getEventHubName() == eventhub.entity(hub)
    assert list(known.getPartitionIds()) == list(client.getPartitionIds()) == ["0", "1", "2", "3"]
    assert known.getCreatedAt() and client.getFullyQualifiedNamespace() == "localhost"
    one = client.getPartitionProperties(name)
    assert (one.getId(), one.getEventHubName(), one.isEmpty()) == (name, eventhub.entity(hub), False)
    assert (one.getBeginningSequenceNumber(), one.getLastEnqueuedSequenceNumber()) == (0, events[-1]["sequence"])
    assert (one.getLastEnqueuedOffset(), bool(one.getLastEnqueuedTime())) == (events[-1]["offset"], True)
    (other,) = [number for number in "0123" if number != name][:1]
    assert client.getPartitionProperties(other).isEmpty()


def positions(hubs, events):
    """Each position, and the index of the first event after it."""
    middle = events[3]
    position = hubs.models.EventPosition
    milliseconds = middle["enqueued"]
    time = Class(position.java, "java.time.Instant").ofEpochMilli(milliseconds)
    return [
        (position.earliest(), 0),
        (position.fromOffsetString(middle["offset"]), 4),
        (position.fromSequenceNumber(middle["sequence"]), 4),
        (position.fromSequenceNumber(middle["sequence"], True), 3),
        (position.fromEnqueuedTime(time), 4),
    ]


def test_positions(hubs, client, partition):
    name, events = partition
    for position, first in positions(hubs, events):
        # The SDK gathers as many as are asked for, or what came in this time.
        found = client.receiveFromPartition(name, EVENTS - first, position, "PT60S")
        assert sequences(found) == [event["sequence"] for event in events[first:]], position.toString()


def test_an_event_has_all_that_was_sent_and_stamped(hub, hubs, client, partition):
    name, events = partition
    (event,) = client.receiveFromPartition(name, 1, hubs.models.EventPosition.earliest(), "PT60S")
    data, wanted = event.getData(), events[0]
    assert (data.getBodyAsString(), data.getSequenceNumber(), data.getOffsetString()) == ("0", 0, wanted["offset"])
    system = data.getSystemProperties()
    assert system.get("iothub-connection-device-id") == data.getPartitionKey() == "j-events"
    assert system.get("iothub-message-source") == "Telemetry"
    assert '"type":"sas"' in system.get("iothub-connection-auth-method")
    assert data.getEnqueuedTime() and system.get("iothub-enqueuedtime")
    context = event.getPartitionContext()
    assert (context.getPartitionId(), context.getConsumerGroup()) == (name, "$Default")


async def telemetry(device, properties, body):
    connection = await Mqtt.connect(device)
    await connection.send_acked(device.topic + properties, body)
    await connection.disconnect()


def read(client, hubs, name, count, *options):
    return list(client.receiveFromPartition(name, count, hubs.models.EventPosition.earliest(), "PT60S", *options))


def test_an_event_has_the_devices_own_properties(hub, hubs, client):
    device = hub.device(f"j-properties-{next(names)}")
    properties = "%24.mid=id-1&%24.cid=c-1&%24.ct=application%2Fjson&%24.ce=utf-8&k=v%3D1%2B2"
    asyncio.run(telemetry(device, properties, '{"t": 21.5}'))
    (wanted,) = eventhub.wait_for(hub, device.id, 1)
    found = read(client, hubs, wanted["partition"], wanted["sequence"] + 1)
    data = found[wanted["sequence"]].getData()
    assert (data.getMessageId(), data.getCorrelationId(), data.getContentType()) == ("id-1", "c-1", "application/json")
    assert (data.getBodyAsString(), data.getProperties()) == ('{"t": 21.5}', {"k": "v=1+2"})


def test_a_reader_of_the_latest_sees_only_what_comes(hub, java, hubs, builder):
    device = hub.device("j-latest")
    reader = builder().buildAsyncConsumerClient()
    told, failed = Callback("latest"), Callback("latest failed")
    running = reader.receive(False).subscribe(told, failed)
    number = 0

    def seen():
        # A receiver that is not there yet misses what is sent, so something is sent until one is seen.
        nonlocal number
        eventhub.send(device, 1)
        number += 1
        return [event for event in java.events if event.get("name") == "latest"]

    until(seen, "the receivers at the end of each partition see what comes")
    found = [event.getData().getSystemProperties() for (event,) in java.called("latest")]
    assert {system.get("iothub-connection-device-id") for system in found} == {device.id} and len(found) <= number
    running.dispose()
    reader.close()
    assert not [event for event in java.events if event.get("name") == "latest failed"]


def test_receivers_are_told_of_the_last_event(hubs, client, partition):
    name, events = partition
    options = hubs.models.ReceiveOptions().setTrackLastEnqueuedEventProperties(True)
    (event,) = read(client, hubs, name, 1, options)
    last = event.getLastEnqueuedEventProperties()
    assert last.getSequenceNumber() >= events[-1]["sequence"] and last.getRetrievalTime()
    assert last.getOffsetString() and last.getEnqueuedTime()


class Reader:
    """A receiver of one partition from its start, with or without an owner level."""

    def __init__(self, java, hubs, builder, name, level=None, group="$Default", transport="AMQP"):
        number = next(names)
        self.java = java
        self.name = f"reader {number}"
        self.client = builder(group=group, transport=transport).buildAsyncConsumerClient()
        options = hubs.models.ReceiveOptions()
        if level is not None:
            options = options.setOwnerLevel(level)
        self.running = self.client.receiveFromPartition(name, hubs.models.EventPosition.earliest(), options).subscribe(
            Callback(self.name), Callback(f"{self.name} failed"))

    def reads(self):
        """Waits for its first event."""
        return self.java.called(self.name)[0][0]

    def failed(self):
        """Waits for its error: the AMQP condition and the text."""
        (error,) = self.java.called(f"{self.name} failed")[0]
        assert error.kind == "AmqpException", error.toString()
        return error.getErrorCondition(), error.getMessage()

    def fine(self):
        return not [event for event in self.java.events if event.get("name") == f"{self.name} failed"]

    def close(self):
        self.running.dispose()
        self.client.close()


@pytest.fixture
def reader(java, hubs, builder):
    """Starts readers; they are closed after the test."""
    running = []

    def start(*arguments, **options):
        running.append(Reader(java, hubs, builder, *arguments, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_owner_levels(partition, reader, transport):
    name, _ = partition
    none = reader(name, transport=transport)
    none.reads()
    low = reader(name, 1, transport=transport)
    low.reads()
    assert none.failed()[0] == "LINK_STOLEN"
    high = reader(name, 2, transport=transport)
    high.reads()
    condition, text = low.failed()
    assert condition == "LINK_STOLEN" and "higher epoch of '2'" in text, text
    for level in (1, None):
        late = reader(name, level, transport=transport)
        condition, text = late.failed()
        assert condition == "LINK_STOLEN" and "epoch of '2'" in text.replace("higher epoch '2'", "epoch of '2'"), text
    assert high.fine()


def test_the_sixth_receiver_is_refused(partition, reader):
    name, _ = partition
    for one in [reader(name) for _ in range(5)]:
        one.reads()
    condition, text = reader(name).failed()
    assert condition == "RESOURCE_LIMIT_EXCEEDED" and "which is 5" in text


def test_consumer_groups_are_apart(hub, partition, reader):
    name, _ = partition
    cli(hub, "consumer-group", "create", "java")
    owner = reader(name, 5)
    owner.reads()
    other = reader(name, 1, group="java")
    assert other.reads().getPartitionContext().getConsumerGroup() == "java"
    assert owner.fine()
    condition, text = reader(name, group="none").failed()
    assert condition == "NOT_FOUND", text
    condition, text = reader("99").failed()
    assert condition in ("NOT_FOUND", "ARGUMENT_OUT_OF_RANGE_ERROR", "ARGUMENT_ERROR"), text


def test_who_may_not_read_is_told_so(hub, java, hubs, builder):
    wrong = hub.events.replace(sas.parse(hub.events)["SharedAccessKey"], "bm90IHRoZSBrZXk=")
    registry = sas.parse(hub.settings["IRONHUB_POLICY_REGISTRYREAD_CONNECTION_STRING"])
    reader = hub.events.replace(sas.parse(hub.events)["SharedAccessKey"], registry["SharedAccessKey"]).replace(
        "SharedAccessKeyName=iothubowner", "SharedAccessKeyName=registryRead")
    nowhere = hub.events.replace(f"EntityPath={eventhub.entity(hub)}", "EntityPath=no-such-entity")
    for text in (wrong, reader, nowhere):
        client = builder(text).buildConsumerClient()
        with pytest.raises(JavaError) as raised:
            client.getEventHubProperties()
        assert raised.value.type == "AmqpException", raised.value
        assert raised.value.exception.getErrorCondition() == "UNAUTHORIZED_ACCESS", raised.value
        client.close()
    # The hub's own token in an AzureSasCredential, and its policy as a named key.
    parts = sas.parse(hub.events)
    token = sas.token(f"sb://localhost/{parts['EntityPath']}", parts["SharedAccessKey"], parts["SharedAccessKeyName"],
                      raw_key=True)
    credentials = java.azure.core.credential
    for given in (credentials.AzureSasCredential(token),
                  credentials.AzureNamedKeyCredential(parts["SharedAccessKeyName"], parts["SharedAccessKey"])):
        client = hubs.EventHubClientBuilder().consumerGroup("$Default").credential(
            "localhost", parts["EntityPath"], given).buildConsumerClient()
        assert list(client.getPartitionIds()) == ["0", "1", "2", "3"]
        client.close()
