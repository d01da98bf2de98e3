"""Opening an AMQP connection as a device: every SASL opening, CBS, identities, and what the hub says of itself."""

import asyncio
import hashlib
import subprocess
import time
import uuid

import pytest

import eventhub
from raw_amqp import AMQP, SASL, Amqp
from raw_codec import ULong
from raw_device import Cbs, RawDevice
from raw_link import ACCEPTED
from raw_message import message

TRANSPORTS = pytest.mark.parametrize("websocket", [False, True], ids=["amqp", "amqp-ws"])


@TRANSPORTS
@pytest.mark.parametrize("sasl", [None, "ANONYMOUS", "MSSBCBS"])
async def test_a_device_with_a_token_may_open_in_each_way(hub, device, sasl, websocket):
    raw = await RawDevice.connect(device, sasl=sasl, websocket=websocket)
    if sasl:
        assert {"MSSBCBS", "ANONYMOUS", "PLAIN", "EXTERNAL"} <= set(raw.connection.offered)
    link = await raw.telemetry()
    assert (await link.send(message(b"hello", app={"k": "v"}))).descriptor == ACCEPTED
    await raw.close()
    (event,) = eventhub.wait_for(hub, device.id, 1)
    assert (eventhub.body(event), event["app"]) == (b"hello", {"k": "v"})


@TRANSPORTS
async def test_plain_needs_no_token_afterwards(hub, device, websocket):
    login = f"\0{device.id}@sas.localhost\0{device.token()}".encode()
    connection = await Amqp.connect(hub, "PLAIN", login, websocket=websocket)
    raw = RawDevice(await connection.begin(), device.id)
    link = await raw.telemetry()
    assert (await link.send(message(b"plain"))).descriptor == ACCEPTED
    await connection.close()


async def test_plain_with_a_wrong_token_is_told_by_the_outcome_and_closed(hub, device):
    other = hub.device(device.id + "-x")
    for login in (f"\0{device.id}@sas.localhost\0{other.token()}", f"\0{device.id}@sas.localhost\0nonsense",
                  f"\0nobody@sas.localhost\0{device.token()}", "no zeros"):
        connection = await Amqp.dial(hub)
        assert await connection.authenticate("PLAIN", login.encode()) in (1, None), login
        assert await connection.within(connection.reader.read(), "the end") == b""


def self_signed(directory, name):
    """(certificate file, key file, SHA-256 thumbprint)."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", f"/CN={name}", "-days", "2", "-keyout", key, "-out", cert], check=True,
                    capture_output=True)
    der = subprocess.run(["openssl", "x509", "-in", cert, "-outform", "DER"], check=True, capture_output=True).stdout
    return str(cert), str(key), hashlib.sha256(der).hexdigest().upper()


@TRANSPORTS
@pytest.mark.parametrize("sasl", [None, "EXTERNAL"])
async def test_a_certificate_is_an_identity(hub, tmp_path, sasl, websocket):
    name = f"x509-{sasl}-{websocket}"
    cert, key, thumbprint = self_signed(tmp_path, name)
    hub.registry.create(name, authentication={
        "type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": thumbprint, "secondaryThumbprint": ""}})
    connection = await Amqp.connect(hub, sasl, certificate=(cert, key), websocket=websocket)
    raw = RawDevice(await connection.begin(), name)
    assert (await (await raw.telemetry()).send(message(b"by certificate"))).descriptor == ACCEPTED
    await connection.close()
    assert [eventhub.body(event) for event in eventhub.wait_for(hub, name, 1)] == [b"by certificate"]


async def test_another_certificate_is_not(hub, tmp_path):
    _, _, thumbprint = self_signed(tmp_path, "right")
    hub.registry.create("x509-wrong", authentication={
        "type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": thumbprint, "secondaryThumbprint": ""}})
    cert, key, _ = self_signed(tmp_path, "x509-wrong")
    connection = await Amqp.connect(hub, None, certificate=(cert, key))
    session = await connection.begin()
    _, error = await session.sender("/devices/x509-wrong/messages/events", refused=True)
    assert error[0] == "amqp:unauthorized-access"
    await connection.close()


async def test_the_reply_to_a_token_echoes_the_id_with_its_type(hub, device):
    connection = await Amqp.connect(hub)
    cbs = await Cbs.open(await connection.begin())
    for message_id in (ULong(0), ULong(2**40), uuid.uuid4(), "text", "ümläut"):
        # Types and values are compared by `ask`.
        assert await cbs.put(f"localhost/devices/{device.id}", device.token(), message_id=message_id) == 200
    await connection.close()


async def test_audiences_of_each_sdk_are_accepted(hub, device):
    connection = await Amqp.connect(hub)
    cbs = await Cbs.open(await connection.begin())
    for audience in (f"localhost/devices/{device.id}", f"localhost%2Fdevices%2F{device.id}",
                     f"LOCALHOST/devices/{device.id}"):
        assert await cbs.put(audience, device.token()) == 200, audience
    await connection.close()


async def test_without_a_token_only_cbs_can_be_attached(hub, device):
    connection = await Amqp.connect(hub)
    session = await connection.begin()
    await Cbs.open(session)
    for kind, address in [("sender", f"/devices/{device.id}/messages/events"),
                          ("receiver", f"/devices/{device.id}/messages/devicebound"),
                          ("sender", f"/devices/{device.id}/twin")]:
        _, error = await getattr(session, kind)(address, refused=True)
        assert error[0] == "amqp:unauthorized-access", (address, error)
    assert not connection.closed.is_set()
    await connection.close()


async def test_what_the_hub_says_of_itself(hub, device):
    connection = await Amqp.connect(hub)
    fields = await connection.opened
    assert fields[2] >= 512, "max-frame-size"
    assert fields[3] >= 999, "channel-max: a thousand sessions"
    assert fields[4] >= 10_000, "idle-time-out"
    raw = RawDevice(await connection.begin(), device.id)
    cbs = await Cbs.open(raw.session)
    assert await cbs.put(f"localhost/devices/{device.id}", device.token()) == 200
    link = await raw.telemetry()
    assert link.fields[10] == 262_144, "max-message-size: never 0 or absent"
    assert link.fields[6].value[0] == raw.telemetry_address, "the address is echoed"
    await link.until_credit()
    assert link.credit >= 100
    await connection.close()


async def test_other_protocol_headers_are_answered_with_the_hubs_own_and_closed(hub):
    for header in (b"AMQP\0\2\0\0", b"AMQP\2\1\0\0", b"AMQP\0\0\x09\1", b"GET / HT", b"\0" * 8):
        connection = await Amqp.dial(hub)
        connection.send(header)
        answer = await connection.within(connection.reader.read(), "the end")
        assert answer in (b"", AMQP, SASL), answer


async def test_a_quiet_client_hears_empty_frames(hub):
    """The hub keeps the client's idle time-out: no half of it passes without a frame."""
    connection = await Amqp.connect(hub, idle=1000)
    start = time.monotonic()
    while connection.empty_frames < 3:
        assert time.monotonic() - start < 60, "no empty frames"
        assert not connection.closed.is_set()
        await asyncio.sleep(0.02)
    await connection.close()
