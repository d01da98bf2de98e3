"""Many identities in one request: through the service SDKs of Python and Node, and as items that are bad each on its own."""

import base64
import os

import pytest
from azure.iot.hub.models import ExportImportDevice
from azure.iot.hub.protocol.models import AuthenticationMechanism, SymmetricKey

from test_registry import error


def items(hub, *found):
    """The answer to a bulk request."""
    return hub.registry.request("POST", "/devices", list(found))


def codes(answer):
    return [(fault["deviceId"], fault["moduleId"], fault["errorCode"]) for fault in answer.json["errors"]]


def test_good_and_bad_items_have_each_their_own_result(hub):
    hub.registry.create("bulk-there")
    answer = items(
        hub,
        {"id": "bulk-1", "importMode": "create", "tags": {"floor": 1}, "properties": {"desired": {"a": 1}}},
        {"id": "bulk-there", "importMode": "create"},
        {"id": "bulk-1", "moduleId": "m", "importMode": "create", "properties": {"desired": {"b": 2}}},
        {"id": "bulk bad"},
        {"id": "bulk-missing", "importMode": "Delete"},
        {"id": "bulk-2", "status": "disabled", "statusReason": "new", "capabilities": {"iotEdge": True}},
        {"id": "bulk-2"},
        {"id": "bulk-3", "tags": {"too": {"large": ["x" * 4000] * 4}}},
        "no item",
    )
    assert answer.status == 400, answer
    assert answer.json["isSuccessful"] is False and answer.json["warnings"] == []
    assert codes(answer) == [
        ("bulk-there", None, "DeviceAlreadyExists"),
        ("bulk bad", None, "ArgumentInvalid"),
        ("bulk-missing", None, "DeviceNotFound"),
        ("bulk-2", None, "DeviceDefinedMultipleTimes"),
        ("bulk-3", None, "ArgumentInvalid"),
        ("", None, "DeserializationError"),
    ]
    assert all(fault["errorStatus"] for fault in answer.json["errors"])
    twin = hub.registry.request("GET", "/twins/bulk-1").json
    assert twin["tags"] == {"floor": 1} and twin["properties"]["desired"]["a"] == 1
    twin = hub.registry.request("GET", "/twins/bulk-1/modules/m").json
    assert twin["properties"]["desired"]["b"] == 2
    second = hub.registry.get("bulk-2").json
    assert (second["status"], second["statusReason"], second["capabilities"]) == ("disabled", "new", {"iotEdge": True})
    error(hub.registry.get("bulk-3"), 404, "DeviceNotFound")


def test_every_mode_keeps_its_precondition(hub):
    record = hub.registry.create("bulk-modes")
    twin = hub.registry.request("GET", "/twins/bulk-modes").json
    for mode, more, expected in [
        ("updateIfMatchETag", {"eTag": "stale"}, ["PreconditionFailed"]),
        ("updateIfMatchETag", {}, ["ArgumentInvalid"]),
        ("updateIfMatchETag", {"eTag": record["etag"], "status": "disabled"}, []),
        ("update", {"status": "enabled"}, []),
        ("createOrUpdate", {"statusReason": "again"}, []),
        ("updateTwinIfMatchETag", {"twinETag": "stale", "tags": {"x": 1}}, ["PreconditionFailed"]),
        ("updateTwinIfMatchETag", {"twinETag": twin["etag"], "tags": {"x": 1}}, []),
        ("updateTwin", {"properties": {"desired": {"y": 2}}}, []),
        ("updateTwin", {}, ["ArgumentInvalid"]),
        ("deleteIfMatchETag", {"eTag": "stale"}, ["PreconditionFailed"]),
        ("nonsense", {}, ["DeserializationError"]),
        ("delete", {}, []),
    ]:
        answer = items(hub, {"id": "bulk-modes", "importMode": mode, **more})
        assert answer.status == (400 if expected else 200), (mode, answer)
        assert [fault["errorCode"] for fault in answer.json["errors"]] == expected, (mode, answer)
    error(hub.registry.get("bulk-modes"), 404, "DeviceNotFound")


def test_a_request_that_is_no_list_of_items_is_refused_as_a_whole(hub):
    error(items(hub), 400, "ArgumentInvalid")
    error(hub.registry.request("POST", "/devices", b"{"), 400, "ArgumentInvalid")
    error(items(hub, *[{"id": f"bulk-many-{n}"} for n in range(101)]), 413, "TooManyDevices")
    error(hub.registry.get("bulk-many-0"), 404, "DeviceNotFound")


def test_bulk_needs_the_right_to_write(hub):
    for name, status in [("registryRead", 401), ("service", 401), ("registryReadWrite", 200)]:
        policy = hub.registry.request("GET", f"/policies/{name}").json
        other = hub.registry.__class__(hub.ca, name, policy["primaryKey"])
        answer = other.request("POST", "/devices", [{"id": f"bulk-by-{name}"}])
        assert answer.status == status, (name, answer)


def test_python_creates_updates_and_deletes_in_bulk(hub, service):
    key = base64.b64encode(os.urandom(32)).decode()
    keys = AuthenticationMechanism(type="sas", symmetric_key=SymmetricKey(primary_key=key, secondary_key=key))

    def asked(mode, **more):
        return [ExportImportDevice(id=f"bulk-py-{n}", import_mode=mode, **more) for n in range(100)]

    found = service.manager.bulk_create_or_update_devices(
        asked("create", authentication=keys, status="enabled", tags={"by": "python"}))
    assert found.is_successful and found.errors == []
    assert hub.registry.get("bulk-py-99").json["authentication"]["symmetricKey"]["primaryKey"] == key
    assert hub.registry.request("GET", "/twins/bulk-py-99").json["tags"] == {"by": "python"}
    found = service.manager.bulk_create_or_update_devices(asked("create", status="enabled"))
    assert not found.is_successful and len(found.errors) == 100
    assert found.errors[0].error_code == "DeviceAlreadyExists"
    found = service.manager.bulk_create_or_update_devices(asked("delete"))
    assert found.is_successful
    assert hub.registry.get("bulk-py-0").status == 404


@pytest.fixture
def node_registry(hub, agent):
    agent.ask("service", client="bulk", transport="amqp", connectionString=hub.service)
    yield lambda method, *args: agent.ask("registry", client="bulk", method=method, args=list(args))
    agent.ask("serviceClose", client="bulk")


def test_node_adds_updates_and_removes_devices(hub, node_registry):
    devices = [{"deviceId": f"bulk-node-{n}"} for n in range(5)]
    assert node_registry("addDevices", devices)["isSuccessful"] is True
    assert all(hub.registry.get("bulk-node-4").json["authentication"]["symmetricKey"].values())
    disabled = [{**device, "status": "disabled"} for device in devices]
    assert node_registry("updateDevices", disabled, True)["isSuccessful"] is True
    assert hub.registry.get("bulk-node-0").json["status"] == "disabled"
    assert node_registry("removeDevices", devices, True)["isSuccessful"] is True
    assert hub.registry.get("bulk-node-0").status == 404


def regenerate(hub, key, *devices):
    return hub.registry.request("POST", "/devices/keys/regenerate", {"policyKey": key, "devices": list(devices)})


def test_keys_of_many_are_renewed_at_once(hub):
    device = hub.device("bulk-keys")
    module = device.add_module("m")
    answer = regenerate(hub, "primary", {"id": device.id}, {"id": device.id, "moduleId": "m"}, {"id": "bulk-nobody"})
    assert answer.status == 200 and answer.json["policyKey"] == "primaryKey", answer
    first, second = answer.json["rotatedKeys"]
    assert (first["id"], first["moduleId"]) == (device.id, None)
    assert first["primaryKey"] != device.primary and first["secondaryKey"] == device.secondary
    assert second["moduleId"] == "m" and second["secondaryKey"] == module.secondary
    (fault,) = answer.json["errors"]
    assert (fault["id"], fault["errorCode"]) == ("bulk-nobody", "DeviceNotFound")
    keys = hub.registry.get(device.id).json["authentication"]["symmetricKey"]
    assert keys == {"primaryKey": first["primaryKey"], "secondaryKey": first["secondaryKey"]}
    swapped = regenerate(hub, "swap", {"id": device.id}).json["rotatedKeys"][0]
    assert (swapped["primaryKey"], swapped["secondaryKey"]) == (first["secondaryKey"], first["primaryKey"])
    both = regenerate(hub, "both", {"id": device.id}).json["rotatedKeys"][0]
    assert not {both["primaryKey"], both["secondaryKey"]} & {first["primaryKey"], first["secondaryKey"]}


def test_a_request_for_keys_that_is_none_is_refused(hub):
    for body in (b"", b"[]", {"policyKey": "third", "devices": [{"id": "d"}]}, {"policyKey": "primary", "devices": []}):
        error(hub.registry.request("POST", "/devices/keys/regenerate", body), 400, "ArgumentInvalid")
