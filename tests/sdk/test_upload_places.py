"""Where uploads go: on the hub's disk through its death, and to Azurite when the configuration says so."""

import os
import socket
import subprocess

import pytest
from azure.storage.blob import BlobBlock, BlobClient, ContainerClient

from uploads import CONTENT, call, client, request, ticket, url
from waiting import until

# What Azurite is known by.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def test_an_upload_survives_the_death_of_the_hub(new_hub):
    hub = new_hub().start()
    device = hub.device("survivor")
    given = ticket(device, "waiting")
    blob = BlobClient.from_blob_url(url(given), connection_verify=hub.ca)
    blob.stage_block("000000", b"before, ")
    client(device, "stored").upload_blob(CONTENT)
    hub.kill()
    hub.start()
    assert client(device, "stored").download_blob().readall() == CONTENT
    blob.stage_block("000001", b"after")
    blob.commit_block_list([BlobBlock("000000"), BlobBlock("000001")])
    assert blob.download_blob().readall() == b"before, after"
    request(device, "/notifications", {"correlationId": given["correlationId"], "isSuccess": True, "statusCode": 200,
                                       "statusDescription": ""})


@pytest.fixture
def azurite(tmp_path):
    """Azurite on a free port of the loopback; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sdk = os.environ["IRONHUB_SDK"] + "/node/"
    program = [sdk + "node", sdk + "node_modules/azurite/dist/src/blob/main.js", "--blobHost", "127.0.0.1",
               "--blobPort", str(port), "--location", str(tmp_path), "--silent", "--disableTelemetry",
               "--skipApiVersionCheck"]
    with open(tmp_path / "azurite.log", "wb") as log:
        process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def up():
        assert process.poll() is None, (tmp_path / "azurite.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(up, "azurite listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_uploads_go_to_the_storage_that_the_configuration_names(new_hub, azurite):
    account = {"account_name": ACCOUNT, "account_key": KEY}
    ContainerClient(f"{azurite}/{ACCOUNT}", "uploads", credential=account).create_container()
    hub = new_hub("--upload-storage", f"azure://{ACCOUNT}/uploads?endpoint={azurite}", env={"IRONHUB_UPLOAD_KEY": KEY})
    try:
        hub.start()
    except AssertionError:
        if "--features cloud-storage" in hub.tail():
            pytest.skip("the program was built without cloud-storage")
        raise
    device = hub.device("remote")
    for name in ["plain", "a folder/content ä#1%2F.bin"]:
        given = ticket(device, name)
        assert (given["containerName"], given["blobName"]) == (f"{ACCOUNT}/uploads", f"remote/{name}")
        assert f"http://{given['hostName']}" == azurite
        ended = {"correlationId": given["correlationId"], "isSuccess": True, "statusCode": 200, "statusDescription": ""}
        assert call(device, "/notifications", ended).status == 400, "nothing is there yet"
        blob = BlobClient.from_blob_url(url(given, "http"), max_single_put_size=1 << 20, max_block_size=1 << 19)
        blob.upload_blob(CONTENT)
        assert blob.download_blob().readall() == CONTENT
        request(device, "/notifications", ended)
    assert not list((hub.data / "blobs").rglob("blob.json")), "nothing of it is on the hub's disk"


def test_a_storage_without_its_key_is_refused_at_start(new_hub):
    hub = new_hub("--upload-storage", f"azure://{ACCOUNT}/uploads")
    hub.start(wait=False)
    assert hub.process.wait(60) != 0
    assert "upload.key" in hub.tail()
