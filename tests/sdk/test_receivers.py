"""Receivers beside each other: epochs, the limit of five, properties, names that do not exist, rights."""

import json
import subprocess
import threading

import pytest
from azure.eventhub.exceptions import AuthenticationError, ConnectionLostError, ConnectError, EventHubError

import eventhub
import sas
from eventhub import Receiver, receiving
from node_client import command, environment
from waiting import LIMIT, until


@pytest.fixture(scope="module")
def partition(hub):
    """A partition with three events."""
    eventhub.send(hub.device("receivers"), 3)
    (name,) = (name for name, last in eventhub.last_numbers(hub).items() if last >= 0)
    return name


class Watcher:
    """node/watch.mjs on one partition; `said` fills with what it reports."""

    def __init__(self, hub, partition, **options):
        request = {"connectionString": hub.events, "partition": partition, "options": options}
        self.said = []
        self.process = subprocess.Popen(
            [*command("watch.mjs"), json.dumps(request)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment(hub),
        )
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def until(self, name):
        """Waits until something with this key was said, and returns its value."""
        return until(lambda: [line for line in self.said if name in line],
                     lambda: f"'{name}' from the Node receiver, which said {self.said[-5:]}")[0]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(LIMIT)


def test_a_higher_epoch_takes_the_partition_from_a_lower_one_in_python(hub, partition):
    with receiving(hub, partition, owner_level=1) as first:
        first.got(3)
        with receiving(hub, partition, owner_level=2) as second:
            second.got(3)
            assert isinstance(first.failed(), ConnectionLostError), first.errors


def test_a_higher_epoch_takes_the_partition_from_a_lower_one_in_node(hub, partition):
    first = Watcher(hub, partition, ownerLevel=1)
    second = None
    try:
        first.until("event")
        second = Watcher(hub, partition, ownerLevel=2)
        second.until("event")
        assert first.until("error")["error"] == "ReceiverDisconnectedError"
    finally:
        for watcher in (first, second):
            if watcher:
                watcher.close()


def test_an_epoch_takes_the_partition_from_receivers_without_one(hub, partition):
    with receiving(hub, partition) as first:
        first.got(3)
        with receiving(hub, partition, owner_level=0) as second:
            second.got(3)
            assert isinstance(first.failed(), ConnectionLostError), first.errors


def test_a_lower_epoch_and_none_are_refused_beside_a_higher_one(hub, partition):
    with receiving(hub, partition, owner_level=5) as owner:
        owner.got(3)
        for options in ({"owner_level": 4}, {}):
            with receiving(hub, partition, **options) as late:
                error = late.failed()
                assert isinstance(error, EventHubError), error
                assert "epoch" in str(error), error
        assert not owner.errors


def test_the_sixth_receiver_of_a_partition_is_refused(hub, partition):
    receivers = []
    try:
        for _ in range(5):
            receivers.append(Receiver(hub, partition))
            receivers[-1].got(3)
        receivers.append(Receiver(hub, partition))
        error = receivers[5].failed()
        assert "Exceeded the maximum number of allowed receivers per partition in a consumer group which is 5" in str(
            error)
        assert not any(receiver.errors for receiver in receivers[:5])
        # A place that becomes free can be taken.
        receivers.pop(0).close()
        receivers.append(Receiver(hub, partition))
        receivers[-1].got(3)
    finally:
        for receiver in receivers:
            receiver.close()


def test_an_unknown_consumer_group_is_refused(hub, partition):
    with receiving(hub, partition, {"group": "nobody"}) as receiver:
        assert isinstance(receiver.failed(), EventHubError)


def test_an_unknown_partition_is_refused(hub):
    with eventhub.client(hub) as client, pytest.raises(ConnectError):
        client.get_partition_properties("99")
    # The Python SDK checks the name itself before it attaches; Node leaves it to the hub.
    watcher = Watcher(hub, "99")
    try:
        assert "99" in watcher.until("error")["message"]
    finally:
        watcher.close()


def test_an_unknown_event_hub_is_refused(hub):
    wrong = hub.events.replace(f"EntityPath={eventhub.entity(hub)}", "EntityPath=elsewhere")
    assert wrong != hub.events
    with eventhub.client(hub, connection_string=wrong) as client, pytest.raises(EventHubError):
        client.get_eventhub_properties()


def test_properties_say_what_is_there(hub, partition):
    with eventhub.client(hub) as client:
        properties = client.get_eventhub_properties()
        assert properties["eventhub_name"] == eventhub.entity(hub)
        assert properties["partition_ids"] == ["0", "1", "2", "3"]
        assert properties["created_at"].year >= 2024
        for name in properties["partition_ids"]:
            there = client.get_partition_properties(name)
            assert there["id"] == name and there["eventhub_name"] == eventhub.entity(hub)
            assert there["beginning_sequence_number"] == 0
            assert there["is_empty"] == (name != partition)
            if name == partition:
                assert there["last_enqueued_sequence_number"] == 2
                last = eventhub.read_all(hub)[name][-1]
                assert there["last_enqueued_offset"] == last["offset"]
                assert round(there["last_enqueued_time_utc"].timestamp() * 1000) == last["enqueued"]
            else:
                assert there["last_enqueued_offset"] == "-1"


def test_runtime_metrics_come_with_events_when_asked_for(hub, partition):
    with receiving(hub, partition, track_last_enqueued_event_properties=True) as receiver:
        receiver.got(3)
        assert receiver.last["sequence_number"] == 2
        assert receiver.last["offset"] == receiver.events[-1]["offset"]
        assert receiver.last["retrieval_time"] >= receiver.last["enqueued_time"]


def test_reading_needs_the_right_key_and_the_right_permission(hub, partition):
    parts = sas.parse(hub.events)
    wrong_key = hub.events.replace(parts["SharedAccessKey"], "A" * 43 + "=")
    no_policy = hub.events.replace("SharedAccessKeyName=iothubowner", "SharedAccessKeyName=nobody")
    for connection_string in (wrong_key, no_policy):
        with eventhub.client(hub, connection_string=connection_string) as client, pytest.raises(AuthenticationError):
            client.get_eventhub_properties()
        with receiving(hub, partition, {"connection_string": connection_string}) as receiver:
            assert isinstance(receiver.failed(), AuthenticationError), receiver.errors
