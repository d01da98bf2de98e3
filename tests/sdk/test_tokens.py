"""Who may connect: keys, policies, and every SDK's way of writing a token."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse

import pytest
from azure.iot.device import IoTHubDeviceClient
from azure.iot.device.exceptions import CredentialError

import eventhub
import sas
from mqtt import Mqtt
from node_client import node


def certificate(hub):
    with open(hub.ca, encoding="ascii") as file:
        return file.read()


def send_through(client, body):
    try:
        client.connect()
        client.send_message(body)
    finally:
        client.shutdown()


def connect_and_send(hub, connection_string, body):
    send_through(IoTHubDeviceClient.create_from_connection_string(
        connection_string, server_verification_cert=certificate(hub), connection_retry=False), body)


def test_the_sdks_connect_with_primary_secondary_and_policy_key(hub, device):
    policy = sas.parse(hub.service)
    owner, key = policy["SharedAccessKeyName"], policy["SharedAccessKey"]
    connect_and_send(hub, device.connection_string, "primary")
    connect_and_send(hub, device.connection_string.replace(device.primary, device.secondary), "secondary")
    # The Python SDK takes a policy only as a finished token, Node as a part of the connection string.
    token = sas.token(f"localhost/devices/{device.id}", key, owner)
    send_through(IoTHubDeviceClient.create_from_sastoken(
        token, server_verification_cert=certificate(hub), connection_retry=False), "policy, Python")
    by_policy = f"HostName=localhost;DeviceId={device.id};SharedAccessKeyName={owner};SharedAccessKey={key}"
    body = base64.b64encode(b"policy, Node").decode()
    node(hub, "send.mjs", [{"connectionString": by_policy, "messages": [{"body": body, "app": []}]}])
    events = eventhub.wait_for(hub, device.id, 4)
    assert [eventhub.body(event) for event in events] == [b"primary", b"secondary", b"policy, Python", b"policy, Node"]
    scopes = [json.loads(event["system"]["iothub-connection-auth-method"])["scope"] for event in events]
    assert scopes == ["device", "device", "hub", "hub"]


def test_the_sdk_is_told_that_its_key_is_wrong(hub, device):
    wrong = base64.b64encode(b"not the key of this device at al").decode()
    with pytest.raises(CredentialError):
        connect_and_send(hub, device.connection_string.replace(device.primary, wrong), "never")


def written(resource, key, order="sr sig se", upper=True, policy=None):
    """A token with its fields in this order, signed over `resource` exactly as it stands."""
    expiry = str(int(time.time()) + 3600)
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    if not upper:
        signature = signature.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d")
    fields = {"sr": resource, "sig": signature, "se": expiry, "skn": policy}
    return "SharedAccessSignature " + "&".join(f"{name}={fields[name] or ''}" for name in order.split())


async def test_every_sdks_way_of_writing_a_token_is_accepted(hub, device):
    policy = sas.parse(hub.service)
    owner, owner_key = policy["SharedAccessKeyName"], policy["SharedAccessKey"]
    for label, token in [
        ("Python", written(f"localhost%2Fdevices%2F{device.id}", device.primary)),
        ("Node", written(f"localhost%2Fdevices%2F{device.id}", device.primary, "sr sig se")),
        ("C", written(f"localhost/devices/{device.id}", device.primary, upper=False)),
        ("C, empty policy", written(f"localhost/devices/{device.id}", device.primary, "sr sig se skn", False)),
        ("C, device as policy", written(f"localhost/devices/{device.id}", device.primary, "sr sig se skn",
                                        policy=device.id)),
        ("Java", written(f"localhost/devices/{device.id}", device.primary, "sig se sr")),
        ("C#", written(urllib.parse.quote_plus(f"localhost/devices/{urllib.parse.quote_plus(device.id)}"),
                       device.secondary)),
        ("lower-case escapes", written(f"localhost%2fdevices%2f{device.id}", device.primary)),
        ("host in capitals", written(f"LOCALHOST%2Fdevices%2F{device.id}", device.primary)),
        ("policy, whole hub", written("localhost", owner_key, "sr sig skn se", policy=owner)),
        ("policy, all devices", written("localhost%2Fdevices", owner_key, "sig se skn sr", policy=owner)),
        ("policy, one device", written(f"localhost%2Fdevices%2F{device.id}", owner_key, "sr sig se skn", policy=owner)),
    ]:
        client = await Mqtt.open(hub)
        client.send_connect(device.id, device.user, token)
        assert await client.return_code() == 0, label
        await client.disconnect()


async def test_every_form_of_the_user_name_is_accepted(hub, device):
    for user in (
        f"localhost/{device.id}/?api-version=2021-04-12",
        f"localhost/{device.id}/?api-version=2019-10-01&DeviceClientType=py-azure-iot-device%2F2.14.0%28x%3By%29",
        f"localhost/{device.id}/?api-version=2020-09-30&model-id=dtmi:acme:x;1&DeviceClientType=a b c",
        f"localhost/{device.id}/api-version=2016-11-14",
        f"localhost/{device.id}/",
        f"localhost/{device.id}",
    ):
        await (await Mqtt.connect(device, user=user)).disconnect()


async def test_wrong_credentials_are_answered_with_return_code_5(hub, device):
    other = hub.device(device.id + "-x")
    disabled = hub.registry.create(device.id + "-off", status="disabled")
    off_key = disabled["authentication"]["symmetricKey"]["primaryKey"]
    off = disabled["deviceId"]
    past = int(time.time()) - 3600
    for label, client_id, user, password in [
        ("expired", device.id, device.user, device.token(expiry=past)),
        ("expired long ago", device.id, device.user, device.token(expiry=1)),
        ("wrong key", device.id, device.user, device.token(key=other.primary)),
        ("token for another device", device.id, device.user, other.token()),
        ("token for a prefix of the id", other.id, other.user, device.token()),
        ("token for another hub", device.id, device.user, sas.token("a.example/devices/" + device.id, device.primary)),
        ("unknown device", "nobody", "localhost/nobody/", sas.token("localhost/devices/nobody", device.primary)),
        ("disabled device", off, f"localhost/{off}/", sas.token(f"localhost/devices/{off}", off_key)),
        ("empty password", device.id, device.user, ""),
        ("no token at all", device.id, device.user, "password"),
        ("not decodable", device.id, device.user, "SharedAccessSignature sr=%zz&sig=%%%&se=x"),
        ("signature of the wrong length", device.id, device.user, "SharedAccessSignature sr=localhost&sig=QQ&se=2000000000"),
        ("user of another device", device.id, other.user, device.token()),
        ("client id of another device", other.id, device.user, device.token()),
        ("user of another hub", device.id, f"elsewhere.example/{device.id}/", device.token()),
        ("no user name", device.id, "", device.token()),
    ]:
        client = await Mqtt.open(hub)
        client.send_connect(client_id, user, password)
        assert await client.return_code() == 5, label
        await client.until_closed()


async def test_other_protocol_levels_are_refused_in_their_own_words(hub, device):
    client = await Mqtt.open(hub)
    client.send_connect(device.id, device.user, device.token(), level=3)
    assert await client.return_code() == 1
    await client.until_closed()
