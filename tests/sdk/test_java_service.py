"""The unmodified Java service client over HTTPS: queries, direct methods, jobs, configurations, digital twins, import and
export."""

import time

import pytest

import sas
import transfers
from java_client import HOSTNAME, NEEDS_JAVA, JavaError, JavaHub, connection_string, refused
from java_objects import Class
from waiting import until

pytestmark = NEEDS_JAVA
HUB = JavaHub


@pytest.fixture(scope="module")
def online(hub, java):
    """A device, in Java too, that answers direct methods."""
    device = hub.device("j-online")
    java.ask("open", name=device.id, connectionString=connection_string(device), protocol="MQTT")
    java.ask("methods", name=device.id)
    yield device
    java.ask("close", name=device.id)


def credential(hub, java):
    parts = sas.parse(hub.service)
    return java.azure.core.credential.AzureSasCredential(
        sas.token(HOSTNAME, parts["SharedAccessKey"], parts["SharedAccessKeyName"]))


def tagged(hub, name, count, **tags):
    devices = [hub.device(f"{name}-{number}") for number in range(count)]
    for device in devices:
        hub.registry.update_twin(device, {"tags": tags})
    return devices


def rows(found, *options):
    """All that a query finds, page after page."""
    while found.hasNext():
        yield found.next(*options)


def test_queries_page_to_the_end(hub, java):
    devices = tagged(hub, "j-query", 7, fleet="java")
    hub.registry.update_twin(devices[3], {"properties": {"desired": {"rate": 5}}})
    pages = java.sdk.query.QueryPageOptions.builder().pageSize(3).build()
    queries = java.sdk.query.QueryClient(hub.service)
    text = java.sdk.query.SqlQueryBuilder.createSqlQuery("*", "DEVICES", "tags.fleet = 'java'", None)
    found = queries.queryTwins(text, pages)
    assert found.getContinuationToken()
    twins = list(rows(found, pages))
    assert sorted(twin.getDeviceId() for twin in twins) == sorted(device.id for device in devices)
    rates = [twin.getDesiredProperties().toJsonObject().get("rate") for twin in twins]
    assert sorted(rates, key=str) == [5, None, None, None, None, None, None]
    assert [twin.getDeviceId() for twin in rows(java.sdk.twin.TwinClient(HOSTNAME, credential(hub, java)).query(
        "SELECT * FROM devices WHERE properties.desired.rate = 5"))] == [devices[3].id]
    hub.registry.create_module(devices[0].id, "m")
    modules = rows(queries.queryTwins(f"SELECT * FROM devices.modules WHERE deviceId = '{devices[0].id}'"))
    assert [(twin.getDeviceId(), twin.getModuleId()) for twin in modules] == [(devices[0].id, "m")]

    raw = list(rows(queries.queryRaw("SELECT deviceId FROM devices WHERE tags.fleet = 'java'", pages), pages))
    assert len(raw) == len(devices) and all('"deviceId"' in row for row in raw)
    (counted,) = rows(queries.queryRaw(
        "SELECT tags.fleet AS fleet, COUNT() AS n FROM devices WHERE tags.fleet = 'java' GROUP BY tags.fleet"))
    assert '"n":7' in counted
    assert list(rows(queries.queryTwins("SELECT * FROM devices WHERE tags.fleet = 'none'"))) == []
    refused("BadFormat", "ArgumentInvalid", queries.queryTwins, "SELECT * FROM devices WHERE")
    forged = java.sdk.query.QueryPageOptions.builder().continuationToken("AAAA").build()
    refused("BadFormat", "ArgumentInvalid", queries.queryTwins, text, forged)


def options(java, builder, **values):
    """The object that a builder of the SDK makes of the values."""
    made = builder.builder()
    for name, value in values.items():
        made = getattr(made, name)(value)
    return made.build()


def test_direct_methods(hub, java, online):
    methods = java.sdk.methods.DirectMethodsClient(hub.service)
    kind = java.sdk.methods.DirectMethodRequestOptions
    call = options(java, kind, payload={"delay": 3, "list": [1, None]}, methodResponseTimeoutSeconds=20,
                   methodConnectTimeoutSeconds=5)
    answer = methods.invoke(online.id, "reboot", call)
    assert (answer.getStatus(), answer.getPayloadAsJsonElement()) == (200, {"delay": 3, "list": [1, None]})
    given = java.sdk.methods.DirectMethodsClient(HOSTNAME, credential(hub, java))
    assert given.invoke(online.id, "refuse").getStatus() == 418

    away = hub.device("j-away")
    hub.registry.create_module(away.id, "m")
    now = options(java, kind, methodConnectTimeoutSeconds=0)
    for arguments in ((away.id, "reboot", now), (away.id, "m", "reboot", now)):
        with pytest.raises(JavaError) as raised:
            methods.invoke(*arguments)
        assert raised.value.type == "IotHubNotFoundException", raised.value
        assert raised.value.exception.getErrorCode() == 404103, raised.value
        assert raised.value.exception.getErrorCodeDescription() == "DeviceNotOnline"
    refused("NotFound", "DeviceNotFound", methods.invoke, "j-nobody", "reboot")


def test_methods_of_modules(hub, java):
    device = hub.device("j-modules")
    module = device.add_module("m")
    text = module.connection_string.replace("HostName=localhost;", f"HostName={HOSTNAME};")
    java.ask("open", name="j-modules/m", connectionString=text, protocol="AMQPS")
    java.ask("methods", name="j-modules/m")
    answer = java.sdk.methods.DirectMethodsClient(hub.service).invoke(device.id, "m", "echo")
    assert answer.getStatus() == 200
    assert java.event("method", name="j-modules/m")["method"] == "echo"
    java.ask("close", name="j-modules/m")


def counts(job):
    found = job.getJobStatistics()
    return tuple(getattr(found, f"get{name}Count")() for name in ("Device", "Succeeded", "Failed", "Running", "Pending"))


def ended(jobs, name):
    def look():
        job = jobs.get(name)
        return job if job.getJobStatus() in ("completed", "failed", "cancelled") else None

    return until(look, f"the job {name} ends")


def test_jobs(hub, java, online):
    devices = tagged(hub, "j-job", 3, floor="java")
    jobs = java.sdk.jobs.ScheduledJobsClient(hub.service)
    now = int(time.time() * 1000)
    wanted = java.sdk.twin.Twin()
    wanted.setETag("*")
    wanted.getTags().put("room", "blue")
    wanted.getDesiredProperties().put("light", "on")
    made = jobs.scheduleUpdateTwin("j-twin-job", "tags.floor = 'java'", wanted, now, 60)
    assert (made.getJobId(), made.getJobType()) == ("j-twin-job", "scheduleUpdateTwin")
    job = ended(jobs, "j-twin-job")
    assert (job.getJobStatus(), counts(job)) == ("completed", (3, 3, 0, 0, 0))
    assert job.getQueryCondition() == "tags.floor = 'java'" and job.getMaxExecutionTimeInSeconds() == 60
    assert job.getUpdateTwin().getTags().toJsonObject() == {"room": "blue"}
    assert job.getStartTime() <= job.getEndTime() and job.getCreatedTime()
    for device in devices:
        twin = hub.registry.twin(device)
        assert (twin["tags"], twin["properties"]["desired"]["light"]) == ({"floor": "java", "room": "blue"}, "on")
    refused("Conflict", "GenericConflict", jobs.scheduleUpdateTwin, "j-twin-job", "*", wanted, now, 60)
    refused("NotFound", "JobNotFound", jobs.get, "j-no-job")
    refused("BadFormat", "ArgumentInvalid", jobs.scheduleUpdateTwin, "j-bad-job", "tags.floor =", wanted, now, 60)

    call = options(java, java.sdk.jobs.DirectMethodsJobOptions, payload={"delay": 1}, methodResponseTimeoutSeconds=30,
                   methodConnectTimeoutSeconds=5, maxExecutionTimeSeconds=60)
    which = f"deviceId IN ['{online.id}', '{devices[0].id}']"
    jobs.scheduleDirectMethod("j-method-job", which, "reboot", now, call)
    job = ended(jobs, "j-method-job")
    assert (job.getJobType(), counts(job)) == ("scheduleDeviceMethod", (2, 1, 1, 0, 0))

    # One that starts in an hour, and so can be cancelled before.
    later = java.sdk.jobs.ScheduledJobsClient(HOSTNAME, credential(hub, java))
    later.scheduleUpdateTwin("j-later", "*", wanted, now + 3_600_000, 60)
    assert later.get("j-later").getJobStatus() in ("scheduled", "queued", "enqueued")
    assert jobs.cancel("j-later").getJobStatus() == "cancelled"
    assert ended(jobs, "j-later").getJobStatus() == "cancelled"
    refused("NotFound", "JobNotFound", jobs.cancel, "j-no-job")

    done = {job.getJobId() for job in rows(jobs.query("scheduleUpdateTwin", "completed"))}
    assert "j-twin-job" in done and not {"j-method-job", "j-later"} & done
    per_device = list(rows(jobs.query("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j-twin-job'")))
    assert sorted(job.getDeviceId() for job in per_device) == sorted(device.id for device in devices)
    assert {job.getJobStatus() for job in per_device} == {"completed"}
    pages = java.sdk.query.QueryPageOptions.builder().pageSize(1).build()
    every = java.sdk.query.QueryClient(hub.service).queryJobs(None, None, pages)
    assert {job.getJobId() for job in rows(every, pages)} == {"j-twin-job", "j-method-job", "j-later"}
    # A device's own answer to a method in a job is what this SDK cannot read: it looks for it beside where it stands.
    (failed,) = rows(java.sdk.query.QueryClient(hub.service).queryJobs(
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j-method-job' AND devices.jobs.status = 'failed'"))
    assert failed.getDeviceId() == devices[0].id and failed.getError()


def test_configurations(hub, java):
    (device,) = tagged(hub, "j-configured", 1, chill="java")
    client = java.sdk.configurations.ConfigurationsClient(hub.service)
    wanted = java.sdk.configurations.Configuration("j-cfg")
    content = java.sdk.configurations.ConfigurationContent()
    content.setDeviceContent({"properties.desired.chiller": {"t": 66}})
    wanted.setContent(content)
    metrics = java.sdk.configurations.ConfigurationMetrics()
    metrics.setQueries({"done": "SELECT deviceId FROM devices WHERE properties.desired.chiller.t = 66"})
    wanted.setMetrics(metrics)
    wanted.setLabels({"env": "test"})
    wanted.setPriority(10)
    wanted.setTargetCondition("tags.chill = 'java'")
    made = client.create(wanted)
    assert (made.getId(), made.getPriority(), made.getLabels()) == ("j-cfg", 10, {"env": "test"})
    refused("Conflict", "GenericConflict", client.create, wanted)
    until(lambda: hub.registry.twin(device)["properties"]["desired"].get("chiller") == {"t": 66}, "the device has it")

    def counted():
        found = client.get("j-cfg")
        return found.getSystemMetrics().getResults(), found.getMetrics().getResults()

    until(lambda: counted() == ({"targetedCount": 1, "appliedCount": 1}, {"done": 1}), lambda: f"metrics; are {counted()}")
    assert "j-cfg" in java.sdk.twin.TwinClient(hub.service).get(device.id).getConfigurations()

    found = client.get("j-cfg")
    found.setPriority(11)
    changed = client.replace(found)
    assert changed.getPriority() == 11 and changed.getEtag() != made.getEtag()
    assert [one.getId() for one in client.get(10)] == ["j-cfg"]
    refused("PreconditionFailed", "PreconditionFailed", client.delete, made)
    client.delete(client.get("j-cfg"))
    refused("NotFound", "GenericNotFound", client.get, "j-cfg")
    refused("NotFound", "GenericNotFound", client.delete, "j-cfg")
    wanted.setTargetCondition("tags.chill =")
    refused("BadFormat", "ArgumentInvalid", client.create, wanted)

    modules = java.sdk.configurations.ConfigurationContent()
    modules.setModulesContent({"one": {"properties.desired.rate": 5}})
    hub.registry.create("j-edge", capabilities={"iotEdge": True})
    given = java.sdk.configurations.ConfigurationsClient(HOSTNAME, credential(hub, java))
    given.applyConfigurationContentOnDevice("j-edge", modules)
    twin = hub.registry.request("GET", "/twins/j-edge/modules/one").json
    assert twin["properties"]["desired"]["rate"] == 5
    refused("NotFound", "DeviceNotFound", given.applyConfigurationContentOnDevice, "j-nobody", modules)


def test_digital_twins(hub, java, online):
    client = java.sdk.digitaltwin.DigitalTwinClient.createFromConnectionString(hub.service)
    text = client.getDigitalTwin(online.id, Class(java, "java.lang.String"))
    assert f'"$dtId":"{online.id}"' in text.replace(" ", "")
    patch = java.sdk.digitaltwin.UpdateOperationUtility()
    patch.appendAddPropertyOperation("/target", 21)
    client.updateDigitalTwin(online.id, patch.getUpdateOperations())
    assert hub.registry.twin(online)["properties"]["desired"]["target"] == 21
    command = client.invokeCommand(online.id, "reboot", '{"delay":1}')
    assert (command.getStatus(), command.getPayloadAsJsonElement()) == (200, '{"delay":1}')
    client.invokeComponentCommand(online.id, "part", "reboot", "5")
    assert java.event("method", name=online.id, method="part*reboot")["payload"] == 5
    # This client does not throw what the hub refuses; it has no answer then.
    assert client.getDigitalTwin("j-nobody", Class(java, "java.lang.String")) == "null"


def test_the_registry_goes_out_and_comes_in(hub, java):
    hub.device("j-moves")
    registry = java.sdk.registry.RegistryClient(hub.service)
    out, uri = transfers.container(hub)

    def finished(job):
        def look():
            now = registry.getJob(job.getJobId())
            return now if now.getStatus() in ("COMPLETED", "FAILED", "CANCELLED") else None

        return until(look, "the job ends")

    job = finished(registry.exportDevices(uri, False))
    assert (job.getStatus(), job.getType(), job.getProgress()) == ("COMPLETED", "EXPORT", 100)
    lines = {line["id"]: line for line in transfers.lines_of(out, "devices.txt")}
    assert lines["j-moves"]["authentication"]["symmetricKey"]["primaryKey"]

    hub.registry.delete("j-moves")
    job = finished(registry.importDevices(uri, uri))
    assert (job.getStatus(), job.getType()) == ("COMPLETED", "IMPORT")
    assert hub.registry.get("j-moves").json["authentication"] == lines["j-moves"]["authentication"]
    keyless = java.sdk.registry.RegistryJob.createForExportJob(uri, True)
    assert finished(registry.exportDevices(keyless)).getExcludeKeysInExport()
    refused("NotFound", "JobNotFound", registry.getJob, "j-no-job")
