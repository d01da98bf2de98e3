"""The registry goes to blobs and comes back: jobs as the service SDKs ask for them, the nine import modes, bad lines, the
command line."""

import json

from azure.iot.hub.protocol.models import JobProperties

from node_client import node
from service import Service
from transfers import KEY, by_identity, cli, container, create, ended, imported, job, lines_of
from waiting import until


def twin(hub, device):
    answer = hub.registry.request("GET", f"/twins/{device}")
    assert answer.status == 200, answer
    return answer.json


def test_all_import_modes_do_what_they_say_in_any_case(hub):
    keys = {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}}
    job, log = imported(hub, [
        {"id": "m-1", "importMode": "create", "authentication": keys},
        {"id": "m-2", "tags": {"a": 1}, "properties": {"desired": {"b": {"c": 2}}, "reported": {"d": 3}}},
        {"id": "m-2", "moduleId": "one", "importMode": "CreateOrUpdate", "authentication": keys},
        {"id": "m-3", "importMode": "CREATE"},
        {"id": "m-4", "importMode": "create"},
        {"id": "m-5", "importMode": "create", "tags": {"z": 0}},
    ])
    assert (job["status"], job["progress"], job["processedCount"], job["failedCount"]) == ("completed", 100, 6, 0)
    assert log == []
    assert hub.registry.get("m-1").json["authentication"]["symmetricKey"] == keys["symmetricKey"]
    made = twin(hub, "m-2")
    assert (made["tags"], made["properties"]["desired"]["b"], made["properties"]["reported"]["d"]) == ({"a": 1}, {"c": 2}, 3)
    etag = {name: hub.registry.get(name).json["etag"] for name in ("m-1", "m-3", "m-4")}
    job, log = imported(hub, [
        {"id": "m-1", "importMode": "create"},
        {"id": "m-1", "importMode": "Update", "status": "disabled", "authentication": keys},
        {"id": "m-none", "importMode": "update"},
        {"id": "m-3", "importMode": "updateIfMatchETag", "eTag": "AAAA"},
        {"id": "m-3", "importMode": "UPDATEIFMATCHETAG", "eTag": etag["m-3"], "statusReason": "why"},
        {"id": "m-4", "importMode": "createOrUpdateIfMatchETag", "eTag": "AAAA"},
        {"id": "m-6", "importMode": "createOrUpdateIfMatchETag", "eTag": "AAAA"},
        {"id": "m-2", "importMode": "updateTwin", "tags": {"a": None, "x": 1}},
        {"id": "m-2", "moduleId": "one", "importMode": "UpdateTwin", "properties": {"desired": {"y": 1}}},
        {"id": "m-5", "importMode": "updateTwinIfMatchETag", "twinETag": "AAAA", "tags": {"z": 1}},
        {"id": "m-5", "importMode": "updateTwinIfMatchETag", "twinETag": twin(hub, "m-5")["etag"], "tags": {"z": 2}},
        {"id": "m-4", "importMode": "deleteIfMatchETag", "eTag": "AAAA"},
        {"id": "m-4", "importMode": "deleteIfMatchETag", "eTag": etag["m-4"]},
        {"id": "m-2", "moduleId": "one", "importMode": "Delete"},
        {"id": "m-none", "importMode": "delete"},
    ])
    assert (job["status"], job["processedCount"], job["failedCount"]) == ("completed", 15, 7)
    assert [(line["line"], line["deviceId"], line["errorCode"] // 1000) for line in log] == [
        (1, "m-1", 409), (3, "m-none", 404), (4, "m-3", 412), (6, "m-4", 412), (10, "m-5", 412), (12, "m-4", 412),
        (15, "m-none", 404)]
    assert hub.registry.get("m-1").json["status"] == "disabled"
    assert hub.registry.get("m-3").json["statusReason"] == "why"
    assert hub.registry.get("m-4").status == 404
    assert hub.registry.get("m-6").status == 200
    assert (twin(hub, "m-2")["tags"], twin(hub, "m-5")["tags"]) == ({"x": 1}, {"z": 2})
    assert hub.registry.request("GET", "/devices/m-2/modules").json == []


def test_bad_lines_are_told_one_by_one_and_keep_no_other_from_being_imported(hub):
    job, log = imported(hub, [
        "\ufeff" + json.dumps({"id": "bad-1"}), "", "no json", '{"id":"bad id"}', '{"id":"bad-2","importMode":"never"}',
        json.dumps({"id": "bad-3", "tags": {"$x": 1}}), json.dumps({"id": "bad-no", "moduleId": "m"}), "   ",
        json.dumps({"id": "bad-4"}) + "\r",
    ])
    assert (job["status"], job["processedCount"], job["failedCount"]) == ("completed", 9, 5)
    assert [line["line"] for line in log] == [3, 4, 5, 6, 7]
    assert all(line["errorStatus"] and 400_000 <= line["errorCode"] < 500_000 for line in log), log
    assert [hub.registry.get(name).status for name in ("bad-1", "bad-2", "bad-3", "bad-4")] == [200, 404, 404, 200]

    made, uri = container(hub)
    made.upload_blob("devices.txt", b'{"id":"bad-5"}\n' + b"x" * (2 << 20))
    begun = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri)
    failed = ended(hub, begun["jobId"])
    assert failed["status"] == "failed" and "line 2" in failed["failureReason"], failed


def test_what_cannot_be_carried_out_is_refused_or_fails(hub):
    made, uri = container(hub)
    for body in [{}, {"type": "export"}, {"type": "both", "outputBlobContainerUri": uri},
                 {"type": "export", "outputBlobContainerUri": uri.replace("sig=", "sig=A")},
                 {"type": "export", "outputBlobContainerUri": uri.partition("?")[0]},
                 {"type": "import", "outputBlobContainerUri": uri}]:
        assert hub.registry.request("POST", "/jobs/create", body).status == 400, body
    missing = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri, inputBlobName="none.txt")
    failed = ended(hub, missing["jobId"])
    assert failed["status"] == "failed" and "none.txt" in failed["failureReason"], failed
    assert "sig=" not in json.dumps(failed), "a signature is not shown"
    assert hub.registry.request("DELETE", f"/jobs/{missing['jobId']}").status == 400, "it has ended"
    assert hub.registry.request("GET", "/jobs/never").status == 404
    assert hub.registry.request("DELETE", "/jobs/never").status == 404
    read_only = hub.settings["IRONHUB_POLICY_REGISTRYREAD_CONNECTION_STRING"]
    said = cli(hub, "export", "--connection-string", read_only, "--container-uri", uri, expect=1)
    assert "IotHubUnauthorizedAccess" in said.stderr, said.stderr
    assert [job["jobId"] for job in hub.registry.request("GET", "/jobs").json].count(missing["jobId"]) == 1
    assert [blob.name for blob in made.list_blobs()] == ["importErrors.log"]


def test_the_service_sdks_import_and_export(hub):
    made, uri = container(hub)
    hub.registry.create("sdk-1")
    said = node(hub, "transfers.mjs", {"hub": hub.service, "call": "exportDevicesToBlob", "args": [uri, False]})
    assert (said["job"]["status"], said["job"]["type"]) == ("completed", "export")
    assert said["listed"] and said["cancelled"] == 400
    line = by_identity(lines_of(made, "devices.txt"))["sdk-1", None]
    assert line["authentication"]["symmetricKey"]["primaryKey"]
    hub.registry.delete("sdk-1")
    said = node(hub, "transfers.mjs", {"hub": hub.service, "call": "importDevicesFromBlob", "args": [uri, uri]})
    assert (said["job"]["status"], said["job"]["type"]) == ("completed", "import")
    assert hub.registry.get("sdk-1").json["authentication"]["symmetricKey"] == line["authentication"]["symmetricKey"]

    jobs = Service(hub).manager.protocol.jobs
    begun = jobs.create_import_export_job(JobProperties(
        type="export", output_blob_container_uri=uri, output_blob_name="by/python.txt", exclude_keys_in_export=True))
    done = until(lambda: next((j for j in [jobs.get_import_export_job(begun.job_id)] if j.status == "completed"), None), "completed")
    assert (done.progress, done.end_time_utc is not None, done.failure_reason) == (100, True, None)
    assert begun.job_id in [job.job_id for job in jobs.get_import_export_jobs()]
    line = by_identity(lines_of(made, "by/python.txt"))["sdk-1", None]
    assert line["authentication"]["symmetricKey"] == {"primaryKey": None, "secondaryKey": None}


def test_the_command_line_shows_what_came_to_nothing(hub):
    text = '{"id":"cli-1"}\n{"id":"cli-1","importMode":"create"}\nno json\n{"id":"cli-2"}\n'
    said = cli(hub, "import", "-", text=text, expect=1)
    assert "line 2: cli-1: " in said.stderr and "(409001)" in said.stderr, said.stderr
    assert "line 3: " in said.stderr and "2 of 4 lines came to nothing" in said.stderr, said.stderr
    said = cli(hub, "import", "--json", "-", text=text, expect=1)
    assert [error["line"] for error in json.loads(said.stdout)["errors"]] == [2, 3]
    assert "cannot read" in cli(hub, "import", "no-such-file", expect=2).stderr


def test_one_at_a_time_and_a_cancelled_one_makes_room(hub):
    made, uri = container(hub)
    made.upload_blob("devices.txt", b"".join(b'{"id":"many-%d"}\n' % n for n in range(20_000)))
    begun = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri)
    refused = create(hub, expect=403, type="export", outputBlobContainerUri=uri)
    assert refused["errorCode"] == 403003 and "JobQuotaExceeded" in json.dumps(refused), refused
    assert hub.registry.request("DELETE", f"/jobs/{begun['jobId']}").status in (200, 204)
    assert job(hub, begun["jobId"])["status"] == "cancelled"
    export = create(hub, type="export", outputBlobContainerUri=uri, outputBlobName="after.txt")
    assert ended(hub, export["jobId"])["status"] == "completed"
