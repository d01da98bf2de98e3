"""Imports and exports: jobs over HTTPS, containers of the hub's own storage, and the lines that go through them."""

import itertools
import json
import os
import subprocess

from azure.storage.blob import BlobServiceClient

from waiting import until

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ENDED = ("completed", "failed", "cancelled")
names = itertools.count(1)


def container(hub):
    """A new container of the hub's own storage: the storage SDK's client, and its URL with a signature."""
    account = BlobServiceClient.from_connection_string(hub.storage, connection_verify=hub.ca)
    made = account.create_container(f"transfer-{next(names)}")
    ended = cli(hub, "storage", "sas", "--container", made.container_name)
    return made, ended.stdout.strip()


def cli(hub, *arguments, text=None, expect=0):
    """One command of the command line."""
    ended = subprocess.run(
        [os.environ["IRONHUB_BIN"], *arguments], input=text, capture_output=True, text=True, check=False,
        timeout=240, cwd=hub.data.parent, env={**os.environ, "IRONHUB_DATA_DIR": str(hub.data)})
    assert ended.returncode == expect, (arguments, ended.returncode, ended.stdout[-2000:], ended.stderr[-2000:])
    return ended


def create(hub, expect=200, **job):
    answer = hub.registry.request("POST", "/jobs/create", job)
    assert answer.status == expect, answer
    return answer.json


def job(hub, job_id):
    answer = hub.registry.request("GET", f"/jobs/{job_id}")
    assert answer.status == 200, answer
    return answer.json


def ended(hub, job_id, limit=120):
    """The job when it has ended."""
    def look():
        now = job(hub, job_id)
        return now if now["status"] in ENDED else None

    return until(look, lambda: f"{job(hub, job_id)} ends", limit)


def imported(hub, lines):
    """Imports lines; the job, and what the log of errors has."""
    made, uri = container(hub)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    made.upload_blob("devices.txt", text.encode())
    begun = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri)
    return ended(hub, begun["jobId"]), errors(made)


def errors(made):
    return lines_of(made, "importErrors.log")


def lines_of(made, blob):
    return [json.loads(line) for line in made.download_blob(blob).readall().decode().splitlines()]


def by_identity(lines):
    """Without what differs from hub to hub: ETags, versions and times."""
    def plain(line):
        line = {name: value for name, value in line.items() if name not in ("eTag", "twinETag")}
        sections = line.get("properties", {}).items()
        values = {name: {key: value for key, value in section.items() if key not in ("$metadata", "$version")}
                  for name, section in sections}
        return {**line, "properties": values}

    return {(line["id"], line.get("moduleId")): plain(line) for line in lines}
