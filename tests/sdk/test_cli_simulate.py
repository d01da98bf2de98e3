"""`ironhub device simulate` over every transport, watched with the real Event Hubs and service SDKs."""

import json
import os
import signal
import subprocess
import threading

import pytest

import eventhub
from feedback import Feedback
from waiting import LIMIT, until

PROTOCOLS = ["mqtt", "mqtt-ws", "amqp", "amqp-ws", "https"]
WITH_TWIN = [protocol for protocol in PROTOCOLS if protocol != "https"]


class Simulation:
    """The command while it runs; `lines` are the objects that it has printed."""

    def __init__(self, hub, *arguments):
        self.lines = []
        self.process = subprocess.Popen(
            [os.environ["IRONHUB_BIN"], "device", "simulate", "--json", *arguments], cwd=hub.data.parent,
            env={**os.environ, "IRONHUB_DATA_DIR": str(hub.data)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def told(self, event, device_id, **fields):
        """Waits for an event of a device with these fields, and returns it."""
        wanted = {"event": event, "deviceId": device_id, **fields}

        def found():
            alive = self.process.poll() is None
            hits = [line for line in list(self.lines) if wanted.items() <= line.items()]
            assert hits or alive or self.reader.is_alive(), f"it ended without {wanted}: {self.lines}"
            return hits

        return until(found, lambda: f"{wanted} among {self.lines}")[0]

    def ended(self, expect=0):
        """Waits for its end by itself; returns the summary."""
        code = self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        assert code == expect, (code, self.process.stderr.read(), self.lines)
        assert self.lines[-1]["event"] == "summary", self.lines
        return self.lines[-1]

    def stop(self, expect=0):
        """Ctrl-C; returns the summary."""
        self.process.send_signal(signal.SIGINT)
        return self.ended(expect)


@pytest.fixture
def simulate(hub):
    """Starts simulations, and ends those that the test did not."""
    running = []

    def start(*arguments):
        running.append(Simulation(hub, *arguments))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(LIMIT)


@pytest.fixture(scope="module")
def feedback(hub, agent):
    made = Feedback(hub, agent)
    yield made
    made.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_telemetry_arrives_with_everything(hub, events, simulate, protocol):
    running = simulate(
        "--count", "2", "--prefix", f"{protocol}-", "--create", "--protocol", protocol, "--messages", "3",
        "--interval", "20ms", "--property", "room=kitchen & more", "--body", '{"of":"{device}","n":{number}}')
    summary = running.ended()
    expected = {"devices": 2, "telemetryStored": 6, "telemetryNotTaken": 0, "telemetryUnanswered": 0, "connections": 2}
    assert expected.items() <= summary.items()
    for device_id in (f"{protocol}-1", f"{protocol}-2"):
        found = events.of(device_id, 3)
        # Each once: nothing was sent again.
        assert [json.loads(eventhub.body(event)) for event in found] == [{"of": device_id, "n": n} for n in (1, 2, 3)]
        for number, event in enumerate(found, start=1):
            assert event["app"] == {"room": "kitchen & more"}
            assert event["system"]["message-id"] == str(number)
            assert event["system"]["content-type"] == "application/json"
            assert event["system"]["content-encoding"] == "utf-8"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_largest_content_arrives_whole(hub, events, simulate, protocol):
    device_id = f"{protocol}-large"
    running = simulate(device_id, "--create", "--protocol", protocol, "--messages", "2", "--size", "261120",
                       "--interval", "1ms")
    assert running.ended()["telemetryStored"] == 2
    for event in events.of(device_id, 2):
        assert eventhub.body(event) == b"x" * 261120


def test_messages_are_completed_over_every_protocol(hub, service, feedback, simulate):
    """All at once: the hub collects feedback for up to 15 s."""
    sent = []
    for protocol in PROTOCOLS:
        one, two = hub.device(f"{protocol}-c2d-1"), hub.device(f"{protocol}-c2d-2")
        early = service.send(one.id, "waits for the device", ack="full", room="cellar")
        running = simulate(one.id, two.id, "--protocol", protocol, "--messages", "0")
        came = running.told("messageReceived", one.id, messageId=early)
        assert (came["body"], came["properties"]) == ("waits for the device", {"room": "cellar"})
        running.told("connected", two.id)
        late = service.send(two.id, "x" * 60000, ack="full")
        assert running.told("messageReceived", two.id, messageId=late)["body"] == "x" * 60000
        sent.append((running, one, early))
        sent.append((running, two, late))
    for running, device, message in sent:
        running.told("messageCompleted", device.id, messageId=message)
        assert feedback.of(message)["statusCode"] == "Success"
        until(lambda d=device: hub.registry.queued(d.id) == 0, lambda d=device: f"the queue of {d.id} is empty")
    for running in {id(running): running for running, _, _ in sent}.values():
        summary = running.stop()
        assert (summary["messagesReceived"], summary["messagesCompleted"]) == (2, 2)


@pytest.mark.parametrize("protocol", WITH_TWIN)
def test_methods_are_answered_with_their_payload(hub, service, simulate, protocol):
    devices = [hub.device(f"{protocol}-call-{number}") for number in (1, 2)]
    running = simulate(*(device.id for device in devices), "--protocol", protocol, "--interval", "50ms")
    for payload in ({"delay": [1, None, "ü"]}, "text", 7):
        for device in devices:
            # `connect` lets the hub wait for the device.
            assert service.invoke(device, "echo", payload) == (200, payload)
            running.told("methodCalled", device.id, method="echo", payload=payload, status=200)
    # In the middle of telemetry.
    running.told("telemetryStored", devices[0].id, number=3)
    summary = running.stop()
    assert summary["methodsAnswered"] == 6
    assert summary["telemetryStored"] >= 3 and summary["telemetryUnanswered"] == 0


@pytest.mark.parametrize("protocol", WITH_TWIN)
def test_what_is_desired_is_reported(hub, service, simulate, protocol):
    device = hub.device(f"{protocol}-twin")
    service.desire(device, {"interval": 10})
    running = simulate(device.id, "--protocol", protocol, "--messages", "0")

    def reported():
        shown = service.twin(device).properties.reported
        return {key: value for key, value in shown.items() if not key.startswith("$")}

    first = {"simulated": {"protocol": protocol, "desiredVersion": 2}, "interval": 10}
    until(lambda: reported() == first, lambda: f"{first}; it is {reported()}")
    service.desire(device, {"interval": None, "deep": {"a": 1}})
    running.told("desiredChanged", device.id, version=3, patch={"interval": None, "deep": {"a": 1}, "$version": 3})
    then = {"simulated": {"protocol": protocol, "desiredVersion": 3}, "deep": {"a": 1}}
    until(lambda: reported() == then, lambda: f"{then}; it is {reported()}")
    running.told("reported", device.id, version=3)
    summary = running.stop()
    # The hub also told of the change that the device had missed, which it had read by then or reads later: one report.
    assert summary["reports"] == 2


def test_a_device_needs_only_its_own_connection_string(hub, events, simulate):
    device = hub.device("own-string")
    simulate("--connection-string", device.connection_string, "--messages", "1").ended()
    events.of(device.id, 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_key_is_final(hub, simulate, protocol):
    device = hub.device(f"{protocol}-wrong-key")
    string = f"HostName=localhost;DeviceId={device.id};SharedAccessKey={'A' * 43}="
    running = simulate("--connection-string", string, "--protocol", protocol)
    running.told("gaveUp", device.id)
    assert running.ended(expect=1)["gaveUp"] == 1
