"""Endpoints that are somebody else's: webhooks and storage behind a certificate authority of their own; and what is never taken."""

import asyncio
import json
import os
import urllib.parse

import pytest
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from certificates import Certificate
from routing import body, health, hooked, put, route, send
from test_upload_places import ACCOUNT, KEY as ACCOUNT_KEY, azurite, storage
from waiting import until

# Fixtures of the other file.
__all__ = ["azurite"]

KEPT = 256 * 1024


@pytest.fixture
def authority(tmp_path):
    return Certificate(tmp_path, "authority", ca=True)


@pytest.fixture
def server_certificate(tmp_path, authority):
    return Certificate(tmp_path, "server", issuer=authority, address="127.0.0.1")


def test_a_webhook_is_trusted_by_the_authority_that_the_hub_is_given(new_hub, webhook, authority, server_certificate):
    server = webhook(lambda number, events: 200, server_certificate)
    hub = new_hub().start()
    put(hub, hooked(server))
    asyncio.run(send(hub.device("caller"), "one", "two"))
    until(lambda: health(hub, "hook")["healthStatus"] == "unhealthy", "nobody vouches for the server")
    state = health(hub, "hook")
    assert "authority" in state["lastKnownError"] and not server.requests
    hub.stop()
    trusting = new_hub("--outbound-ca-file", authority.files[0], data=hub.data).start()
    assert [body(event) for event in server.got(2)] == ["one", "two"], "what waited is delivered"
    until(lambda: health(trusting, "hook")["backlog"] == 0, "nothing waits")
    after = health(trusting, "hook")
    assert (after["delivered"], after["failedAttempts"]) == (2, 0), "figures begin with the node"
    assert after["countingSince"] > state["countingSince"]


def test_a_file_without_authorities_is_refused_at_start(new_hub, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for path in (empty, tmp_path / "none.pem"):
        hub = new_hub("--outbound-ca-file", path)
        hub.start(wait=False)
        assert hub.process.wait(60) != 0
        assert "outbound.ca_file" in hub.tail()


def elsewhere(address, **options):
    """A container of Azurite, and its URL with a signature."""
    account = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
    container = BlobServiceClient(f"{address}/{ACCOUNT}", credential=account, **options).create_container("routed")
    token = generate_container_sas(
        ACCOUNT, "routed", account_key=ACCOUNT_KEY, expiry="2099-01-01T00:00:00Z",
        permission=ContainerSasPermissions(read=True, create=True, write=True))
    return container, f"{address}/{ACCOUNT}/routed?{token}"


def stored(hub, container, uri):
    one = {"name": "store", "containerUri": uri, "encoding": "JSON", "batchFrequencyInSeconds": 1,
           "fileNameFormat": "{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}.json"}
    put(hub, {"endpoints": {"storageContainers": [one]}, "routes": [route("r", "DeviceMessages", "store")]})
    device = hub.device("far")
    asyncio.run(send(device, *[f"{number}" for number in range(20)]))

    def lines():
        names = sorted(blob.name for blob in container.list_blobs())
        return [json.loads(line) for name in names for line in container.download_blob(name).readall().splitlines()]

    until(lambda: len(lines()) == 20, lambda: f"20 lines; {health(hub, 'store')}; {hub.tail()}")
    assert sorted(int(body(line)) for line in lines()) == list(range(20))
    assert {line["SystemProperties"]["connectionDeviceId"] for line in lines()} == {device.id}
    assert all(blob.name.startswith("localhost/") and blob.name.endswith(".json") for blob in container.list_blobs())
    shown = hub.registry.request("GET", "/routing").json
    assert urllib.parse.urlsplit(shown["endpoints"]["storageContainers"][0]["containerUri"]).query == "****"


def test_batches_go_to_a_container_elsewhere(new_hub, azurite):
    container, uri = elsewhere(azurite)
    stored(new_hub().start(), container, uri)


def test_batches_go_to_a_container_behind_an_authority_of_its_own(new_hub, tmp_path, authority, server_certificate):
    sdk = os.environ["IRONHUB_SDK"] + "/node/"
    certificate, key = server_certificate.files
    program = [sdk + "node", sdk + "node_modules/azurite/dist/src/blob/main.js", "--blobHost", "127.0.0.1", "--cert", certificate,
               "--key", key, "--location", str(tmp_path), "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobPort"]
    with storage(tmp_path / "azurite.log", program) as address:
        address = address.replace("http:", "https:")
        container, uri = elsewhere(address, connection_verify=authority.files[0])
        stored(new_hub("--outbound-ca-file", authority.files[0]).start(), container, uri)


def test_what_is_too_old_is_dropped_and_counted_and_the_rest_is_delivered(new_hub, webhook):
    server = webhook(lambda number, events: 503)
    hub = new_hub("--hub-partitions", "1", "--events-retention-bytes", str(KEPT)).start()
    put(hub, hooked(server, maxDeliveryCount=100, maxRetryDelayInSeconds=4))
    asyncio.run(send(hub.device("waits"), *[f"{number} ".ljust(32 * 1024) for number in range(32)]))
    # Trimming has its own pace.
    until(lambda: health(hub, "hook")["dropped"] > 0, "old events are dropped", limit=180)
    server.answers = lambda number, events: 200
    until(lambda: health(hub, "hook")["backlog"] == 0, "nothing waits", limit=180)
    state = health(hub, "hook")
    numbers = [int(body(event)) for event in server.once()]
    assert numbers == sorted(numbers) and numbers[-1] == 31, "the newest come, in order"
    assert state["delivered"] + state["dropped"] >= 32 and state["dropped"] < 32
    assert 0 not in numbers
