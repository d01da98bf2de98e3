"""Jobs over many devices through Node's JobClient and Python's IoTHubJobManager."""

import pytest
from azure.iot.hub import IoTHubJobManager
from azure.iot.hub.models import CloudToDeviceMethod, JobRequest, Twin, TwinProperties
from msrest.exceptions import HttpOperationError

from node_client import node
from programs import KINDS
from service import trust
from waiting import until

ENDED = {"completed", "failed", "cancelled"}


def counts(job):
    """(all, succeeded, failed, running, pending) of a job in JSON."""
    found = job["deviceJobStatistics"]
    return tuple(found[name + "Count"] for name in ("device", "succeeded", "failed", "running", "pending"))


@pytest.fixture
def nodejs(hub):
    """Runs steps through Node's JobClient."""
    return lambda *steps: node(hub, "jobs.mjs", {"connectionString": hub.service, "steps": steps})


@pytest.fixture(scope="module")
def manager(hub):
    trust(hub.ca)
    return IoTHubJobManager.from_connection_string(hub.service)


@pytest.fixture
def online(hub, start):
    """A device that answers methods."""
    device = hub.device("jobs-online")
    program = start(next(kind for kind in KINDS if "methods" in kind.features and "node" in kind.name), device)
    program.answer_methods()
    yield device
    hub.registry.delete(device.id)


def test_a_twin_job_of_nodes_sdk(hub, nodejs):
    chosen = [hub.device(f"node-twin-{number}") for number in range(3)]
    other = hub.device("node-twin-other")
    for device in chosen:
        hub.registry.update_twin(device, {"tags": {"floor": 1}})
    patch = {"etag": "*", "tags": {"room": "blue"}, "properties": {"desired": {"light": "on"}}}
    made, ended, got, missing, again = nodejs(
        ["scheduleTwinUpdate", "node-twin", "tags.floor = 1", patch, 0, 60],
        ["wait", "node-twin"],
        ["getJob", "node-twin"],
        ["getJob", "no-such-job"],
        ["scheduleTwinUpdate", "node-twin", "*", patch, 0, 60],
    )
    assert (made["jobId"], made["type"]) == ("node-twin", "scheduleUpdateTwin")
    assert (ended["status"], counts(ended)) == ("completed", (3, 3, 0, 0, 0))
    assert got == ended
    assert got["updateTwin"]["tags"] == {"room": "blue"} and got["queryCondition"] == "tags.floor = 1"
    assert "JobNotFound" in missing["message"] and "GenericConflict" in again["message"]
    for device in chosen:
        twin = hub.registry.twin(device)
        assert (twin["tags"], twin["properties"]["desired"]["light"]) == ({"floor": 1, "room": "blue"}, "on")
        assert twin["properties"]["desired"]["$version"] == 2
    assert hub.registry.twin(other)["properties"]["desired"]["$version"] == 1


def test_a_method_job_of_nodes_sdk(hub, nodejs, online):
    away = hub.device("node-method-away")
    call = {"methodName": "reboot", "payload": {"delay": 1}, "responseTimeoutInSeconds": 30, "timeoutInSeconds": 30}
    _, ended = nodejs(
        ["scheduleDeviceMethod", "node-method", f"deviceId IN ['{online.id}', '{away.id}']", call, 0, 60],
        ["wait", "node-method"],
    )
    assert (ended["status"], counts(ended)) == ("completed", (2, 1, 1, 0, 0))
    assert ended["cloudToDeviceMethod"]["methodName"] == "reboot"
    query = {"query": "SELECT * FROM devices.jobs WHERE jobId = 'node-method'"}
    found = hub.registry.request("POST", "/devices/query", query)
    assert (found.status, found.headers["x-ms-item-type"]) == (200, "DeviceJob"), found
    rows = {row["deviceId"]: row for row in found.json}
    assert rows[online.id]["outcome"]["deviceMethodResponse"]["payload"] == {"method": "reboot", "got": {"delay": 1}}
    assert (rows[online.id]["status"], rows[away.id]["status"]) == ("completed", "failed")
    assert rows[away.id]["error"]["code"] == "DeviceNotOnline"


def test_jobs_are_listed_in_pages_and_cancelled_before_they_begin(hub, nodejs):
    ids = [f"late-{number}" for number in range(5)]
    patch = {"etag": "*", "tags": {"late": True}}
    *made, pages, cancelled, twice, completed = nodejs(
        *(["scheduleTwinUpdate", job, "*", patch, 3_600_000, 60] for job in ids),
        ["all", "scheduleUpdateTwin", "scheduled", 2],
        ["cancelJob", "late-0"],
        ["cancelJob", "late-0"],
        ["all", "scheduleUpdateTwin", "cancelled", 100],
    )
    assert {job["status"] for job in made} == {"scheduled"}
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(job["jobId"] for page in pages for job in page) == ids
    assert cancelled["status"] == "cancelled" and "error" in twice
    assert "late-0" in [job["jobId"] for page in completed for job in page]


def test_jobs_of_pythons_sdk(hub, manager, online):
    device = hub.device("python-twin")
    request = JobRequest(
        job_id="python-twin", type="scheduleUpdateTwin", query_condition=f"deviceId = '{device.id}'",
        max_execution_time_in_seconds=60, update_twin=Twin(etag="*", properties=TwinProperties(desired={"a": 1})))
    assert manager.create_scheduled_job("python-twin", request).job_id == "python-twin"
    until(lambda: manager.get_scheduled_job("python-twin").status == "completed", "the twin job has ended")
    assert hub.registry.twin(device)["properties"]["desired"]["a"] == 1

    call = CloudToDeviceMethod(method_name="echo", payload={"x": 1}, response_timeout_in_seconds=30)
    request = JobRequest(
        job_id="python-method", type="scheduleDeviceMethod", query_condition=f"deviceId = '{online.id}'",
        max_execution_time_in_seconds=60, cloud_to_device_method=call)
    manager.create_scheduled_job("python-method", request)
    until(lambda: manager.get_scheduled_job("python-method").status == "completed", "the method job has ended")
    found = manager.get_scheduled_job("python-method").device_job_statistics
    assert (found.device_count, found.succeeded_count) == (1, 1)
    with pytest.raises(HttpOperationError):
        manager.cancel_scheduled_job("python-method")
    with pytest.raises(HttpOperationError):
        manager.get_scheduled_job("no-such-job")


def test_a_job_cancelled_while_its_calls_wait_holds_up_nothing(hub):
    for number in range(2):
        hub.device(f"called-{number}")
    put = lambda name, **job: hub.registry.request("PUT", f"/jobs/v2/{name}", job)
    get = lambda name: hub.registry.request("GET", f"/jobs/v2/{name}").json
    chosen = "STARTSWITH(deviceId, 'called-')"
    call = {"methodName": "m", "connectTimeoutInSeconds": 60, "responseTimeoutInSeconds": 5}
    put("called", type="scheduleDeviceMethod", cloudToDeviceMethod=call, queryCondition=chosen)
    until(lambda: get("called")["deviceJobStatistics"]["runningCount"] == 2, "both devices are called")
    cancelled = hub.registry.request("POST", "/jobs/v2/called/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    for number in range(3):
        name = f"after-{number}"
        put(name, type="scheduleUpdateTwin", updateTwin={"tags": {"n": number}}, queryCondition=chosen)
        until(lambda: get(name)["status"] == "completed", f"{name} is done")
    assert hub.ready()
    assert hub.registry.request("POST", "/jobs/v2/called/cancel").status == 400


def test_what_is_no_job_is_refused_with_its_code(hub):
    twin = {"type": "scheduleUpdateTwin", "updateTwin": {"tags": {"a": 1}}}
    for body, status, code in (
        ({**twin, "queryCondition": "tags.a ="}, 400, "ArgumentInvalid"),
        ({**twin, "type": "reboot"}, 400, "ArgumentInvalid"),
        ({**twin, "jobId": "another"}, 400, "ArgumentInvalid"),
        ({**twin, "maxExecutionTimeInSeconds": -1}, 400, "ArgumentInvalid"),
        ("{", 400, "ArgumentInvalid"),
    ):
        answer = hub.registry.request("PUT", "/jobs/v2/bad", body)
        assert (answer.status, answer.headers["iothub-errorcode"]) == (status, code), f"{body}: {answer}"
    for method, path, headers, status in (
        ("PUT", "/jobs/v2/a%20b", {}, 400),
        ("GET", "/jobs/v2/bad", {}, 404),
        ("POST", "/jobs/v2/bad/cancel", {}, 404),
        ("GET", "/jobs/v2/query?jobStatus=sleeping", {}, 400),
        ("GET", "/jobs/v2/query", {"x-ms-continuation": "forged"}, 400),
        ("GET", "/jobs/v2/query", {"x-ms-max-item-count": "0"}, 400),
        ("GET", "/jobs/v2/query", {}, 200),
    ):
        body = twin if method == "PUT" else None
        answer = hub.registry.request(method, path, body, headers)
        assert answer.status == status, f"{method} {path}: {answer}"
    assert answer.headers["x-ms-item-type"] == "JobResponse"
    for path in ("/jobs/v2/query", "/jobs/v2/bad"):
        assert hub.registry.request("GET", path, authorization="").status == 401
