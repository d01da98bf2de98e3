"""The unmodified Java service client: RegistryClient and TwinClient, and the exceptions it makes of what the hub refuses."""

import base64
import os
import time

import pytest

import sas
from java_client import HOSTNAME, NEEDS_JAVA, JavaHub, refused
from java_objects import Constant

pytestmark = NEEDS_JAVA
HUB = JavaHub
THUMBPRINT = "A1" * 20


def key():
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="module")
def registry(hub, java):
    return java.sdk.registry.RegistryClient(hub.service)


@pytest.fixture(scope="module")
def twins(hub, java):
    return java.sdk.twin.TwinClient(hub.service)


def credential(hub, java, policy="iothubowner", **options):
    """An AzureSasCredential with a token of the policy."""
    parts = sas.parse(hub.settings[f"IRONHUB_POLICY_{policy.upper()}_CONNECTION_STRING"] if policy != "iothubowner"
                      else hub.service)
    return java.azure.core.credential.AzureSasCredential(
        sas.token(HOSTNAME, parts["SharedAccessKey"], parts["SharedAccessKeyName"], **options))




def test_devices_with_keys(hub, java, registry):
    one, two = key(), key()
    device = java.sdk.registry.Device("j-sas")
    device.getSymmetricKey().setPrimaryKey(one)
    device.getSymmetricKey().setSecondaryKey(two)
    made = registry.addDevice(device)
    assert (made.getDeviceId(), made.getPrimaryKey(), made.getSecondaryKey()) == ("j-sas", one, two)
    assert (made.getStatus(), made.getConnectionState()) == ("Enabled", "Disconnected")
    assert made.getETag() and made.getGenerationId()
    refused("Conflict", "DeviceAlreadyExists", registry.addDevice, device)

    found = registry.getDevice("j-sas")
    assert (found.getGenerationId(), found.getETag()) == (made.getGenerationId(), made.getETag())
    assert found.getCloudToDeviceMessageCount() == 0
    # New keys, which the SDK itself makes.
    found.setSymmetricKey(java.sdk.auth.SymmetricKey())
    found.setStatus(Constant(java.sdk.registry.DeviceStatus, "Disabled"))
    changed = registry.updateDevice(found)
    assert changed.getStatus() == "Disabled"
    assert changed.getPrimaryKey() not in (one, two) and changed.getETag() != made.getETag()
    # The SDK sends no ETag with an update, but one with the removal of a device it was given.
    refused("PreconditionFailed", "PreconditionFailed", registry.removeDevice, made)
    registry.removeDevice(registry.getDevice("j-sas"))
    refused("NotFound", "DeviceNotFound", registry.getDevice, "j-sas")
    refused("NotFound", "DeviceNotFound", registry.removeDevice, "j-sas")
    refused("NotFound", "DeviceNotFound", registry.updateDevice, changed)


def test_devices_with_certificates_and_of_the_edge(java, registry):
    kinds = java.sdk.auth.AuthenticationType
    device = java.sdk.registry.Device("j-x509", Constant(kinds, "SELF_SIGNED"))
    device.setThumbprint(THUMBPRINT, "B2" * 20)
    made = registry.addDevice(device)
    assert (made.getPrimaryThumbprint(), made.getSecondaryThumbprint()) == (THUMBPRINT, "B2" * 20)
    assert made.getAuthenticationType() == "SELF_SIGNED"
    made.setThumbprint("C3" * 20, THUMBPRINT)
    assert registry.updateDevice(made).getPrimaryThumbprint() == "C3" * 20

    made = registry.addDevice(java.sdk.registry.Device("j-ca", Constant(kinds, "CERTIFICATE_AUTHORITY")))
    assert made.getAuthenticationType() == "CERTIFICATE_AUTHORITY"
    made.setStatus(Constant(java.sdk.registry.DeviceStatus, "Disabled"))
    assert registry.updateDevice(made).getStatus() == "Disabled"

    device = java.sdk.registry.Device("j-edge")
    capabilities = java.sdk.twin.DeviceCapabilities()
    capabilities.setIotEdge(True)
    device.setCapabilities(capabilities)
    edge = registry.addDevice(device)
    assert edge.getCapabilities().isIotEdge() and edge.getScope().startswith("ms-azure-iot-edge://j-edge-")
    leaf = java.sdk.registry.Device("j-leaf")
    leaf.setScope(edge.getScope())
    added = registry.addDevice(leaf)
    assert (added.getScope(), added.getParentScopes()) == (edge.getScope(), [edge.getScope()])

    counted = registry.getStatistics()
    # The SDK looks for the count of enabled devices under a name that is not the protocol's, so it shows none.
    assert counted.getTotalDeviceCount() >= 4 and counted.getDisabledDeviceCount() >= 1
    for name in ("j-x509", "j-ca", "j-edge", "j-leaf"):
        registry.removeDevice(name)
    assert registry.getStatistics().getTotalDeviceCount() == counted.getTotalDeviceCount() - 4


def test_modules(hub, java, registry):
    hub.registry.create("j-owner")
    module = java.sdk.registry.Module("j-owner", "one")
    made = registry.addModule(module)
    assert (made.getDeviceId(), made.getId(), made.getConnectionState()) == ("j-owner", "one", "Disconnected")
    assert made.getPrimaryKey() != made.getSecondaryKey()
    refused("Conflict", "ModuleAlreadyExistsOnDevice", registry.addModule, module)
    refused("NotFound", "DeviceNotFound", registry.addModule, java.sdk.registry.Module("j-nobody", "one"))

    before = made.getPrimaryKey()
    made.setSymmetricKey(java.sdk.auth.SymmetricKey())
    changed = registry.updateModule(made)
    assert changed.getPrimaryKey() == made.getPrimaryKey() != before and changed.getETag() != made.getETag()
    x509 = java.sdk.registry.Module("j-owner", "x509", Constant(java.sdk.auth.AuthenticationType, "SELF_SIGNED"))
    x509.setThumbprint(THUMBPRINT, THUMBPRINT)
    assert registry.addModule(x509).getPrimaryThumbprint() == THUMBPRINT
    authority = Constant(java.sdk.auth.AuthenticationType, "CERTIFICATE_AUTHORITY")
    registry.addModule(java.sdk.registry.Module("j-owner", "ca", authority))
    assert registry.getModule("j-owner", "ca").getAuthenticationType() == "CERTIFICATE_AUTHORITY"
    assert sorted(one.getId() for one in registry.getModulesOnDevice("j-owner")) == ["ca", "one", "x509"]

    refused("PreconditionFailed", "PreconditionFailed", registry.removeModule, made)
    registry.removeModule(registry.getModule("j-owner", "one"))
    registry.removeModule("j-owner", "ca")
    refused("NotFound", "ModuleNotFound", registry.getModule, "j-owner", "one")
    assert [one.getId() for one in registry.getModulesOnDevice("j-owner")] == ["x509"]
    refused("NotFound", "DeviceNotFound", registry.getModulesOnDevice, "j-nobody")


def test_twins(hub, java, twins):
    hub.registry.create("j-twin")
    start = twins.get("j-twin")
    assert (start.getDeviceId(), start.getStatus(), start.getConnectionState()) == ("j-twin", "ENABLED", "DISCONNECTED")
    wanted = java.sdk.twin.Twin("j-twin")
    wanted.getTags().put("place", {"floor": 3, "room": "b"})
    wanted.getDesiredProperties().put("rate", 10)
    wanted.getDesiredProperties().put("on", True)
    made = twins.patch(wanted, start.getETag())
    assert made.getETag() != start.getETag() and made.getDesiredProperties().getVersion() == 2
    assert made.getDesiredProperties().toJsonObject()["rate"] == 10
    refused("PreconditionFailed", "PreconditionFailed", twins.patch, wanted, start.getETag())

    less = java.sdk.twin.Twin("j-twin")
    less.getTags().put("place", {"room": None, "door": "left"})
    less.getDesiredProperties().put("rate", None)
    changed = twins.patch(less)
    assert changed.getTags().toJsonObject() == {"place": {"floor": 3, "door": "left"}}
    assert "rate" not in changed.getDesiredProperties().toJsonObject()
    assert changed.getDesiredProperties().getTwinMetadata("on").getLastUpdatedVersion() == 2

    whole = java.sdk.twin.Twin("j-twin")
    whole.getDesiredProperties().put("only", "this")
    refused("PreconditionFailed", "PreconditionFailed", twins.replace, whole, made.getETag())
    twins.replace(whole, changed.getETag())
    now = twins.get("j-twin")
    assert now.getDesiredProperties().toJsonObject()["only"] == "this"
    assert "on" not in now.getDesiredProperties().toJsonObject() and now.getTags().toJsonObject() == {}
    assert twins.replace(wanted).getDesiredProperties().toJsonObject()["rate"] == 10

    hub.registry.create_module("j-twin", "m")
    module = java.sdk.twin.Twin("j-twin", "m")
    module.getDesiredProperties().put("of", "module")
    assert twins.patch(module).getModuleId() == "m"
    assert twins.get("j-twin", "m").getDesiredProperties().toJsonObject()["of"] == "module"
    assert twins.replace(module).getDesiredProperties().getVersion() == 3
    refused("NotFound", "DeviceNotFound", twins.get, "j-nobody")
    refused("NotFound", "ModuleNotFound", twins.get, "j-twin", "none")
    nobodys = java.sdk.twin.Twin("j-nobody")
    nobodys.getTags().put("a", 1)
    refused("NotFound", "DeviceNotFound", twins.patch, nobodys)


def test_what_the_hub_refuses_has_the_sdks_own_exceptions(hub, java, registry, twins):
    registries = java.sdk.registry.RegistryClient
    given = registries(HOSTNAME, credential(hub, java))
    assert given.addDevice(java.sdk.registry.Device("j-credential")).getDeviceId() == "j-credential"
    assert java.sdk.twin.TwinClient(HOSTNAME, credential(hub, java, "service")).get("j-credential")

    late = registries(HOSTNAME, credential(hub, java, expiry=int(time.time()) - 3600))
    refused("Unauthorized", "IotHubUnauthorized", late.getDevice, "j-credential")
    wrong = registries(hub.service.rpartition("SharedAccessKey=")[0] + f"SharedAccessKey={key()}")
    refused("Unauthorized", "IotHubUnauthorized", wrong.getDevice, "j-credential")
    reader = registries(HOSTNAME, credential(hub, java, "registryRead"))
    assert reader.getDevice("j-credential").getDeviceId() == "j-credential"
    refused("Unauthorized", "IotHubUnauthorizedAccess", reader.removeDevice, "j-credential")
    refused("Unauthorized", "IotHubUnauthorizedAccess", java.sdk.twin.TwinClient(
        HOSTNAME, credential(hub, java, "registryReadWrite")).get, "j-credential")

    bad = java.sdk.registry.Device("j" * 129)
    refused("BadFormat", "ArgumentInvalid", registry.addDevice, bad)
    wanted = java.sdk.twin.Twin("j-credential")
    wanted.getTags().put("big", "x" * 10_000)
    refused("BadFormat", "ArgumentInvalid", twins.patch, wanted)
