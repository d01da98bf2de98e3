"""The hub's storage after kill -9."""

from azure.storage.blob import BlobServiceClient

from uploads import CONTENT


def test_containers_outlive_a_restart(new_hub):
    hub = new_hub("--hub-partitions", "1").start()
    with BlobServiceClient.from_connection_string(hub.storage, connection_verify=hub.ca) as client:
        client.create_container("kept", metadata={"a": "1"}).upload_blob("a", CONTENT, metadata={"b": "2"})
        client.create_container("gone").upload_blob("a", CONTENT)
        client.delete_container("gone")
        before = hub.storage
        hub.kill()
        hub.start()
        assert hub.storage == before
        kept = client.get_container_client("kept")
        assert kept.get_container_properties().metadata == {"a": "1"}
        assert kept.download_blob("a").readall() == CONTENT
        assert kept.get_blob_client("a").get_blob_properties().metadata == {"b": "2"}
        assert not client.get_container_client("gone").exists()
