"""Every call of the service SDKs' registries: Python's IoTHubRegistryManager and IoTHubHttpRuntimeManager, Node's Registry.

Calls that need more than a registry (methods, messages, jobs, configurations, imports) are in files of their own."""

import base64
import os

import pytest
from azure.iot.hub import IoTHubHttpRuntimeManager
from azure.iot.hub.models import QuerySpecification, Twin, TwinProperties
from msrest.exceptions import HttpOperationError

from service import trust
from waiting import until

THUMBPRINT = "A1" * 20


def key():
    return base64.b64encode(os.urandom(32)).decode()


def status_of(call, *arguments):
    """The HTTP status that a call is refused with."""
    with pytest.raises(HttpOperationError) as refused:
        call(*arguments)
    return refused.value.response.status_code


def test_pythons_devices(hub, service):
    manager, (one, two) = service.manager, (key(), key())
    made = manager.create_device_with_sas("py-sas", one, two, "enabled")
    assert made.authentication.symmetric_key.primary_key == one
    assert status_of(manager.create_device_with_sas, "py-sas", one, two, "enabled") == 409
    assert manager.get_device("py-sas").generation_id == made.generation_id
    changed = manager.update_device_with_sas("py-sas", made.etag, two, one, "disabled")
    assert (changed.status, changed.authentication.symmetric_key.primary_key) == ("disabled", two)
    assert status_of(manager.update_device_with_sas, "py-sas", made.etag, one, two, "enabled") == 412
    assert status_of(manager.update_device_with_sas, "py-none", "AAAA", one, two, "enabled") == 404

    made = manager.create_device_with_x509("py-x509", THUMBPRINT, THUMBPRINT, "enabled")
    assert made.authentication.type == "selfSigned"
    changed = manager.update_device_with_x509("py-x509", made.etag, "B2" * 20, THUMBPRINT, "enabled")
    assert changed.authentication.x509_thumbprint.primary_thumbprint == "B2" * 20
    made = manager.create_device_with_certificate_authority("py-ca", "enabled")
    changed = manager.update_device_with_certificate_authority("py-ca", made.etag, "disabled")
    assert (changed.authentication.type, changed.status) == ("certificateAuthority", "disabled")

    listed = {device.device_id: device for device in manager.get_devices(1000)}
    assert {"py-sas", "py-x509", "py-ca"} <= set(listed)
    assert len(manager.get_devices(2)) == 2
    counted = manager.get_device_registry_statistics()
    assert counted.total_device_count == len(listed)
    assert counted.disabled_device_count == sum(device.status == "disabled" for device in listed.values())
    assert manager.get_service_statistics().connected_device_count >= 0
    assert status_of(manager.delete_device, "py-sas", "AAAA") == 412
    for device in ("py-sas", "py-x509", "py-ca"):
        manager.delete_device(device)
        assert status_of(manager.get_device, device) == 404


def test_pythons_modules_and_twins(hub, service):
    manager, (one, two) = service.manager, (key(), key())
    hub.registry.create("py-owner")
    made = manager.create_module_with_sas("py-owner", "sas", "me", one, two)
    assert (made.managed_by, made.authentication.symmetric_key.primary_key) == ("me", one)
    changed = manager.update_module_with_sas("py-owner", "sas", "you", made.etag, two, one)
    assert (changed.managed_by, changed.authentication.symmetric_key.primary_key) == ("you", two)
    made = manager.create_module_with_x509("py-owner", "x509", "me", THUMBPRINT, THUMBPRINT)
    changed = manager.update_module_with_x509("py-owner", "x509", "me", made.etag, "B2" * 20, THUMBPRINT)
    assert changed.authentication.x509_thumbprint.primary_thumbprint == "B2" * 20
    made = manager.create_module_with_certificate_authority("py-owner", "ca", "me")
    manager.update_module_with_certificate_authority("py-owner", "ca", "you", made.etag)
    assert manager.get_module("py-owner", "ca").managed_by == "you"
    assert sorted(module.module_id for module in manager.get_modules("py-owner")) == ["ca", "sas", "x509"]
    assert status_of(manager.create_module_with_sas, "py-owner", "sas", "me", one, two) == 409
    assert status_of(manager.create_module_with_sas, "py-nobody", "sas", "me", one, two) == 404

    twin = manager.update_twin("py-owner", Twin(tags={"a": 1}, properties=TwinProperties(desired={"b": 2})))
    assert (twin.tags, twin.properties.desired["b"]) == ({"a": 1}, 2)
    assert status_of(manager.update_twin, "py-owner", Twin(tags={"a": 2}), "stale") == 412
    twin = manager.replace_twin("py-owner", Twin(tags={"c": 3}), twin.etag)
    assert manager.get_twin("py-owner").tags == {"c": 3}
    manager.update_module_twin("py-owner", "sas", Twin(properties=TwinProperties(desired={"m": 1})))
    manager.replace_module_twin("py-owner", "sas", Twin(tags={"of": "module"}))
    module = manager.get_module_twin("py-owner", "sas")
    assert (module.tags, module.properties.desired["m"]) == ({"of": "module"}, 1)
    found = manager.query_iot_hub(
        QuerySpecification(query="SELECT * FROM devices.modules WHERE deviceId = 'py-owner'"), None, 10)
    assert sorted(twin.module_id for twin in found.items) == ["ca", "sas", "x509"]
    assert status_of(manager.delete_module, "py-owner", "sas", "AAAA") == 412
    manager.delete_module("py-owner", "sas")
    assert status_of(manager.get_module, "py-owner", "sas") == 404
    manager.delete_device("py-owner")
    assert status_of(manager.get_twin, "py-owner") == 404


def test_pythons_feedback_over_https(hub, service):
    trust(hub.ca)
    manager = IoTHubHttpRuntimeManager.from_connection_string(hub.service)
    hub.registry.create("py-feedback")
    sent = service.send("py-feedback", "expires", ack="full")
    service.purge("py-feedback")
    held = []

    def told():
        # Feedback is read without a model by this SDK: the body is on the response.
        found = manager.protocol.cloud_to_device_messages.receive_feedback_notification(raw=True)
        if found.response.status_code == 200 and sent in found.response.text:
            held.append(found.response.headers["ETag"].strip('"'))
        return held

    until(told, "feedback of the purged message comes over HTTPS")
    manager.abandon_feedback_notification(held.pop())
    until(told, "abandoned feedback comes again")
    manager.complete_feedback_notification(held[0])


@pytest.fixture
def registry(hub, agent):
    agent.ask("service", client="all", transport="amqp", connectionString=hub.service)
    yield lambda method, *args: agent.ask("registry", client="all", method=method, args=list(args))
    agent.ask("serviceClose", client="all")


def test_nodes_registry(hub, registry):
    made = registry("create", {"deviceId": "node-all", "status": "enabled"})
    assert made["deviceId"] == "node-all"
    assert registry("update", {**made, "statusReason": "looked at"})["statusReason"] == "looked at"
    assert registry("get", "node-all")["statusReason"] == "looked at"
    assert "node-all" in {device["deviceId"] for device in registry("list")}
    counted = registry("getRegistryStatistics")
    assert counted["totalDeviceCount"] == counted["enabledDeviceCount"] + counted["disabledDeviceCount"]
    twin = registry("updateTwin", "node-all", {"tags": {"by": "node"}}, "*")
    assert twin["tags"] == {"by": "node"}
    assert registry("getTwin", "node-all")["tags"] == {"by": "node"}

    module = registry("addModule", {"deviceId": "node-all", "moduleId": "m"})
    assert module["moduleId"] == "m"
    assert registry("updateModule", {**module, "managedBy": "node"})["managedBy"] == "node"
    assert registry("getModule", "node-all", "m")["managedBy"] == "node"
    assert [found["moduleId"] for found in registry("getModulesOnDevice", "node-all")] == ["m"]
    assert registry("updateModuleTwin", "node-all", "m", {"tags": {"of": "module"}}, "*")["tags"] == {"of": "module"}
    assert registry("getModuleTwin", "node-all", "m")["tags"] == {"of": "module"}
    registry("removeModule", "node-all", "m")
    registry("delete", "node-all")
    assert hub.registry.get("node-all").status == 404
