"""Where uploads go: on the hub's disk through its death, and to Azurite or an S3 server when the configuration says so."""

import contextlib
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import urllib.parse

import boto3
import pytest
import requests
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


@contextlib.contextmanager
def storage(log_path, program):
    """A storage server on a free port of the loopback, which goes behind the program's arguments; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(log_path, "wb") as log:
        process = subprocess.Popen([*program, str(port)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT)

    def up():
        assert process.poll() is None, log_path.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(up, "the storage listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def azurite(tmp_path):
    sdk = os.environ["IRONHUB_SDK"] + "/node/"
    program = [sdk + "node", sdk + "node_modules/azurite/dist/src/blob/main.js", "--blobHost", "127.0.0.1",
               "--location", str(tmp_path), "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobPort"]
    with storage(tmp_path / "azurite.log", program) as address:
        yield address


@pytest.fixture
def s3(tmp_path):
    with storage(tmp_path / "s3.log", [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"]) as address:
        yield address


def start(hub):
    """Starts it with the storage that its flags name, or skips the test: it may have been built without."""
    try:
        return hub.start()
    except AssertionError:
        if "--features cloud-storage" in hub.tail():
            pytest.skip("the program was built without cloud-storage")
        raise


def test_uploads_go_to_the_storage_that_the_configuration_names(new_hub, azurite):
    account = {"account_name": ACCOUNT, "account_key": KEY}
    ContainerClient(f"{azurite}/{ACCOUNT}", "uploads", credential=account).create_container()
    hub = new_hub("--upload-storage", f"azure://{ACCOUNT}/uploads?endpoint={azurite}", env={"IRONHUB_UPLOAD_KEY": KEY})
    device = start(hub).device("remote")
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


def signature_v4(method, address, secret):
    """What AWS signs a URL with (Signature Version 4, query parameters): an opinion besides the hub's library's."""
    parts = urllib.parse.urlsplit(address)
    query = [pair for pair in parts.query.split("&") if not pair.startswith("X-Amz-Signature=")]
    given = dict(urllib.parse.parse_qsl(parts.query))
    host = f"host:{parts.netloc}\n"
    canonical = "\n".join([method, parts.path, "&".join(sorted(query)), host, "host", "UNSIGNED-PAYLOAD"])
    scope = given["X-Amz-Credential"].partition("/")[2]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signed = "\n".join(["AWS4-HMAC-SHA256", given["X-Amz-Date"], scope, digest])
    key = b"AWS4" + secret.encode()
    for word in [*scope.split("/"), signed]:
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key.hex()


def test_uploads_go_to_an_s3_bucket(new_hub, s3):
    """One plain PUT to a pre-signed URL: Azure's storage clients speak another dialect."""
    secret = "wJalrXUtnFEMI"
    account = {"aws_access_key_id": "AKID", "aws_secret_access_key": secret, "region_name": "eu-central-1"}
    bucket = boto3.resource("s3", endpoint_url=s3, **account).create_bucket(
        Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    hub = new_hub("--upload-storage", f"s3://uploads?region=eu-central-1&endpoint={s3}", "--upload-key-id", "AKID",
                  env={"IRONHUB_UPLOAD_KEY": secret})
    device = start(hub).device("remote")
    for name in ["plain", "a folder/content ä#1%2F.bin"]:
        given = ticket(device, name)
        assert (given["containerName"], given["blobName"]) == ("uploads", f"remote/{name}")
        assert f"http://{given['hostName']}" == s3
        address = url(given, "http")
        assert f"X-Amz-Signature={signature_v4('PUT', address, secret)}" in address
        ended = {"correlationId": given["correlationId"], "isSuccess": True, "statusCode": 200, "statusDescription": ""}
        assert call(device, "/notifications", ended).status == 400, "nothing is there yet"
        assert requests.put(address, data=CONTENT, timeout=60).status_code == 200
        assert bucket.Object(f"remote/{name}").get()["Body"].read() == CONTENT
        request(device, "/notifications", ended)
        assert call(device, "/notifications", ended).status == 400, "it is ended"
    assert not list((hub.data / "blobs").rglob("blob.json")), "nothing of it is on the hub's disk"


def test_a_storage_without_its_key_is_refused_at_start(new_hub):
    hub = new_hub("--upload-storage", f"azure://{ACCOUNT}/uploads")
    hub.start(wait=False)
    assert hub.process.wait(60) != 0
    assert "upload.key" in hub.tail()
