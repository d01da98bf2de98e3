"""The unmodified storage SDKs against the hub's own blobs."""

import hashlib

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, ContentSettings

from node_client import node
from uploads import CONTENT, client, ticket, url

MD5 = hashlib.md5(CONTENT).digest()


@pytest.mark.parametrize("blocks", [False, True], ids=["one request", "blocks"])
def test_python_uploads_looks_and_downloads(device, blocks):
    sizes = {"max_single_put_size": 1 << 20, "max_block_size": 1 << 18} if blocks else {}
    blob = client(device, "a folder/content ä#1.bin", max_single_get_size=1 << 19, max_chunk_get_size=1 << 18, **sizes)
    settings = ContentSettings(content_type="image/png", cache_control="no-store", content_md5=MD5)
    blob.upload_blob(CONTENT, content_settings=settings, metadata={"Camera": "north"}, max_concurrency=4)
    facts = blob.get_blob_properties()
    assert (facts.size, facts.blob_type, facts.metadata) == (len(CONTENT), "BlockBlob", {"camera": "north"})
    assert (facts.content_settings.content_type, facts.content_settings.cache_control) == ("image/png", "no-store")
    assert bytes(facts.content_settings.content_md5) == MD5
    # In pieces and in parallel, each with an MD5 of its own.
    assert blob.download_blob(max_concurrency=4, validate_content=True).readall() == CONTENT
    assert blob.download_blob(offset=1_000_000, length=500_001).readall() == CONTENT[1_000_000:1_500_001]
    assert blob.exists()


def test_python_is_told_what_it_may_not(device):
    blob = client(device, "once")
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()
    assert not blob.exists()
    blob.upload_blob(b"first")
    with pytest.raises(ResourceExistsError) as refused:
        blob.upload_blob(b"second")
    assert refused.value.error_code == "BlobAlreadyExists"
    blob.upload_blob(b"", overwrite=True)
    assert blob.download_blob().readall() == b""
    with pytest.raises(HttpResponseError) as refused:
        blob.delete_blob()
    assert refused.value.error_code == "AuthorizationPermissionMismatch"
    elsewhere = BlobClient.from_blob_url(blob.url.replace("/once?", "/other?"), connection_verify=device.hub.ca)
    with pytest.raises(HttpResponseError) as refused:
        elsewhere.upload_blob(b"x")
    assert (refused.value.status_code, refused.value.error_code) == (403, "AuthenticationFailed")


def test_python_stages_blocks_and_lists_them(device):
    blob = client(device, "staged")
    for number in range(3):
        blob.stage_block(f"{number:06}", CONTENT[number * 1000:(number + 1) * 1000], validate_content=True)
    committed, waiting = blob.get_block_list("all")
    assert (committed, [block.size for block in waiting]) == ([], [1000] * 3)
    blob.commit_block_list([BlobBlock(f"{number:06}") for number in (2, 0)])
    assert blob.download_blob().readall() == CONTENT[2000:3000] + CONTENT[:1000]
    committed, waiting = blob.get_block_list("all")
    assert ([block.id for block in committed], waiting) == (["000002", "000000"], [])


def test_node_uploads_looks_and_downloads(device):
    names = ["whole.bin", "blocks/my file.bin"]
    said = node(device.hub, "blob.mjs", [
        {"url": url(ticket(device, name)), "size": len(CONTENT), "single": single}
        for name, single in zip(names, [8 << 20, 1 << 18], strict=True)
    ])
    assert said == [{"uploaded": 201, "size": len(CONTENT), "same": True, "again": "BlobAlreadyExists"}] * 2
    assert len(client(device, names[1]).download_blob().readall()) == len(CONTENT)
