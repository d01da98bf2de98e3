"""Readers that share a hub's partitions and remember where they were: the SDKs' own event processors, with their blob
checkpoint stores against the hub's storage."""

import threading

import pytest
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.storage.blob import ContainerClient

import eventhub
from node_client import node
from waiting import LIMIT, until

PARTITIONS = 4
DEVICES = 8
GROUP = "$Default"


class Processor:
    """A Python consumer that takes its share of the partitions and checkpoints every event."""

    def __init__(self, hub, container):
        store = BlobCheckpointStore.from_connection_string(hub.storage, container, connection_verify=hub.ca)
        self.client = eventhub.client(
            hub, checkpoint_store=store, load_balancing_interval=1, partition_ownership_expiration_interval=6,
        )
        self.bodies = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        # Losing a partition to the other consumer is no failure.
        self.client.receive(on_event=self.on_event, on_error=lambda *_: None, starting_position="-1", max_wait_time=1)

    def on_event(self, context, event):
        if event is not None:
            self.bodies.append(event.body_as_str())
            context.update_checkpoint(event)

    def close(self):
        self.client.close()
        self.thread.join(LIMIT)


@pytest.fixture
def processors(hub):
    """Starts Python consumers with one container; those that are open at the end are closed."""
    running = []

    def start(container):
        running.append(Processor(hub, container))
        return running[-1]

    yield start
    for processor in running:
        processor.close()


def new_container(hub, name):
    with ContainerClient.from_connection_string(hub.storage, name, connection_verify=hub.ca) as client:
        client.create_container()
    return name


def state(hub, container):
    """What a checkpoint store holds: the partitions of each owner, and the sequence number of each checkpoint."""
    namespace, entity = "localhost", eventhub.entity(hub)
    with BlobCheckpointStore.from_connection_string(hub.storage, container, connection_verify=hub.ca) as store:
        owners = {}
        for one in store.list_ownership(namespace, entity, GROUP):
            owners.setdefault(one["owner_id"], []).append(one["partition_id"])
        checkpoints = store.list_checkpoints(namespace, entity, GROUP)
        return owners, {one["partition_id"]: one["sequence_number"] for one in checkpoints}


def balanced(hub, container):
    owners, _ = state(hub, container)
    owners.pop("", None)
    return sorted(map(len, owners.values())) == [PARTITIONS // 2] * 2


def caught_up(hub, container):
    """Waits until every partition's checkpoint is its last event."""
    last = {partition: number for partition, number in eventhub.last_numbers(hub).items() if number >= 0}
    until(lambda: state(hub, container)[1] == last, lambda: f"checkpoints at {last}; they are {state(hub, container)[1]}")


@pytest.fixture(scope="module")
def devices(hub):
    return [hub.device(f"checkpoint-{number}") for number in range(DEVICES)]


def send(devices):
    for device in devices:
        eventhub.send(device, 2)
    return 2 * len(devices)


def test_python_consumers_share_partitions_and_go_on_from_their_checkpoints(hub, devices, processors):
    container = new_container(hub, "python-checkpoints")
    first = processors(container)
    until(lambda: len(state(hub, container)[0]) == 1, "one consumer owns partitions")
    second = processors(container)
    until(lambda: balanced(hub, container), lambda: f"two consumers share the partitions: {state(hub, container)[0]}")
    sent = send(devices)
    caught_up(hub, container)
    assert len(first.bodies) + len(second.bodies) >= sent
    first.close()
    second.close()

    sent = send(devices)
    third = processors(container)
    caught_up(hub, container)
    # Nothing that was checkpointed comes again.
    assert sorted(third.bodies) == sorted(["0", "1"] * (sent // 2))


def test_node_consumers_share_partitions_and_go_on_from_their_checkpoints(hub, devices):
    container = new_container(hub, "node-checkpoints")
    send(devices)
    wanted = {"connectionString": hub.events, "storage": hub.storage, "container": container}
    said = node(hub, "checkpoints.mjs", {**wanted, "consumers": 2})
    assert said["shares"] == [PARTITIONS // 2] * 2
    assert said["errors"] == []
    _, checkpoints = state(hub, container)
    assert checkpoints == {p: n for p, n in eventhub.last_numbers(hub).items() if n >= 0}

    sent = send(devices)
    said = node(hub, "checkpoints.mjs", {**wanted, "consumers": 1})
    assert said["errors"] == []
    assert sorted(said["bodies"]) == sorted([0, 1] * (sent // 2))


def test_one_sdk_goes_on_where_the_other_was(hub, devices, processors):
    container = new_container(hub, "mixed-checkpoints")
    send(devices)
    reader = processors(container)
    caught_up(hub, container)
    reader.close()
    sent = send(devices)
    wanted = {"connectionString": hub.events, "storage": hub.storage, "container": container}
    said = node(hub, "checkpoints.mjs", {**wanted, "consumers": 1})
    assert sorted(said["bodies"]) == sorted([0, 1] * (sent // 2))
    sent = send(devices)
    reader = processors(container)
    caught_up(hub, container)
    assert sorted(reader.bodies) == sorted(["0", "1"] * (sent // 2))
