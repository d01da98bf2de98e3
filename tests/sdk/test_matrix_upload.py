"""File upload end to end: ticket, storage, notification to the back end."""

import pytest

from on_each import on_each
from programs import KINDS
from python_program import PythonProgram, storage

CONTENT = bytes(number * 7 % 256 for number in range(5 << 20))
PYTHON = next(kind for kind in KINDS if kind.make is PythonProgram)


class Files:
    """What the back end is told of uploads, by blob name. The first notification is given back once."""

    def __init__(self, hub, agent):
        self.agent = agent
        self.name = agent.name("files")
        agent.ask("service", client=self.name, transport="amqp", connectionString=hub.service)
        agent.ask("files", client=self.name, abandon=1)
        self.inbox = agent.inbox(self.name, "file")
        self.found = {}
        self.outcomes = []

    def read(self):
        said = self.inbox.take()
        assert said["message"]["contentType"] == "application/vnd.microsoft.iothub.filenotification.json", said
        self.found[said["records"]["blobName"]] = said["records"]
        self.outcomes.append((said["records"]["blobName"], said["outcome"]))

    def of(self, blob):
        while blob not in self.found:
            self.read()
        return self.found[blob]


@pytest.fixture(scope="module")
def files(hub, agent):
    made = Files(hub, agent)
    yield made
    agent.ask("serviceClose", client=made.name)


def download(start, device, name):
    """What is stored under a name, read with a ticket for the same name."""
    program = start(PYTHON, device)
    info = program.client.get_storage_info_for_blob(name)
    content = storage(device.hub, info).download_blob().readall()
    program.client.notify_blob_upload_status(info["correlationId"], False, 400, "only looked")
    return content


@on_each("file upload", "upload")
@pytest.mark.parametrize("content", [CONTENT, b"small"], ids=["blocks", "one request"])
def test_an_upload_is_stored_and_the_back_end_is_told(hub, files, start, kind, content):
    device = hub.device(f"upload-{kind.name}-{len(content)}")
    program = start(kind, device)
    program.upload("folder/my file.txt", content)
    told = files.of(f"{device.id}/folder/my file.txt")
    assert told["deviceId"] == device.id
    assert told["blobSizeInBytes"] == len(content)
    assert told["blobUri"].startswith("https://")
    assert download(start, device, "folder/my file.txt") == content


def test_a_notification_that_is_given_back_comes_again(hub, files, start):
    """The receiver abandons the first one it gets."""
    device = hub.device("told-twice")
    start(PYTHON, device).upload("a", b"content")
    files.of(f"{device.id}/a")
    first = next(blob for blob, outcome in files.outcomes if outcome == "abandon")
    while (first, "complete") not in files.outcomes:
        files.read()


@pytest.mark.feature("file upload", client="Python azure-iot-device", transport="HTTPS")
def test_a_failed_upload_is_told_to_nobody_and_a_blob_that_is_not_there_is_refused(hub, files, start):
    device = hub.device("failing")
    program = start(PYTHON, device)
    info = program.client.get_storage_info_for_blob("failed")
    assert set(info) == {"correlationId", "hostName", "containerName", "blobName", "sasToken"}
    program.client.notify_blob_upload_status(info["correlationId"], False, 500, "no")
    info = program.client.get_storage_info_for_blob("absent")
    with pytest.raises(Exception):  # noqa: B017 - the SDK hides the status in its own error
        program.client.notify_blob_upload_status(info["correlationId"], True, 200, "not really")
    program.upload("there", b"content")
    files.of(f"{device.id}/there")
    assert f"{device.id}/failed" not in files.found and f"{device.id}/absent" not in files.found
