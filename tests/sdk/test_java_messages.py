"""The unmodified Java service client over AMQP and AMQP over WebSocket: messages to devices, feedback about them, and what
is told of uploaded files."""

import itertools
import time

import pytest

import sas
from java_client import HOSTNAME, NEEDS_JAVA, JavaError, JavaHub, connection_string
from java_objects import Callback, Class, Constant
from test_java import put
from waiting import until

pytestmark = NEEDS_JAVA
HUB = JavaHub
QUEUE = 50
PROTOCOLS = ["AMQPS", "AMQPS_WS"]
names = itertools.count(1)


@pytest.fixture(scope="module")
def options(java):
    """The options of a client with the hub's CA, which the JVM trusts."""
    def make(kind):
        return kind.builder().sslContext(Class(java, "javax.net.ssl.SSLContext").getDefault()).build()

    return make


@pytest.fixture(params=PROTOCOLS)
def sender(request, hub, java, options):
    """An open sender over each transport."""
    package = java.sdk.messaging
    made = package.MessagingClient(hub.service, request.param, options(package.MessagingClientOptions))
    made.open()
    yield made
    made.close()


def message(java, body, ack=None, **fields):
    made = java.sdk.messaging.Message(body)
    made.setMessageId(f"j-message-{next(names)}")
    if ack:
        made.setDeliveryAcknowledgement(ack)
    for name, value in fields.items():
        getattr(made, f"set{name}")(value)
    return made


def thrown(kind, call, *arguments):
    with pytest.raises(JavaError) as raised:
        call(*arguments)
    assert raised.value.type == kind, raised.value
    return raised.value


def test_messages_reach_devices_and_modules(hub, java, sender):
    device = hub.device(f"j-c2d-{next(names)}")
    module = device.add_module("m")
    name = device.id
    java.ask("open", name=name, connectionString=connection_string(device), protocol="AMQPS")
    java.ask("receive", name=name)
    text = module.connection_string.replace("HostName=localhost;", f"HostName={HOSTNAME};")
    java.ask("open", name=f"{name}/m", connectionString=text, protocol="AMQPS")
    java.ask("receive", name=f"{name}/m")
    sent = message(java, b"bytes \xc3\xa4", CorrelationId="c-1", UserId="back end",
                   Properties={"k": "v=1&2", "empty": ""})
    assert sender.isOpen()
    sender.send(device.id, sent)
    seen = java.event("message", name=name)
    assert (seen["body"], seen["messageId"], seen["correlationId"]) == ("bytes ä", sent.getMessageId(), "c-1")
    assert {"k": "v=1&2", "empty": ""}.items() <= dict(seen["app"]).items()
    sender.send(device.id, "m", message(java, "to the module"), 30_000)
    assert java.event("message", name=f"{name}/m")["body"] == "to the module"

    told = Callback(f"sent to {name}")
    for number in range(3):
        sender.sendAsync(device.id, message(java, f"later {number}"), told, f"context {number}")
    results = [arguments[0] for arguments in java.called(told.name, 3)]
    assert all(result.wasSentSuccessfully() and result.getException() is None for result in results)
    assert sorted(result.getContext() for result in results) == ["context 0", "context 1", "context 2"]
    java.event("message", name=name, body="later 2")
    java.ask("close", name=name)
    java.ask("close", name=f"{name}/m")


def test_what_cannot_be_queued_is_refused_and_the_link_goes_on(hub, java, sender):
    full, other = hub.device(f"j-full-{next(names)}"), hub.device(f"j-room-{next(names)}")
    told = Callback(f"sent to {full.id}")
    for number in range(QUEUE):
        sender.sendAsync(full.id, message(java, f"{number}"), told, None)
    assert all(result.wasSentSuccessfully() for (result,) in java.called(told.name, QUEUE))
    thrown("IotHubDeviceMaximumQueueDepthExceededException", sender.send, full.id, message(java, "one too many"))
    thrown("IotHubNotFoundException", sender.send, "j-nobody", message(java, "to nobody"))
    thrown("IotHubNotFoundException", sender.send, full.id, "nothing", message(java, "to no module"))
    thrown("IotHubMessageTooLargeException", sender.send, other.id, message(java, "x" * 70_000))
    thrown("IotHubException", sender.send, other.id, message(java, "late", ExpiryTimeUtc=int(time.time() - 60) * 1000))
    told = Callback(f"refused for {full.id}")
    sender.sendAsync(full.id, message(java, "one too many"), told, None)
    (result,) = java.called(told.name)[0]
    assert not result.wasSentSuccessfully()
    assert result.getException().kind == "IotHubDeviceMaximumQueueDepthExceededException"
    sender.send(other.id, message(java, "fine"))
    assert (hub.registry.queued(full.id), hub.registry.queued(other.id)) == (QUEUE, 1)
    assert hub.registry.request("DELETE", f"/devices/{full.id}/commands").json["totalMessagesPurged"] == QUEUE
    sender.send(full.id, message(java, "room again"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_may_not_send_is_told_so(hub, java, options, protocol):
    package = java.sdk.messaging

    def client(text):
        return package.MessagingClient(text, protocol, options(package.MessagingClientOptions))

    wrong = hub.service.rpartition("SharedAccessKey=")[0] + "SharedAccessKey=bm90IHRoZSBrZXk="
    thrown("IotHubUnauthorizedException", client(wrong).open)
    # A policy that may not send is told when its link is there: the SDK is open until the link is detached.
    reader = client(hub.settings["IRONHUB_POLICY_REGISTRYREAD_CONNECTION_STRING"])
    reader.open()
    until(lambda: not reader.isOpen(), "the link of a policy that may not send is detached")
    thrown("IllegalStateException", reader.send, "j-nobody", message(java, "to nobody"))
    reader.close()


def credential(hub, java):
    parts = sas.parse(hub.settings["IRONHUB_POLICY_SERVICE_CONNECTION_STRING"])
    return java.azure.core.credential.AzureSasCredential(
        sas.token(HOSTNAME, parts["SharedAccessKey"], parts["SharedAccessKeyName"]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_feedback_is_given_back_once_and_then_completed(hub, java, options, protocol):
    """All of it by clients with an AzureSasCredential."""
    package = java.sdk.messaging
    device = hub.device(f"j-feedback-{next(names)}")
    given = credential(hub, java)
    sender = package.MessagingClient(HOSTNAME, given, protocol, options(package.MessagingClientOptions))
    sender.open()
    answers = [Constant(package.AcknowledgementType, name) for name in ("ABANDON", "COMPLETE")]
    told = Callback(f"feedback by {protocol}", *answers)
    processor = package.MessageFeedbackProcessorClient(
        HOSTNAME, given, protocol, told, options(package.MessageFeedbackProcessorClientOptions))
    processor.start()
    assert processor.isRunning()
    purged, silent = message(java, "purged", "Full"), message(java, "silent", "None")
    late = message(java, "late", "NegativeOnly", ExpiryTimeUtc=int(time.time() * 1000) + 1500)
    for one in (purged, silent, late):
        sender.send(device.id, one)
    until(lambda: hub.registry.queued(device.id) == 2, "one has expired")
    assert hub.registry.request("DELETE", f"/devices/{device.id}/commands").json["totalMessagesPurged"] == 2
    seen = []

    def records():
        # A batch that was given back comes again, so each is told at least twice or in a later batch.
        seen[:] = [(record.getOriginalMessageId(), record.getStatusCode(), record.getDeviceId(), record.getDescription())
                   for (batch,) in java.called(told.name) for record in batch.getRecords()]
        return {name for name, *_ in seen} >= {purged.getMessageId(), late.getMessageId()} and len(seen) > 2

    until(records, lambda: f"feedback of the purged and the expired message; there is {seen}")
    # The SDK has no name for the first of them.
    assert (purged.getMessageId(), "unknown", device.id, "Purged") in seen
    assert (late.getMessageId(), "expired", device.id, "Expired") in seen
    assert silent.getMessageId() not in {name for name, *_ in seen}
    processor.stop()
    sender.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_uploads_are_told_again_until_completed(hub, java, options, protocol):
    package = java.sdk.messaging
    device = hub.device(f"j-upload-{next(names)}")
    answers = [Constant(package.AcknowledgementType, name) for name in ("ABANDON", "COMPLETE")]
    told = Callback(f"files by {protocol}", *answers)
    processor = package.FileUploadNotificationProcessorClient(
        hub.service, protocol, told, options(package.FileUploadNotificationProcessorClientOptions))
    processor.start()
    java.ask("open", name=device.id, connectionString=connection_string(device), protocol="HTTPS")
    ticket = java.ask("uploadUri", name=device.id, blobName="folder/file.txt")
    put(hub, ticket["uri"], b"12345")
    java.ask("uploadDone", name=device.id, correlationId=ticket["correlationId"], isSuccess=True)
    (first,), (again,) = java.called(told.name, 2)[:2]
    for said in (first, again):
        assert (said.getDeviceId(), said.getBlobName()) == (device.id, f"{device.id}/folder/file.txt")
        assert said.getBlobSizeInBytes() == 5 and said.getBlobUri().startswith("https://")
        assert said.getEnqueuedTimeUtcDate() > 0 and said.getLastUpdatedTimeDate() > 0
    processor.stop()
    assert not processor.isRunning()
    java.ask("close", name=device.id)
