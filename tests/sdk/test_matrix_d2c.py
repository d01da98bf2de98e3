"""Telemetry with each SDK over each transport: all properties, 256 KB, batches."""

import pytest

import eventhub
from messages import expected, seen, variant
from on_each import on_each, outcomes, result
from programs import with_features

VARIANTS = 5
# Node writes the addresses of AMQP links and of HTTPS paths into the message, which count; so not quite all of it.
LARGE = 256 * 1024 - 512


def simple(body, **properties):
    return {"body": body, "app": [[name, value] for name, value in properties.items()]}


def allowed(kind, message):
    """The message without what an SDK cannot say over its transport."""
    message = {**message, "app": [pair for pair in message["app"] if kind.name != "node-http" or ascii_pair(pair)]}
    if kind.client.startswith("Node") and kind.transport.startswith("AMQP"):
        # The SDK never writes the user id over AMQP.
        message.pop("userId", None)
    return message


def ascii_pair(pair):
    """Header names are tokens and values are visible: https clients refuse the others before they send."""
    name, value = pair
    return name.isascii() and value.isascii() and all(one.isalnum() or one in "-_" for one in name)


def messages_of(kind, device):
    messages = [allowed(kind, variant(device.id, number)) for number in range(VARIANTS)]
    return [*messages, simple(bytes(number % 253 for number in range(LARGE))), simple(b"the last", order="kept")]


@pytest.fixture(scope="module")
def sent(hub, agent):
    """What every program sent, before anybody looks for it."""

    def send(kind):
        device = hub.device(f"d2c-{kind.name}")
        program = kind.open(device, agent)
        try:
            messages = messages_of(kind, device)
            for message in messages:
                program.send(message)
        finally:
            program.close()
        return device, messages

    return outcomes(with_features("d2c"), send)


@on_each("D2C: all properties, 256 KB", "d2c")
def test_messages_are_read_back_as_they_were_sent(sent, events, kind):
    device, messages = result(sent, kind)
    found = events.of(device.id, len(messages))
    for number, (message, event) in enumerate(zip(messages, found, strict=True)):
        assert seen(event) == expected(message), f"message {number} of {kind.name}"
        assert event["system"]["iothub-connection-device-id"] == device.id
        assert event["system"]["iothub-connection-auth-generation-id"] == device.record["generationId"]
        assert event["system"]["iothub-message-source"] == "Telemetry"


@on_each("D2C: batches", "batch")
def test_a_batch_is_stored_as_its_messages(hub, events, start, kind):
    device = hub.device(f"batch-{kind.name}")
    program = start(kind, device)
    batch = [simple(f"{number}".encode(), n=f"{number}") for number in range(20)]
    program.send_batch(batch)
    found = events.of(device.id, len(batch))
    assert [seen(event) for event in found] == [expected(message) for message in batch]


@on_each("D2C: batches", "batch")
def test_a_batch_of_a_quarter_megabyte_is_stored_and_a_larger_one_is_not(hub, events, start, kind):
    device = hub.device(f"large-batch-{kind.name}")
    program = start(kind, device)
    program.send_batch([simple(b"x" * 65000, n=f"{number}") for number in range(4)])
    with pytest.raises(Exception, match="(?i)large|413"):
        program.send_batch([simple(b"x" * 65000, n=f"{number}") for number in range(5)])
    program.send(simple(b"after"))
    found = events.of(device.id, 5)
    assert [len(eventhub.body(event)) for event in found] == [65000] * 4 + [5]
