"""The registry goes to another hub, by way of another storage, too; and an import goes on after kill -9."""

import json
import os
import shutil

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from test_upload_places import ACCOUNT, KEY as ACCOUNT_KEY, azurite
from transfers import by_identity, cli, container, create, ended, errors, imported, job, lines_of
from waiting import until

__all__ = ["azurite"]


def test_a_registry_moves_to_another_hub_and_to_another_storage_and_is_what_it_was(new_hub, azurite, tmp_path):
    account = BlobServiceClient(f"{azurite}/{ACCOUNT}", credential={"account_name": ACCOUNT, "account_key": ACCOUNT_KEY})
    elsewhere = account.create_container("registry")
    token = generate_container_sas(
        ACCOUNT, "registry", account_key=ACCOUNT_KEY, permission=ContainerSasPermissions(read=True, write=True, delete=True, list=True),
        expiry="2099-01-01T00:00:00Z")
    uri = f"{azurite}/{ACCOUNT}/registry?{token}"

    first = new_hub().start()
    thumbprint = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "A" * 40, "secondaryThumbprint": "B" * 64}}
    lines = [{"id": f"d{n}", "tags": {"n": n, "ä": "☃\n"}, "properties": {"desired": {"x": [1, {"y": 1.5}]}, "reported": {"r": n}}}
             for n in range(700)]
    lines += [{"id": f"d{n}", "moduleId": f"m{m}", "properties": {"desired": {"m": m}}} for n in range(0, 700, 7) for m in range(3)]
    lines += [{"id": "x509", "authentication": thumbprint, "status": "disabled", "statusReason": "lost"},
              {"id": "ca", "authentication": {"type": "certificateAuthority"}, "capabilities": {"iotEdge": True}}]
    job, log = imported(first, lines)
    assert (job["failedCount"], log) == (0, [])
    cli(first, "export", str(tmp_path / "devices.txt"))
    assert os.stat(tmp_path / "devices.txt").st_mode & 0o777 == 0o600
    exported = [json.loads(line) for line in (tmp_path / "devices.txt").read_text().splitlines()]
    assert len(exported) == len(lines)
    cli(first, "export", "--container-uri", uri)
    assert by_identity(lines_of(elsewhere, "devices.txt")) == by_identity(exported)
    without = cli(first, "export", "--exclude-keys")
    assert len(without.stdout.splitlines()) == len(lines) and "primaryKey\":\"" not in without.stdout
    first.stop()

    for way in [[str(tmp_path / "devices.txt")], ["--container-uri", uri]]:
        second = new_hub("--hub-partitions", "3").start()
        moved = json.loads(cli(second, "import", "--json", *way).stdout)
        assert (moved["processedCount"], moved["failedCount"]) == (len(lines), 0)
        again = [json.loads(line) for line in cli(second, "export", "-").stdout.splitlines()]
        assert by_identity(again) == by_identity(exported)
        seen = set()
        for line in again:
            assert "moduleId" not in line or line["id"] in seen, "a module comes after its device"
            seen.add(line["id"])
        with BlobServiceClient.from_connection_string(second.storage, connection_verify=second.ca) as own:
            assert [one.name for one in own.list_containers()] == ["ironhub-uploads"], "nothing stays behind"
        second.stop()
    assert lines_of(elsewhere, "importErrors.log") == []


def test_an_import_that_is_killed_goes_on_and_every_line_is_accounted_for(new_hub):
    hub = new_hub().start()
    made, uri = container(hub)
    lines, bad = [], []
    for n in range(5000):
        if n % 10 == 9:
            bad.append(n + 1)
            lines.append('{"id":"k-%d","importMode":"update"}' % n)
        else:
            mode = ["create", "createOrUpdate"][n % 2]
            lines.append('{"id":"k-%d","importMode":"%s","tags":{"n":%d}}' % (n, mode, n))
    made.upload_blob("devices.txt", "\n".join(lines).encode())
    begun = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri)["jobId"]
    kills = 0
    for percent in [1, 20, 40, 60]:
        now = until(lambda: next((j for j in [job(hub, begun)] if j["progress"] >= percent or j["status"] == "completed"), None),
                    f"{percent} %")
        if now["status"] == "completed":
            break
        hub.kill()
        kills += 1
        if kills == 2:
            # What another node would find: the job, and not the errors that this one has kept.
            shutil.rmtree(hub.data / "transfers")
        hub.start()
    done = ended(hub, begun)
    assert kills >= 2, "it was killed in the middle"
    assert (done["status"], done["processedCount"], done["failedCount"]) == ("completed", 5000, len(bad)), done
    assert [line["line"] for line in errors(made)] == bad
    export = create(hub, type="export", outputBlobContainerUri=uri, outputBlobName="after.txt")
    assert ended(hub, export["jobId"])["status"] == "completed"
    found = by_identity(lines_of(made, "after.txt"))
    assert found.keys() == {(f"k-{n}", None) for n in range(5000) if n % 10 != 9}
    assert all(line["tags"] == {"n": int(line["id"][2:])} for line in found.values())
