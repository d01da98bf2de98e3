"""A device or module program on Python's azure-iot-device."""

from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient, Message, MethodResponse, X509
from azure.storage.blob import BlobClient

from agent import Inbox
from messages import EXPIRY

READ = {
    "messageId": "message_id", "correlationId": "correlation_id", "userId": "user_id", "contentType": "content_type",
    "contentEncoding": "content_encoding", "expiryTimeUtc": "expiry_time_utc", "ack": "ack",
}


def python_message(message):
    """A message of messages.py as the SDK's."""
    made = Message(
        message["body"], message.get("messageId"), message.get("contentEncoding"), message.get("contentType"))
    made.correlation_id = message.get("correlationId")
    made.user_id = message.get("userId")
    if "expiryTimeUtc" in message:
        made.expiry_time_utc = EXPIRY
    made.custom_properties = dict(message["app"])
    return made


def method_answer(name, payload):
    """(status, payload) that every program answers a call with; None for a method that never answers."""
    if name == "silent":
        return None
    status = payload.get("status", 200) if isinstance(payload, dict) else 200
    return status, payload if name == "echo" else {"method": name, "got": payload}


class PythonProgram:
    """The synchronous client with handlers; `certificate` is a (certificate file, key file) pair."""

    def __init__(self, kind, identity, _agent, certificate=None, **options):
        self.hub = identity.hub
        self.identity = identity
        self.messages = self
        self.raw = Inbox(f"C2D message of {kind.name}")
        self.desired = Inbox(f"desired notification of {kind.name}")
        self.calls = Inbox(f"method call of {kind.name}")
        with open(self.hub.ca, encoding="ascii") as file:
            options = {
                "server_verification_cert": file.read(), "websockets": kind.wire.endswith("-ws"),
                "connection_retry": False, **options,
            }
        Client = IoTHubModuleClient if identity.module else IoTHubDeviceClient
        if certificate:
            names = {"module_id": identity.module} if identity.module else {}
            self.client = Client.create_from_x509_certificate(
                X509(*certificate), "localhost", identity.id, **names, **options)
        else:
            self.client = Client.create_from_connection_string(identity.connection_string, **options)
        try:
            self.client.connect()
        except Exception:
            self.client.shutdown()
            raise

    def send(self, message):
        self.client.send_message(python_message(message))

    def output(self, name, message):
        self.client.send_message_to_output(python_message(message), name)

    def listen(self):
        self.client.on_message_received = self.raw.put

    def take(self, limit=60):
        found = self.raw.take(limit)
        message = {"body": found.data, "app": dict(found.custom_properties)}
        for name, attribute in READ.items():
            value = getattr(found, attribute)
            if value is not None:
                message[name] = value
        return message

    def empty(self):
        return self.raw.empty()

    def settle(self, message, outcome="complete"):
        # The SDK has acknowledged the message by itself.
        assert outcome == "complete"

    def twin(self):
        return self.client.get_twin()

    def report(self, patch):
        self.client.patch_twin_reported_properties(patch)

    def watch(self):
        self.client.on_twin_desired_properties_patch_received = self.desired.put

    def answer_methods(self):
        def on_call(request):
            self.calls.put({"name": request.name, "payload": request.payload})
            answer = method_answer(request.name, request.payload)
            if answer:
                self.client.send_method_response(MethodResponse(request.request_id, *answer))

        self.client.on_method_request_received = on_call

    def upload(self, name, content):
        """As the SDK's samples do it; returns the client that uploaded."""
        info = self.client.get_storage_info_for_blob(name)
        blob = storage(self.hub, info)
        uploaded = blob.upload_blob(content)
        assert uploaded["etag"], uploaded
        self.client.notify_blob_upload_status(info["correlationId"], True, 200, "done")
        return blob

    def close(self):
        self.client.shutdown()


def storage(hub, info):
    """azure-storage-blob on what step 1 of an upload said."""
    url = f"https://{info['hostName']}/{info['containerName']}/{info['blobName']}{info['sasToken']}"
    return BlobClient.from_blob_url(url, connection_verify=hub.ca, max_single_put_size=1 << 20, max_block_size=1 << 19)
