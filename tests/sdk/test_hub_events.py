"""The hub's own events as they are written: whole bodies and properties, whoever made the change (section 4.10)."""

import asyncio
import json
import re

import pytest

import eventhub
from mqtt import Mqtt
from raw_device import RawDevice
from routing import Reader, log_named, put, route
from waiting import until

SOURCES = ["TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents"]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


@pytest.fixture(scope="module")
def told(hub):
    """Every event of the hub's own, in the built-in log and enriched in another."""
    routes = [route(name, name, "events", "extra") for name in SOURCES]
    put(hub, {**log_named("extra"), "routes": routes, "enrichments": [
        {"key": "site", "value": "$twin.tags.site", "endpointNames": ["extra"]}]})
    readers = [Reader(hub, eventhub.entity(hub)), Reader(hub, "extra")]
    yield readers
    for reader in readers:
        reader.close()
    put(hub, {})


def of(identity):
    """Events of one device or module."""
    return lambda event: (event["device"], event["app"].get("moduleId")) == (identity.id, identity.module)


def bodies(events):
    return [(event["app"]["opType"], json.loads(eventhub.body(event))) for event in events]


def without_times(value):
    """A body whose times are checked and gone, so that it can be compared."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert key != "$lastUpdated" or TIME.match(item), item
        return {key: without_times(item) for key, item in value.items() if key not in ("$lastUpdated", "etag")}
    return value


@pytest.mark.parametrize("kind", ["device", "module"])
async def test_each_change_of_a_twin_is_told_as_it_was_made(hub, device, told, kind):
    identity = device if kind == "device" else device.add_module("m")
    path = f"/twins/{device.id}" + ("/modules/m" if kind == "module" else "")
    registry = hub.registry
    registry.update_twin(identity, {"tags": {"site": "north"}, "properties": {"desired": {"p": 1, "q": {"r": 2}}}})
    registry.update_twin(identity, {"properties": {"desired": {"p": None, "q": {"r": 3}}}})
    replaced = registry.request("PUT", path, {"tags": {"site": "south"}, "properties": {"desired": {"z": 1}}},
                                {"If-Match": '"*"'})
    assert replaced.status == 200, replaced
    client = await Mqtt.connect(identity, client_id=f"{device.id}/m" if kind == "module" else None)
    await client.send_acked("$iothub/twin/PATCH/properties/reported/?$rid=1", b'{"rep": {"a": 1}}')
    built_in = told[0].got(6, of(identity))
    await client.disconnect()
    who = {"deviceId": device.id, **({"moduleId": "m"} if kind == "module" else {})}

    def changed(version, section, values, metadata):
        return {"version": version, "properties": {section: {**values, "$metadata": metadata}}}

    at = lambda n, **more: {"$lastUpdatedVersion": n, **more}  # noqa: E731
    operations = [(operation, without_times(body)) for operation, body in bodies(built_in)]
    created = {**who, "version": 2, "tags": {}, "properties": {
        "desired": {"$metadata": {}, "$version": 1}, "reported": {"$metadata": {}, "$version": 1}}}
    assert operations[0] == ("createDeviceIdentity", created)
    assert operations[1] == ("updateTwin", {"tags": {"site": "north"}, **changed(
        3, "desired", {"p": 1, "q": {"r": 2}, "$version": 2}, at(2, p=at(2), q=at(2, r=at(2))))})
    assert operations[2] == ("updateTwin", changed(
        4, "desired", {"p": None, "q": {"r": 3}, "$version": 3}, at(3, q=at(3, r=at(3)))))
    assert operations[3] == ("replaceTwin", {**who, "version": 5, "tags": {"site": "south"}, "properties": {
        "desired": {"z": 1, "$metadata": at(4, z=at(4)), "$version": 4}, "reported": {"$metadata": {}, "$version": 1}}})
    assert operations[4][0] == "deviceConnected"
    assert operations[5] == ("updateTwin", changed(
        6, "reported", {"rep": {"a": 1}, "$version": 2}, {"rep": {"a": {}}}))
    for event in built_in:
        app, system = event["app"], event["system"]
        names = {"hubName", "opType", "operationTimestamp", "iothub-message-schema", *who}
        assert set(app) == names and TIME.match(app["operationTimestamp"])
        assert system.get("iothub-connection-module-id") == identity.module
        assert "iothub-connection-auth-method" not in system
    # Routes and enrichments see the twin as the change leaves it.
    extra = told[1].got(6, of(identity))
    assert [event["app"]["site"] for event in extra] == [
        "$twin.tags.site", "north", "north", "south", "south", "south"]


async def test_every_transition_is_told_in_order_with_its_reason(hub, device, told):
    registry = hub.registry
    first = await Mqtt.connect(device)
    second = await Mqtt.connect(device)
    await first.closed.wait()
    second.writer.transport.abort()
    connected = lambda: registry.get(device.id).json["connectionState"] == "Connected"  # noqa: E731
    await asyncio.to_thread(until, lambda: not connected(), "the hub sees the end of the socket")
    raw = await RawDevice.connect(device)
    await raw.telemetry()
    registry.update(registry.get(device.id).json, status="disabled")
    await asyncio.to_thread(until, lambda: not connected(), "the device is disconnected")
    registry.update(registry.get(device.id).json, status="enabled")
    last = await Mqtt.connect(device)
    assert registry.delete(device.id).status == 204
    await last.closed.wait()
    wanted = lambda event: of(device)(event) and "sequenceNumber" in eventhub.body(event).decode()  # noqa: E731
    events = told[0].got(8, wanted)
    assert [(operation, body["reason"]) for operation, body in bodies(events)] == [
        ("deviceConnected", "connected"), ("deviceDisconnected", "takenOver"),
        ("deviceConnected", "connected"), ("deviceDisconnected", "closed"),
        ("deviceConnected", "connected"), ("deviceDisconnected", "disabled"),
        ("deviceConnected", "connected"), ("deviceDisconnected", "deleted")]
    numbers = [body["sequenceNumber"] for _, body in bodies(events)]
    assert all(re.fullmatch("[0-9A-F]{64}", number) for number in numbers)
    assert numbers == sorted(set(numbers))


def test_bulk_requests_jobs_and_configurations_are_told_of_like_others(hub, told):
    registry = hub.registry

    def bulk(**item):
        answer = registry.request("POST", "/devices", [item])
        assert answer.status == 200 and answer.json["isSuccessful"], answer

    bulk(id="bulk", importMode="create", tags={"site": "east"})
    bulk(id="bulk", importMode="updateTwin", tags={"y": 1})
    job = {"jobId": "tell", "type": "scheduleUpdateTwin", "updateTwin": {"etag": "*", "tags": {"j": 1}},
           "queryCondition": "deviceId = 'bulk'", "startTime": "", "maxExecutionTimeInSeconds": 60}
    assert registry.request("PUT", "/jobs/v2/tell", job).status == 200
    until(lambda: registry.request("GET", "/jobs/v2/tell").json["status"] == "completed", "the job is done")
    configuration = {"id": "tell", "content": {"deviceContent": {"properties.desired.c": 1}}, "priority": 1,
                     "targetCondition": "deviceId = 'bulk'"}
    assert registry.request("PUT", "/configurations/tell", configuration).status in (200, 201)
    mine = lambda event: event["device"] == "bulk"  # noqa: E731
    told[0].got(4, mine)
    bulk(id="bulk", importMode="delete")
    events = told[0].got(5, mine)
    found = bodies(events)
    assert [operation for operation, _ in found] == [
        "createDeviceIdentity", "updateTwin", "updateTwin", "updateTwin", "deleteDeviceIdentity"]
    assert found[0][1]["tags"] == {"site": "east"}
    assert [body.get("tags") for _, body in found[1:3]] == [{"y": 1}, {"j": 1}]
    assert found[3][1]["properties"]["desired"]["c"] == 1
    assert found[4][1]["tags"] == {"site": "east", "y": 1, "j": 1}
    assert {event["app"]["site"] for event in told[1].got(5, mine)} == {"east"} | {"$twin.tags.site"}
