"""Configurations go to blobs with the registry and move to another hub, where the same ones go before others."""

import json

from azure.iot.hub.protocol.models import JobProperties

from service import Service
from test_import_export_configurations import configuration, put
from transfers import cli, container, create, ended, errors, job, lines_of
from waiting import until


def by_name(lines):
    """What a service chose of each."""
    chosen = ("schemaVersion", "labels", "content", "targetCondition", "priority")
    return {line["id"]: {**{name: line[name] for name in chosen}, "queries": line["metrics"]["queries"]} for line in lines}


def test_configurations_move_to_another_hub_where_the_same_ones_win(new_hub):
    first = new_hub().start()
    # Of two with one priority the one made later counts, whatever their ids are.
    put(first, "z-old", targetCondition="tags.x = 1", priority=5)
    put(first, "a-new", targetCondition="tags.x = 1", priority=5, labels={"ä": "b"},
        metrics={"queries": {"m": "SELECT deviceId FROM devices"}})
    device = first.device("cfg-moved")
    first.registry.update_twin(device, {"tags": {"x": 1}})
    until(lambda: first.registry.twin(device)["properties"]["desired"].get("by") == "a-new", "the newest counts")
    made, uri = container(first)
    jobs = Service(first).manager.protocol.jobs
    begun = jobs.create_import_export_job(JobProperties(
        type="export", output_blob_container_uri=uri, include_configurations=True, configurations_blob_name="by/sdk.txt"))
    done = ended(first, begun.job_id)
    assert (done["status"], done["processedCount"], done["configurationsBlobName"]) == ("completed", 3, "by/sdk.txt"), done
    lines = lines_of(made, "by/sdk.txt")
    assert [line["id"] for line in lines] == ["z-old", "a-new"], "the one made first is first"
    assert lines[1]["labels"] == {"ä": "b"} and lines[1]["etag"] == "MQ=="
    cli(first, "export", "--include-configurations", "--container-uri", uri)
    assert by_name(lines_of(made, "configurations.txt")) == by_name(lines)
    blobs = {name: made.download_blob(name).readall() for name in ("devices.txt", "configurations.txt")}
    first.stop()

    second = new_hub().start()
    made, uri = container(second)
    for name, content in blobs.items():
        made.upload_blob(name, content)
    moved = json.loads(cli(second, "import", "--json", "--include-configurations", "--container-uri", uri).stdout)
    assert (moved["processedCount"], moved["failedCount"]) == (3, 0), moved
    again = second.registry.request("GET", "/configurations").json
    assert by_name(again) == by_name(lines)
    until(lambda: second.registry.twin(device).get("configurations", {}).get("a-new", {}).get("status") == "Applied", "rolled out")
    found = second.registry.twin(device)
    assert found["configurations"]["z-old"]["status"] == "Targeted" and found["properties"]["desired"]["by"] == "a-new"
    second.stop()


def test_an_import_that_is_killed_among_its_configurations_goes_on(new_hub):
    hub = new_hub().start()
    made, uri = container(hub)
    made.upload_blob("devices.txt", b'{"id":"k"}\n')
    content = {"deviceContent": {"properties.desired.a": 1}}
    # Lines that are repeated after the kill meet what they made themselves, and that is no error.
    lines = [json.dumps({"id": f"k-{n}", "content": content, "priority": n} if n % 10 else {"id": f"k-{n}"}) for n in range(100)]
    # Groups of 1024 lines: empty ones count.
    made.upload_blob("configurations.txt", "".join(line + "\n" * 300 for line in lines).encode())
    begun = create(hub, type="import", inputBlobContainerUri=uri, outputBlobContainerUri=uri, includeConfigurations=True)["jobId"]
    until(lambda: configuration(hub, "k-1").status == 200, "it is among the configurations")
    hub.kill()
    hub.start()
    done = ended(hub, begun)
    assert (done["status"], done["processedCount"], done["failedCount"]) == ("completed", 1 + 100 * 300, 10), done
    assert [told["configurationId"] for told in errors(made)] == [f"k-{n}" for n in range(0, 100, 10)]
    found = hub.registry.request("GET", "/configurations?top=100").json
    assert {one["id"]: (one["priority"], one["etag"]) for one in found} == {f"k-{n}": (n, "MQ==") for n in range(100) if n % 10}
    assert job(hub, begun)["progress"] == 100
