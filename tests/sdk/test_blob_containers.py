"""The hub's storage as an account of containers: the unmodified storage SDKs, and who may do what."""

import itertools
import json
import os
import subprocess

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient, ContentSettings

from node_client import node
from uploads import CONTENT, ticket, url

names = itertools.count(1)


@pytest.fixture
def account(hub):
    with BlobServiceClient.from_connection_string(hub.storage, connection_verify=hub.ca) as client:
        yield client


@pytest.fixture
def container(account):
    """A container of one test's own."""
    return account.create_container(f"container-{next(names)}")


def refusal(call, *arguments, **options):
    """(status, code) of what the SDK raises."""
    with pytest.raises(HttpResponseError) as refused:
        call(*arguments, **options)
    return refused.value.status_code, refused.value.error_code


def sas(hub, *arguments):
    """What `ironhub storage sas` prints, and its exit code."""
    ended = subprocess.run(
        [os.environ["IRONHUB_BIN"], "storage", "sas", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "IRONHUB_DATA_DIR": str(hub.data)},
    )
    return ended.returncode, ended.stdout.strip(), ended.stderr


def test_a_container_is_made_described_listed_and_deleted(account, container):
    name = container.container_name
    with pytest.raises(ResourceExistsError) as refused:
        account.create_container(name)
    assert refused.value.error_code == "ContainerAlreadyExists"
    assert container.exists()
    before = container.get_container_properties()
    assert (before.name, before.metadata) == (name, {})
    container.set_container_metadata({"purpose": "test"})
    after = container.get_container_properties()
    assert (after.metadata, after.etag == before.etag) == ({"purpose": "test"}, False)
    listed = {one.name: one for one in account.list_containers(include_metadata=True)}
    assert listed[name].metadata == {"purpose": "test"}
    assert "ironhub-uploads" in listed
    assert [one.name for one in account.list_containers(name_starts_with=name)] == [name]
    paged = [one.name for page in account.list_containers(results_per_page=1).by_page() for one in page]
    assert paged == sorted(listed)

    container.upload_blob("a", b"x")
    container.delete_container()
    assert not container.exists()
    assert refusal(container.get_container_properties) == (404, "ContainerNotFound")
    assert refusal(container.upload_blob, "a", b"x") == (404, "ContainerNotFound")
    assert refusal(container.get_blob_client("a").download_blob) == (404, "ContainerNotFound")
    assert refusal(lambda: list(container.list_blobs())) == (404, "ContainerNotFound")
    assert refusal(container.delete_container) == (404, "ContainerNotFound")
    container.create_container()
    assert list(container.list_blobs()) == []


def test_names_that_are_none_are_refused(account):
    for name in ["ab", "a" * 64, "Upper", "a_b", "a--b", "-ab"]:
        assert refusal(account.create_container, name) == (400, "InvalidResourceName"), name


def test_blobs_are_listed_in_pages_by_name(container):
    wanted = sorted([f"folder/{n:02}" for n in range(20)] + ["a&b<c>\"'", "a b", "ä/ö", "z", "x/y/z", "Z"], key=str.encode)
    for name in wanted:
        container.upload_blob(name, name.encode(), metadata={"of": name.encode().hex()})
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=7).by_page()]
    assert [len(page) for page in pages] == [7, 7, 7, 5]
    assert sum(pages, []) == wanted
    for blob in container.list_blobs(include=["metadata"]):
        assert (blob.size, blob.metadata) == (len(blob.name.encode()), {"of": blob.name.encode().hex()})
        assert blob.blob_type == "BlockBlob"
    facts = container.get_blob_client("z").get_blob_properties()
    (listed,) = container.list_blobs(name_starts_with="z")
    assert (listed.etag, listed.last_modified) == (facts.etag.strip('"'), facts.last_modified)
    assert listed.content_settings.content_md5 == facts.content_settings.content_md5
    assert [blob.name for blob in container.list_blobs(name_starts_with="folder/1")] == [f"folder/{n}" for n in range(10, 20)]
    assert list(container.list_blobs(name_starts_with="nothing")) == []
    # One level, in pages as well.
    level = [entry.name for page in container.walk_blobs(results_per_page=3).by_page() for entry in page]
    assert level == ["Z", "a b", "a&b<c>\"'", "folder/", "x/", "z", "ä/"]
    assert [entry.name for entry in container.walk_blobs("x/")] == ["x/y/"]


def test_pages_stay_right_while_blobs_come_and_go(container):
    for number in range(10):
        container.upload_blob(f"{number}", b"")
    pages = container.list_blobs(results_per_page=4).by_page()
    seen = [blob.name for blob in next(pages)]
    # Behind and before the page, and the one that the next page was to begin with.
    container.delete_blob("4")
    container.delete_blob("0")
    container.upload_blob("35", b"")
    container.upload_blob("55", b"")
    seen += [blob.name for page in pages for blob in page]
    assert seen == ["0", "1", "2", "3", "5", "55", "6", "7", "8", "9"]
    assert refusal(lambda: list(next(container.list_blobs().by_page("no marker!")))) == (400, "InvalidQueryParameterValue")


def test_metadata_and_properties_change_without_the_content(container):
    blob = container.upload_blob("a", CONTENT, metadata={"one": "1"}, content_settings=ContentSettings("text/plain"))
    before = blob.get_blob_properties()
    blob.set_blob_metadata({"two": "2", "empty": ""})
    after = blob.get_blob_properties()
    assert after.metadata == {"two": "2", "empty": ""}
    assert (after.etag == before.etag, after.content_settings.content_type) == (False, "text/plain")
    blob.set_http_headers(ContentSettings("text/html", cache_control="no-store"))
    final = blob.get_blob_properties()
    assert final.metadata == after.metadata
    assert (final.content_settings.content_type, final.content_settings.cache_control) == ("text/html", "no-store")
    assert blob.download_blob().readall() == CONTENT
    assert refusal(container.get_blob_client("nothing").set_blob_metadata, {}) == (404, "BlobNotFound")


def test_conditions_decide_between_two_writers(container):
    blob = container.get_blob_client("lock")
    absent = {"overwrite": True, "etag": "0x1", "match_condition": MatchConditions.IfNotModified}
    assert refusal(blob.upload_blob, b"", **absent) == (412, "ConditionNotMet")
    first = blob.upload_blob(b"", metadata={"owner": "one"})
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"")
    mine = {"etag": first["etag"], "match_condition": MatchConditions.IfNotModified}
    second = blob.set_blob_metadata({"owner": "two"}, **mine)
    for write in (
        lambda: blob.set_blob_metadata({"owner": "three"}, **mine),
        lambda: blob.upload_blob(b"", overwrite=True, **mine),
        lambda: blob.delete_blob(**mine),
        lambda: blob.set_blob_metadata({}, if_unmodified_since=first["last_modified"].replace(year=2020)),
    ):
        with pytest.raises(ResourceModifiedError) as refused:
            write()
        assert refused.value.error_code == "ConditionNotMet"
    assert blob.get_blob_properties().metadata == {"owner": "two"}
    # As a list shows it: without quotes.
    (listed,) = container.list_blobs()
    assert listed.etag == second["etag"].strip('"')
    blob.delete_blob(etag=listed.etag, match_condition=MatchConditions.IfNotModified)


def test_what_is_not_there_says_so(container):
    blob = container.upload_blob("a", b"x")
    assert refusal(blob.acquire_lease)[0] == 400
    assert refusal(blob.create_snapshot)[0] == 400
    assert refusal(container.get_blob_client("b").create_append_blob) == (400, "InvalidHeaderValue")
    assert refusal(container.set_container_access_policy, {})[0] == 400


def test_a_containers_url_opens_that_container(hub, account, container):
    name = container.container_name
    status, address, _ = sas(hub, "--container", name, "--permissions", "rl")
    assert status == 0
    container.upload_blob("a/b", b"content")
    reader = ContainerClient.from_container_url(address, connection_verify=hub.ca)
    assert [blob.name for blob in reader.list_blobs()] == ["a/b"]
    assert reader.download_blob("a/b").readall() == b"content"
    mismatch = (403, "AuthorizationPermissionMismatch")
    assert refusal(reader.upload_blob, "c", b"x") == mismatch
    assert refusal(reader.delete_blob, "a/b") == mismatch
    assert refusal(reader.delete_container) == mismatch
    for other in (address.replace(name, "ironhub-uploads"), address.replace("sp=rl", "sp=rwl"), address.split("&sig")[0]):
        client = ContainerClient.from_container_url(other, connection_verify=hub.ca)
        assert refusal(lambda c=client: list(c.list_blobs())) == (403, "AuthenticationFailed"), other

    fresh = f"fresh-{next(names)}"
    made = json.loads(sas(hub, "--container", fresh, "--expires", "5m", "--json")[1])
    assert made["url"] == f"https://localhost/ironhub-storage/{fresh}{made['sasToken']}"
    owner = ContainerClient.from_container_url(made["url"], connection_verify=hub.ca)
    owner.create_container()
    owner.upload_blob("a", CONTENT)
    assert owner.download_blob("a").readall() == CONTENT
    owner.delete_blob("a")
    # Not even with `d`: that takes the account's signature.
    assert refusal(owner.delete_container) == mismatch
    account.delete_container(fresh)

    status, _, complaint = sas(hub, "--container", fresh, "--data-dir", str(hub.data.parent))
    assert status == 2
    assert "blob.key" in complaint


def test_an_upload_stays_for_its_device_and_the_account(hub, account, device):
    place = ticket(device, "report.bin")
    with BlobClient.from_blob_url(url(place), connection_verify=hub.ca) as uploading:
        uploading.upload_blob(CONTENT)
    token = place["sasToken"].lstrip("?")
    with ContainerClient.from_container_url(
        f"https://localhost/ironhub-storage/ironhub-uploads?{token}", connection_verify=hub.ca
    ) as trying:
        assert refusal(lambda: list(trying.list_blobs())) == (403, "AuthenticationFailed")
        assert refusal(trying.upload_blob, "mine", b"x") == (403, "AuthenticationFailed")
    uploads = account.get_container_client("ironhub-uploads")
    assert uploads.download_blob(f"{device.id}/report.bin").readall() == CONTENT
    assert [blob.name for blob in uploads.list_blobs(name_starts_with=f"{device.id}/")] == [f"{device.id}/report.bin"]
    assert refusal(uploads.delete_container) == (403, "AuthorizationFailure")


def test_node_works_with_containers(hub):
    said = node(hub, "containers.mjs", {"storage": hub.storage, "container": f"node-{next(names)}"})
    assert said == {
        "made": 201,
        "again": "ContainerAlreadyExists",
        "properties": {"purpose": "test"},
        "containers": True,
        "pages": [["a b", "a/1"], ["a/2", "ä"]],
        "prefixed": ["a/1", "a/2"],
        # This SDK gives a page's prefixes first.
        "levels": ["a/", "a b", "ä"],
        "metadata": [["ownerid", "x"], ["ownerid", ""], ["ownerid", "x"], ["ownerid", "x"]],
        "stale": "ConditionNotMet",
        "missing": "BlobNotFound",
        "existing": "BlobAlreadyExists",
        "content": "ä",
        "deleted": 202,
        "gone": "ContainerNotFound",
    }
