"""Digital twins: through the Python service SDK's own client, and the commands that are direct methods."""

from azure.iot.hub import DigitalTwinClient

from programs import with_features
from service import trust
from test_registry import error

KIND = with_features("methods")[0]


def client(hub):
    trust(hub.ca)
    return DigitalTwinClient.from_connection_string(hub.service)


def test_python_reads_and_patches_a_digital_twin(hub):
    device = hub.device("digital")
    hub.registry.update_twin(device, {"properties": {"desired": {"target": 20}}})
    digital = client(hub)
    twin = digital.get_digital_twin(device.id)
    assert twin["$dtId"] == device.id
    assert twin["$metadata"]["target"]["desiredValue"] == 20
    digital.update_digital_twin(device.id, [
        {"op": "replace", "path": "/target", "value": 21},
        {"op": "add", "path": "/part/rate", "value": 5},
    ])
    desired = hub.registry.twin(device)["properties"]["desired"]
    assert desired["target"] == 21 and desired["part"] == {"__t": "c", "rate": 5}
    assert digital.get_digital_twin(device.id)["part"]["$metadata"]["rate"]["desiredValue"] == 5


def test_a_patch_keeps_its_precondition_and_says_where_the_twin_is(hub):
    hub.registry.create("digital-etag")
    path = "/digitaltwins/digital-etag"
    etag = hub.registry.request("GET", path).headers["ETag"]
    patch = [{"op": "add", "path": "/a", "value": 1}]
    changed = hub.registry.request("PATCH", path, patch, {"If-Match": etag})
    assert changed.status == 202 and changed.headers["Location"] == path and changed.headers["ETag"] != etag, changed
    error(hub.registry.request("PATCH", path, patch, {"If-Match": etag}), 412, "PreconditionFailed")
    error(hub.registry.request("PATCH", path, [{"op": "move", "path": "/a"}]), 400, "ArgumentInvalid")
    error(hub.registry.request("GET", "/digitaltwins/nobody"), 404, "DeviceNotFound")


def test_a_command_is_a_direct_method(hub, start):
    device = hub.device("digital-command")
    path = f"/digitaltwins/{device.id}"
    timeouts = "connectTimeoutInSeconds=0&responseTimeoutInSeconds=10"
    assert hub.registry.request("POST", f"{path}/commands/echo?{timeouts}", 1).status == 404
    program = start(KIND, device)
    program.answer_methods()
    answer = hub.registry.request("POST", f"{path}/commands/echo?{timeouts}", {"x": 1})
    assert answer.status == 200 and answer.json == {"x": 1}, answer
    assert answer.headers["x-ms-command-statuscode"] == "200" and answer.headers["x-ms-request-id"]
    assert program.calls.take()["name"] == "echo"
    answer = hub.registry.request("POST", f"{path}/components/part/commands/reboot?{timeouts}", {"status": 207})
    assert answer.headers["x-ms-command-statuscode"] == "207"
    assert answer.json["method"] == "part*reboot"
    error(hub.registry.request("POST", f"{path}/commands/echo?responseTimeoutInSeconds=x", 1), 400, "ArgumentInvalid")
    error(hub.registry.request("POST", f"{path}/commands/echo", b"{"), 400, "ArgumentInvalid")
