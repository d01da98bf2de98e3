"""The same operations leave the same behind, whichever transport the device uses."""

import json
import re

import pytest

import eventhub
from feedback import Feedback
from https_device import HttpsDevice
from messages import CREATED, EXPIRY
from on_each import outcomes, result
from programs import KINDS, with_features

NORMAL = [
    (r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)?", "TIME"),
    (r'"deviceEtag":"[^"]*"', '"deviceEtag":"…"'),
    (r'"generationId":"[^"]*"', '"generationId":"…"'),
    (r'"deviceGenerationId": ?"[^"]*"', '"deviceGenerationId":"…"'),
]
STAMPS = {"x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time", "iothub-enqueuedtime",
          "iothub-connection-auth-generation-id"}
# Node writes the address of an AMQP link or an HTTPS path into the message; the others write none.
WRITTEN_BY_SOME = {"to"}
KEPT_HEADERS = ("iothub-", "content", "etag")
CHANGING_HEADERS = {"iothub-enqueuedtime", "etag", "content-length", "iothub-expiry"}


# What every transport can say: header values are visible ASCII, and Node writes no user id over AMQP.
MESSAGES = [
    {"body": b'{"json": true}', "messageId": "id/1 x", "correlationId": "c&1=2", "contentType": "application/json",
     "contentEncoding": "utf-8", "expiryTimeUtc": EXPIRY.isoformat(), "app": [["plain", "v=1+2"], ["empty", ""]]},
    {"body": bytes(range(256)), "messageId": "2", "app": [["percent", "100%25"], ["signs", "c?d#e/f"]]},
    {"body": b"bare", "app": []},
    {"body": b"", "app": [["only", "properties"]]},
    {"body": b"timed", "app": [["iothub-creation-time-utc", CREATED]]},
]


def normal(text, device):
    for pattern, name in NORMAL:
        text = re.sub(pattern, name, text)
    return text.replace(device.id, "DEVICE")


def script(hub, service, agent, kind):
    """Everything a device and its back end do with each other. Returns what the calls returned."""
    device = hub.device(f"same-{kind.name}")
    answers, sent = [], []
    service.desire(device, {"interval": 5, "limits": {"low": 1, "high": 9.5}})
    sent += [service.send(device.id, f"queued {number}", ack="full", messageId=f"q{number}-{kind.name}")
             for number in range(3)]
    program = kind.open(device, agent)
    try:
        for message in MESSAGES:
            program.send(message)
        program.listen()
        for _ in range(3):
            program.settle(program.take())
        sent.append(service.send(device.id, "live", ack="positive", messageId=f"live-{kind.name}", key="value"))
        program.settle(program.take())
        if "twin" in kind.features:
            program.watch()
            # What was written before the first subscription is told, or has been read; only what comes now counts.
            program.report({"version": "1.0", "network": {"ip": "10.0.0.1", "up": True}, "list": [1, {"a": "b"}]})
            program.report({"network": {"up": None, "down": []}, "version": None})
            answers.append(program.twin())
            replaced = service.replace_desired(device, {"interval": 6})
            version = replaced.properties.desired["$version"]
            patches = [program.desired.take()]
            while patches[-1]["$version"] < version:
                patches.append(program.desired.take())
            answers.append(patches[-1])
            program.answer_methods()
            answers.append(service.invoke(device, "reboot", {"status": 201, "deep": {"er": [None]}}))
    finally:
        program.close()
    hub.registry.update_twin(device, {"tags": {"floor": 3}, "properties": {"desired": {"last": "word"}}})
    for number in range(2):
        sent.append(service.send(
            device.id, f"left {number}", ack="negative", messageId=f"l{number}-{kind.name}", n=f"{number}"))
    return device, answers, sent


def queue(device, kind):
    """What is left in the queue, taken over HTTPS."""
    reader = HttpsDevice(device)
    found = []
    while taken := reader.take():
        lock, headers, body = taken
        kept = sorted(
            (name.lower(), value.replace(device.id, "DEVICE").replace(kind.name, "KIND"))
            for name, value in headers.items()
            if name.lower().startswith(KEPT_HEADERS) and name.lower() not in CHANGING_HEADERS)
        found.append((kept, body))
        reader.settle(lock)
    reader.close()
    return found


@pytest.fixture(scope="module")
def traces(hub, agent, service):
    """What each transport left, made comparable."""
    feedback = Feedback(hub, agent)
    kinds = with_features("c2d")
    ran = outcomes(kinds, lambda kind: script(hub, service, agent, kind))
    stored = eventhub.read_all(hub)

    def trace(kind):
        device, answers, sent = result(ran, kind)
        twin = hub.registry.request("GET", f"/twins/{device.id}").text
        events = []
        for event in eventhub.of_device(stored, device.id):
            system = {name: value for name, value in event["system"].items() if name not in STAMPS | WRITTEN_BY_SOME}
            said = json.dumps([eventhub.body(event).hex(), event["app"], system], sort_keys=True)
            events.append(normal(said, device).replace(device.id.encode().hex(), "DEVICE"))
        records = [normal(json.dumps(feedback.of(message_id)), device).replace(kind.name, "KIND")
                   for message_id in sent[:4]]
        return {
            "twin": normal(twin, device), "answers": normal(json.dumps(answers), device), "events": events,
            "queue": queue(device, kind), "feedback": records,
        }

    found = outcomes(kinds, trace)
    feedback.close()
    return found


BASE = next(kind for kind in KINDS if kind.name == "node-mqtt")
OTHERS = [kind for kind in with_features("c2d") if kind is not BASE]


@pytest.mark.feature("the same operations leave the same behind")
@pytest.mark.parametrize("kind", OTHERS, ids=[kind.name for kind in OTHERS])
def test_the_same_operations_leave_the_same_behind(traces, kind):
    base, found = dict(result(traces, BASE)), dict(result(traces, kind))
    assert len(base["events"]) == 5 and len(base["queue"]) == 2 and len(base["feedback"]) == 4
    assert json.loads(base["twin"])["properties"]["reported"]["network"]["down"] == []
    if kind.transport == "HTTPS":
        # Neither twins nor methods.
        for one in (base, found):
            del one["twin"], one["answers"]
    for part in base:
        assert found[part] == base[part], part


def test_the_twins_of_all_transports_are_byte_for_byte_the_same(traces):
    twins = {kind.name: result(traces, kind)["twin"] for kind in with_features("twin")}
    assert len(set(twins.values())) == 1, twins
