"""What a hub knows of its devices after a kill -9 in the middle of everything."""

import base64

import pytest

from agent import Agent
from certificates import Certificate
from feedback import Feedback
from https_device import HttpsDevice
from hub import Hub
from programs import KINDS
from python_program import PythonProgram, storage
from service import Service
from waiting import until

BY_NAME = {kind.name: kind for kind in KINDS}
PYTHON = next(kind for kind in KINDS if kind.make is PythonProgram)


class Before:
    """A hub with a past: what was done before it was killed."""

    def __init__(self, hub, directory):
        self.hub = hub
        self.service = Service(hub)
        self.twin_device = hub.device("twin")
        self.queue_device = hub.device("queue")
        self.session_device = hub.device("session")
        self.upload_device = hub.device("upload")
        self.module = self.twin_device.add_module("mod1")
        self.ca = Certificate(directory, "ca", ca=True)
        answer = hub.registry.request("PUT", "/certificates/ca", {
            "properties": {"certificate": base64.b64encode(self.ca.pem.encode()).decode(), "isVerified": True}})
        assert answer.status in (200, 201), answer
        self.twins()
        self.queue()
        self.session()
        self.upload()
        self.service.close()

    def twins(self):
        program = BY_NAME["paho-mqtt"].open(self.twin_device, None)
        self.versions = [program.report({"n": number}) for number in range(5)]
        program.close()
        self.hub.registry.update_twin(self.twin_device, {
            "tags": {"a": 1}, "properties": {"desired": {"b": {"c": [2]}}}})
        self.service.desire(self.module, {"of": "the module"})
        self.documents = [self.hub.registry.twin(one) for one in (self.twin_device, self.module)]

    def queue(self):
        reader = HttpsDevice(self.queue_device)
        self.sent = [self.service.send(self.queue_device.id, f"{number}", ack="full", k="v") for number in range(4)]
        for _ in range(2):
            reader.settle(reader.take()[0], "abandon")
        # Completed, and nobody was told yet.
        lock, headers, _ = reader.take()
        assert headers["iothub-messageid"] == self.sent[0] and headers["iothub-deliverycount"] == "2", headers
        reader.settle(lock)
        # Locked when the hub dies.
        self.lock, headers, _ = reader.take()
        assert headers["iothub-messageid"] == self.sent[1]
        reader.close()

    def session(self):
        self.unacknowledging = BY_NAME["paho-mqtt"].open(
            self.session_device, None, clean=False, acknowledge=False)
        self.unacknowledging.listen()
        self.service.send(self.session_device.id, "unacknowledged")
        self.unacknowledging.take()
        self.service.send(self.session_device.id, "second")

    def upload(self):
        program = PYTHON.open(self.upload_device, None)
        program.upload("kept", b"content" * 1000)
        self.ticket = program.client.get_storage_info_for_blob("kept")
        program.close()


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    root = tmp_path_factory.mktemp("restart")
    hub = Hub(root / "data", root / "hub.log", "--hub-partitions", "4").start()
    try:
        done = Before(hub, root)
        hub.kill()
        hub.start()
        yield done
    finally:
        hub.stop()


def without_state(twin):
    return {name: value for name, value in twin.items() if name not in ("connectionState", "lastActivityTime")}


def test_twins_are_what_they_were_and_versions_go_on(before):
    now = [before.hub.registry.twin(one) for one in (before.twin_device, before.module)]
    assert [without_state(twin) for twin in now] == [without_state(twin) for twin in before.documents]
    program = BY_NAME["paho-mqtt"].open(before.twin_device, None)
    assert before.versions == list(range(before.versions[0], before.versions[0] + 5))
    assert program.report({"n": 5}) == before.versions[-1] + 1
    program.close()


def test_a_queue_keeps_its_order_its_counts_and_its_locks(before):
    reader = HttpsDevice(before.queue_device)
    assert before.hub.registry.queued(before.queue_device.id) == 3
    # The second is locked still, by a token that is good still.
    lock, headers, body = reader.take()
    assert (headers["iothub-messageid"], body, headers["iothub-app-k"]) == (before.sent[2], b"2", "v")
    reader.settle(before.lock)
    reader.settle(lock, "abandon")
    lock, headers, _ = reader.take()
    assert (headers["iothub-messageid"], headers["iothub-deliverycount"]) == (before.sent[2], "1")
    reader.settle(lock)
    reader.settle(reader.take()[0], "reject")
    assert reader.take() is None
    reader.close()


def test_feedback_and_file_notifications_are_told_all_the_same(before):
    agent = Agent(before.hub)
    try:
        feedback = Feedback(before.hub, agent)
        assert feedback.of(before.sent[0])["statusCode"] == "Success"
        name = agent.name("files")
        agent.ask("service", client=name, transport="amqp", connectionString=before.hub.service)
        agent.ask("files", client=name)
        assert agent.inbox(name, "file").take()["records"]["blobName"] == f"{before.upload_device.id}/kept"
    finally:
        agent.close()


def test_an_mqtt_session_goes_on_where_it_was(before):
    assert before.unacknowledging.gone.wait(60)
    program = BY_NAME["paho-mqtt"].open(before.session_device, None, clean=False)
    assert program.session_present == 1
    assert [program.take()["body"] for _ in range(2)] == [b"unacknowledged", b"second"]
    until(lambda: before.hub.registry.queued(before.session_device.id) == 0, "all are completed")
    program.close()


def test_what_was_uploaded_is_there(before):
    assert storage(before.hub, before.ticket).download_blob().readall() == b"content" * 1000


def test_authorities_and_modules_are_known(before):
    answer = before.hub.registry.request("GET", "/certificates/ca")
    assert answer.status == 200 and answer.json["properties"]["thumbprint"] == before.ca.thumbprint(), answer
    program = PYTHON.open(before.module, None)
    assert program.twin()["desired"]["of"] == "the module"
    program.close()
