"""The unmodified Java EventProcessorClient: partitions shared between processors, checkpoints in the hub's own blobs, and
going on from those of Python's SDK."""

import itertools

import pytest
from azure.storage.blob import ContainerClient

import eventhub
from java_client import NEEDS_JAVA
from java_objects import Callback
from test_checkpoints import PARTITIONS, balanced, caught_up, new_container, send, state
from test_checkpoints import processors as python_processors
from waiting import until

pytestmark = NEEDS_JAVA
DEVICES = 8
TRANSPORTS = ["AMQP", "AMQP_WEB_SOCKETS"]
names = itertools.count(1)
processors = python_processors


class Processor:
    """A processor that is checkpointed from here, event by event."""

    def __init__(self, hub, java, container, transport):
        self.java = java
        self.name = f"processor {next(names)}"
        hubs, storage = java.azure.messaging.eventhubs, java.azure.storage.blob
        # With a port in the endpoint, this SDK takes the first part of its path for the account.
        endpoint = hub.storage.replace("https://localhost/", "https://localhost:443/")
        blobs = storage.BlobContainerClientBuilder().connectionString(endpoint).containerName(container)
        store = hubs.checkpointstore.blob.BlobCheckpointStore(blobs.buildAsyncClient())
        start = {str(number): hubs.models.EventPosition.earliest() for number in range(PARTITIONS)}
        retry = java.azure.core.amqp.AmqpRetryOptions().setMaxRetries(0)
        self.client = (
            hubs.EventProcessorClientBuilder().connectionString(hub.events).consumerGroup("$Default").checkpointStore(store)
            .retryOptions(retry).transportType(transport).initialPartitionEventPosition(start)
            .loadBalancingUpdateInterval("PT1S").partitionOwnershipExpirationInterval("PT6S")
            .processEvent(Callback(self.name)).processError(Callback(f"{self.name} failed")).buildEventProcessorClient())
        self.client.start()
        self.done = 0
        self.bodies = []

    def work(self):
        """Checkpoints what has come since the last time."""
        seen = [said for said in list(self.java.events) if said.get("name") == self.name]
        if len(seen) > self.done:
            for (context,) in self.java.called(self.name, len(seen))[self.done:]:
                self.bodies.append(context.getEventData().getBodyAsString())
                context.updateCheckpoint()
            self.done = len(seen)

    def close(self):
        self.client.stop()
        assert not self.client.isRunning()


@pytest.fixture(scope="module")
def devices(hub):
    return [hub.device(f"j-checkpoint-{number}") for number in range(DEVICES)]


@pytest.fixture
def java_processors(hub, java):
    running = []

    def start(container, transport="AMQP"):
        running.append(Processor(hub, java, container, transport))
        return running[-1]

    yield start
    for one in running:
        one.client.stop()


def checkpoints(hub, container):
    """The sequence numbers, as they are in the blobs: this SDK's checkpoints have no offset, which Python's asks for."""
    with ContainerClient.from_connection_string(hub.storage, container, connection_verify=hub.ca) as blobs:
        found = [blob for blob in blobs.list_blobs(include=["metadata"]) if "/checkpoint/" in blob.name]
        return {blob.name.rpartition("/")[2]: int(blob.metadata["sequencenumber"]) for blob in found}


def all_checkpointed(hub, container, *working):
    """Waits until every partition's checkpoint is its last event, and lets the processors work meanwhile."""
    last = {partition: number for partition, number in eventhub.last_numbers(hub).items() if number >= 0}

    def reached():
        for one in working:
            one.work()
        return checkpoints(hub, container) == last

    until(reached, lambda: f"checkpoints at {last}; they are {checkpoints(hub, container)}")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_processors_share_partitions_and_go_on_from_their_checkpoints(hub, devices, java_processors, transport):
    container = new_container(hub, f"java-{transport.lower().replace('_', '-')}")
    first = java_processors(container, transport)
    until(lambda: len(state(hub, container)[0]) == 1, "one processor owns partitions")
    assert set(state(hub, container)[0]) == {first.client.getIdentifier()}
    second = java_processors(container, transport)
    until(lambda: balanced(hub, container), lambda: f"two share the partitions: {state(hub, container)[0]}")
    sent = send(devices)
    all_checkpointed(hub, container, first, second)
    assert len(first.bodies) + len(second.bodies) >= sent
    first.close()
    second.close()

    sent = send(devices)
    third = java_processors(container, transport)
    all_checkpointed(hub, container, third)
    # Nothing that was checkpointed comes again.
    assert sorted(third.bodies) == sorted(["0", "1"] * (sent // 2))
    third.close()


def test_java_goes_on_where_python_was(hub, devices, java_processors, processors):
    container = new_container(hub, "java-and-python")
    send(devices)
    python = processors(container)
    caught_up(hub, container)
    python.close()
    sent = send(devices)
    java = java_processors(container)
    all_checkpointed(hub, container, java)
    assert sorted(java.bodies) == sorted(["0", "1"] * (sent // 2))
    java.close()
