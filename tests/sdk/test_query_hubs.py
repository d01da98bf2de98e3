"""Queries of hubs that are restarted or configured for it."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from test_query import Named, ask, floor, name, rows
from waiting import LIMIT, until


def test_a_token_survives_a_restart(new_hub):
    hub = new_hub("--hub-partitions", "2").start()
    for n in range(4):
        hub.registry.create(f"r-{n}")
    first = ask(hub, "SELECT deviceId FROM devices", 3)
    hub.kill()
    hub.start()
    rest = ask(hub, "SELECT deviceId FROM devices", 3, first.headers["x-ms-continuation"])
    assert rest.status == 200, rest
    assert sorted(row["deviceId"] for row in first.json + rest.json) == [f"r-{n}" for n in range(4)]


def test_statistics_count_devices(new_hub):
    hub = new_hub("--hub-partitions", "3").start()
    for n in range(5):
        hub.registry.create(f"s-{n}", status="disabled" if n == 0 else "enabled")
    expected = {"totalDeviceCount": 5, "enabledDeviceCount": 4, "disabledDeviceCount": 1}
    assert hub.registry.request("GET", "/statistics/devices").json == expected
    assert hub.registry.request("GET", "/statistics/service/").json == {"connectedDeviceCount": 0}
    assert hub.registry.delete("s-0").status == 204
    assert hub.registry.request("GET", "/statistics/devices").json["disabledDeviceCount"] == 0


def test_tags_of_the_configuration_are_found_by_index(new_hub):
    hub = new_hub("--query-indexed-tags", "place.floor").start()
    for n in range(12):
        hub.registry.create(name(n))
        hub.registry.update_twin(Named(name(n)), {"tags": {"place": {"floor": floor(n)}}})
    text = "SELECT deviceId FROM devices WHERE tags.place.floor IN [1, 2] AND deviceId != 'q-06'"
    expected = [name(n) for n in range(12) if floor(n) in (1, 2) and n != 6]
    assert sorted(row["deviceId"] for row in rows(hub, text)) == expected
    found, token, pages = [], None, 0
    while token or not pages:
        answer = ask(hub, text, 2, token)
        found += [row["deviceId"] for row in answer.json]
        token, pages = answer.headers["x-ms-continuation"], pages + 1
    assert sorted(found) == expected


def test_what_jobs_did_is_a_row_for_each_device(new_hub):
    hub = new_hub("--hub-partitions", "2").start()
    for n in range(5):
        hub.registry.create(name(n))
    for job in ("job-1", "job-2"):
        body = {"jobId": job, "type": "scheduleUpdateTwin", "queryCondition": "deviceId != 'q-04'",
                "updateTwin": {"etag": "*", "tags": {"by": job}}, "maxExecutionTimeInSeconds": 60}
        assert hub.registry.request("PUT", f"/jobs/v2/{job}", body).status == 200
        until(lambda job=job: hub.registry.request("GET", f"/jobs/v2/{job}").json["status"] == "completed", "it is done")
    found, token, pages = [], None, 0
    while token or not pages:
        answer = ask(hub, "SELECT * FROM devices.jobs", 3, token)
        assert answer.headers["x-ms-item-type"] == "DeviceJob"
        found += answer.json
        token, pages = answer.headers["x-ms-continuation"], pages + 1
    assert pages == 3
    assert sorted((row["jobId"], row["deviceId"]) for row in found) == [
        (job, name(n)) for job in ("job-1", "job-2") for n in range(4)]
    (row,) = rows(hub, "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'job-2' AND deviceId = 'q-01'")
    assert (row["jobType"], row["status"]) == ("scheduleUpdateTwin", "completed")


def test_the_examples_of_the_documentation_work_as_written(new_hub):
    hub = new_hub().start()
    hub.registry.create("d1")
    hub.registry.create_module("d1", "camera")
    hub.registry.update_twin(Named("d1"), {"tags": {"place": {"building": "A", "floor": 2}}})
    text = (Path(__file__).resolve().parents[2] / "docs" / "QUERIES.md").read_text()
    (examples,) = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    said = []
    for line in examples.splitlines():
        _, *arguments = shlex.split(line)
        ended = subprocess.run(
            [os.environ["IRONHUB_BIN"], *arguments, "--data-dir", hub.data], capture_output=True, text=True,
            timeout=LIMIT, check=False)
        assert ended.returncode == 0, f"{line}: {ended}"
        said.append(ended.stdout)
    assert said[0].startswith("d1\tenabled\tDisconnected\t")
    assert said[1:] == ["d1\t2\n", "2\t1\n", "0\n", '{"deviceId":"d1","moduleId":"camera"}\n', "", "d1\n"]
