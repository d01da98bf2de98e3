"""The messages of the telemetry test: what each client sends, and what must be read back."""

import base64
import datetime
import urllib.parse

EXPIRY = datetime.datetime(2031, 2, 3, 4, 5, 6)
EXPIRY_MS = int(EXPIRY.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
CREATED = "2021-04-21T11:30:16Z"
CREATED_MS = 1619004616000

# Names of a message's fields here (as Node calls them), in the topic, and in what the consumers see.
SYSTEM = {
    "messageId": ("$.mid", "message-id"),
    "correlationId": ("$.cid", "correlation-id"),
    "userId": ("$.uid", "user-id"),
    "contentType": ("$.ct", "content-type"),
    "contentEncoding": ("$.ce", "content-encoding"),
    "expiryTimeUtc": ("$.exp", "absolute-expiry-time"),
}
# How @azure/event-hubs calls the same.
NODE_NAMES = {
    "messageId": "message-id", "correlationId": "correlation-id", "userId": "user-id", "contentType": "content-type",
    "contentEncoding": "content-encoding", "absoluteExpiryTime": "absolute-expiry-time", "to": "to",
    "creationTime": "creation-time",
}
# Stamped by the hub; checked apart.
STAMPED = {
    "x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time", "x-opt-partition-key", "to",
    "iothub-connection-device-id", "iothub-connection-auth-generation-id", "iothub-connection-auth-method",
    "iothub-enqueuedtime", "iothub-message-source",
}


def variant(device_id, number):
    """Message `number` of a device. Five kinds take turns, so that every property is sent and left out."""
    message = {"app": [], "body": f"{device_id} #{number}".encode()}
    kind = number % 5
    if kind == 0:
        message |= {
            "messageId": f"id/{number} x", "correlationId": "c&1=2", "userId": "u$1",
            "contentType": "application/json", "contentEncoding": "utf-8", "expiryTimeUtc": EXPIRY.isoformat(),
            "app": [["k 1", "v=1+2"], ["empty", ""], ["ümläut", "grün €"]],
            "body": f'{{"device": "{device_id}", "n": {number}, "text": "ä"}}'.encode(),
        }
    elif kind == 1:
        message |= {"messageId": f"{number}", "app": [["n", str(number)], ["a/b", "c?d#e"]]}
    elif kind == 2:
        message |= {"contentType": "application/octet-stream", "body": bytes(range(256)) + str(number).encode()}
    elif kind == 3:
        message |= {"app": [["iothub-creation-time-utc", CREATED], ["percent", "100%25"]]}
    return message


def sendable(message):
    """For JSON."""
    return {**message, "body": base64.b64encode(message["body"]).decode()}


def bag(message):
    """The property bag as a person writes it by hand: system names with a raw `$`."""
    pairs = [(SYSTEM[name][0], value) for name, value in message.items() if name in SYSTEM]
    quoted = [f"{name}={urllib.parse.quote(value, safe='')}" for name, value in pairs]
    for name, value in message["app"]:
        name = urllib.parse.quote(name, safe="")
        quoted.append(name if value is None else f"{name}={urllib.parse.quote(value, safe='')}")
    return "&".join(quoted)


def expected(message):
    """What a consumer must see of it, apart from the stamps."""
    system = {SYSTEM[name][1]: value for name, value in message.items() if name in SYSTEM}
    if "absolute-expiry-time" in system:
        system["absolute-expiry-time"] = EXPIRY_MS
    return {"body": base64.b64encode(message["body"]).decode(), "system": system, "app": dict(message["app"])}


def seen(event):
    """The same of an event that was read, by either SDK."""
    system = {NODE_NAMES.get(name, name): value for name, value in event["system"].items()}
    app = dict(event["app"])
    # Consumers find the creation time among the annotations or among the properties; both are documented.
    if "iothub-creation-time-utc" in system:
        app.setdefault("iothub-creation-time-utc", system.pop("iothub-creation-time-utc"))
        assert system.pop("creation-time", CREATED_MS) == CREATED_MS
    return {
        "body": event["body"],
        "system": {name: value for name, value in system.items() if name not in STAMPED},
        "app": app,
    }

