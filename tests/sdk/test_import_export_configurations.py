"""Configurations in the files of imports: what a line asks for, and lines that come to nothing."""

import json

from transfers import container, create, ended, errors


def put(hub, name, etag=None, **members):
    content = {"deviceContent": {"properties.desired.by": name}}
    headers = {"If-Match": f'"{etag}"'} if etag else {}
    answer = hub.registry.request(
        "PUT", f"/configurations/{name}", {"id": name, "content": content, **members}, headers=headers)
    assert answer.status in (200, 201), answer
    return answer.json


def configuration(hub, name):
    return hub.registry.request("GET", f"/configurations/{name}")


def imported(hub, made, uri, **members):
    begun = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri, includeConfigurations=True, **members)
    return ended(hub, begun["jobId"]), errors(made)


def test_a_line_replaces_what_has_its_etag_and_bad_ones_are_told_one_by_one(hub):
    for name in ("i-same", "i-other", "i-none", "i-any"):
        put(hub, name)

    def line(name, **more):
        return json.dumps({"id": name, "content": {"deviceContent": {"properties.desired.a": 1}}, **more})

    made, uri = container(hub)
    made.upload_blob("devices.txt", b'{"id":"i-device"}\n{"id":"i-nobody","importMode":"update"}\n')
    made.upload_blob("configs", "\n".join([
        "\ufeff" + line("i-same", etag="MQ==", importMode="CreateOrUpdateIfMatchETag", priority=7), "", "no json",
        line("i-other", etag="Mg==", priority=7), line("i-none", priority=7),
        line("i-any", importMode="createOrUpdate", priority=7), line("i-new", etag="Mjg=", priority=7),
        line("i-mode", importMode="delete"), line("BAD"), line("i-query", targetCondition="tags. ="),
    ]).encode())
    done, log = imported(hub, made, uri, configurationsBlobName="configs")
    assert (done["status"], done["processedCount"], done["failedCount"]) == ("completed", 12, 7), done
    assert [(told.get("deviceId"), told.get("configurationId"), told["line"], told["errorCode"] // 1000) for told in log] == [
        ("i-nobody", None, 2, 404), (None, "", 3, 400), (None, "i-other", 4, 412), (None, "i-none", 5, 412),
        (None, "i-mode", 8, 400), (None, "BAD", 9, 400), (None, "i-query", 10, 400)]
    found = {name: configuration(hub, name).json for name in ("i-same", "i-other", "i-none", "i-any", "i-new")}
    assert {name: one["priority"] for name, one in found.items()} == {
        "i-same": 7, "i-other": 0, "i-none": 0, "i-any": 7, "i-new": 7}
    assert {name: one["etag"] for name, one in found.items() if one["etag"] != "MQ=="} == {"i-same": "Mg==", "i-any": "Mg=="}
    assert configuration(hub, "i-query").status == 404


def test_a_blob_that_is_not_there_fails_the_job_before_anything_is_imported(hub):
    made, uri = container(hub)
    made.upload_blob("devices.txt", b'{"id":"never-made"}\n')
    done, log = imported(hub, made, uri)
    assert done["status"] == "failed" and "configurations.txt" in done["failureReason"], done
    assert (hub.registry.get("never-made").status, log) == (404, [])
    same = {"type": "export", "outputBlobContainerUri": uri, "includeConfigurations": True, "configurationsBlobName": "devices.txt"}
    assert hub.registry.request("POST", "/jobs/create", same).status == 400
