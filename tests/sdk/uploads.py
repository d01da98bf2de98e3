"""A device's uploads: tickets as the SDKs ask for them, and what they make of one."""

import urllib.parse

from azure.storage.blob import BlobClient

# Not a whole number of blocks.
CONTENT = bytes(number * 7 % 251 for number in range((3 << 20) + 5))


def call(device, path, body):
    """A call of the device about its files, whatever the answer."""
    path = f"/devices/{device.id}/files{path}"
    return device.hub.registry.request("POST", path, body, authorization=device.token())


def request(device, path, body):
    """A call of the device about its files."""
    answer = call(device, path, body)
    assert answer.status in (200, 204), answer
    return answer


def ticket(device, name):
    return request(device, "", {"blobName": name}).json


def url(ticket, scheme="https"):
    name = urllib.parse.quote(ticket["blobName"], safe="/")
    return f"{scheme}://{ticket['hostName']}/{ticket['containerName']}/{name}{ticket['sasToken']}"


def client(device, name, **options):
    """azure-storage-blob with a ticket of its own."""
    return BlobClient.from_blob_url(url(ticket(device, name)), connection_verify=device.hub.ca, **options)
