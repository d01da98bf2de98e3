"""Modules: identities of their own, with telemetry, outputs, twins and methods."""

import json

import pytest
from azure.iot.device.exceptions import CredentialError

import eventhub
from https_device import HttpsDevice
from mqtt import Mqtt
from on_each import on_each
from programs import KINDS
from python_program import PythonProgram

PYTHON = next(kind for kind in KINDS if kind.make is PythonProgram)


def simple(body, **properties):
    return {"body": body, "app": [[name, value] for name, value in properties.items()]}


def plain(section):
    return {name: value for name, value in section.items() if not name.startswith("$")}


@on_each("modules: telemetry, outputs", "module", "output")
def test_a_module_sends_as_itself(hub, events, start, kind):
    device = hub.device(f"with-module-{kind.name}")
    module = device.add_module("mod1")
    program = start(kind, module)
    program.send(simple(b"telemetry", k="v"))
    program.output("out1", simple(b"an output", last="value"))
    beside = start(PYTHON, device)
    beside.send(simple(b"the device itself"))
    found = {eventhub.body(event): event for event in events.of(device.id, 3)}
    assert set(found) == {b"telemetry", b"an output", b"the device itself"}
    for body in (b"telemetry", b"an output"):
        system = found[body]["system"]
        assert system["iothub-connection-module-id"] == "mod1"
        assert system["iothub-connection-auth-generation-id"] == module.record["generationId"]
        assert json.loads(system["iothub-connection-auth-method"])["scope"] == "module"
    assert found[b"telemetry"]["app"] == {"k": "v"}
    assert found[b"an output"]["app"] == {"last": "value"}
    assert found[b"an output"]["system"]["iothub-outputname"] == "out1"
    assert "iothub-outputname" not in found[b"telemetry"]["system"]
    assert "iothub-connection-module-id" not in found[b"the device itself"]["system"]


@on_each("modules: twin", "module", "twin")
def test_a_modules_twin_is_not_its_devices(hub, service, start, kind):
    device = hub.device(f"module-twin-{kind.name}")
    module = device.add_module("mod1")
    program = start(kind, module)
    program.watch()
    version = service.desire(module, {"rate": 1}).properties.desired["$version"]
    assert program.desired.take() == {"rate": 1, "$version": version}
    program.report({"up": True})
    service.desire(device, {"for": "the device"})
    assert plain(service.twin(module).properties.reported) == {"up": True}
    assert plain(service.twin(device).properties.reported) == {}
    assert plain(program.twin()["desired"]) == {"rate": 1}
    assert program.desired.empty()
    assert (service.twin(module).module_id, service.twin(device).module_id) == ("mod1", None)


@on_each("modules: direct methods", "module", "methods")
def test_a_module_answers_methods(hub, service, start, kind):
    device = hub.device(f"module-method-{kind.name}")
    module = device.add_module("mod1")
    program = start(kind, module)
    program.answer_methods()
    assert service.invoke(module, "echo", {"a": [1]}) == (200, {"a": [1]})
    assert service.invoke(module, "reboot", {"status": 207})[0] == 207
    # Its device is somebody else, who is not there.
    assert hub.registry.invoke(device, "echo").status == 404


@pytest.mark.feature("modules: telemetry, outputs", client="plain HTTPS", transport="HTTPS")
def test_a_module_sends_over_https(hub, events):
    module = hub.device("https-module").add_module("mod1")
    HttpsDevice(module).send(b"over https", **{"iothub-app-k": "v"})
    event = events.of(module.id, 1)[0]
    assert (eventhub.body(event), event["app"]) == (b"over https", {"k": "v"})
    assert event["system"]["iothub-connection-module-id"] == "mod1"


async def test_a_module_and_its_device_are_connected_at_the_same_time(hub):
    device = hub.device("both")
    module = device.add_module("mod1")
    first = await Mqtt.connect(device)
    second = await Mqtt.connect(module, client_id=f"{device.id}/mod1")
    await first.send_acked(device.topic, "device")
    await second.send_acked(module.topic, "module")
    await first.disconnect()
    await second.disconnect()


def test_a_key_opens_only_its_own_door(hub, start):
    device = hub.device("scopes")
    module, other = device.add_module("mod1"), device.add_module("mod2")
    for stranger in (device, other):
        module.primary = stranger.primary
        with pytest.raises(CredentialError):
            start(PYTHON, module)
    path = f"/devices/{device.id}/modules/mod2"
    assert hub.registry.request("DELETE", path, headers={"If-Match": '"*"'}).status == 204
    with pytest.raises(CredentialError):
        start(PYTHON, other)


def test_the_registry_of_both_sdks_knows_modules(hub, service, agent):
    device = hub.device("registry-modules")
    made = service.manager.create_module_with_sas(device.id, "by-python", "me", "", "")
    assert made.module_id == "by-python" and made.authentication.symmetric_key.primary_key
    name = agent.name("registry")
    agent.ask("service", client=name, transport="amqp", connectionString=hub.service)
    agent.ask("registry", client=name, method="addModule", args=[{"deviceId": device.id, "moduleId": "by-node"}])
    both = agent.ask("registry", client=name, method="getModulesOnDevice", args=[device.id])
    assert sorted(module["moduleId"] for module in both) == ["by-node", "by-python"]
    service.manager.delete_module(device.id, "by-node")
    assert [module.module_id for module in service.manager.get_modules(device.id)] == ["by-python"]
    assert hub.registry.delete(device.id).status == 204
    assert hub.registry.request("GET", f"/devices/{device.id}/modules/by-python").status == 404
    agent.ask("serviceClose", client=name)
