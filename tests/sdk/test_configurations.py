"""Automatic device management through Python's IoTHubConfigurationManager and Node's Registry."""

import pytest
from azure.iot.hub import IoTHubConfigurationManager
from azure.iot.hub.models import (
    Configuration, ConfigurationContent, ConfigurationMetrics, ConfigurationQueriesTestInput)
from msrest.exceptions import HttpOperationError

from node_client import node
from programs import KINDS
from service import trust
from waiting import until


@pytest.fixture(scope="module")
def manager(hub):
    trust(hub.ca)
    return IoTHubConfigurationManager.from_connection_string(hub.service)


@pytest.fixture
def nodejs(hub):
    """Runs steps through Node's Registry."""
    return lambda *steps: node(hub, "configurations.mjs", {"connectionString": hub.service, "steps": steps})


def desired(hub, device):
    """The desired properties, without what the hub keeps beside them."""
    found = hub.registry.twin(device)["properties"]["desired"]
    return {name: value for name, value in found.items() if not name.startswith("$")}


def status(hub, device, configuration):
    return hub.registry.twin(device).get("configurations", {}).get(configuration, {}).get("status")


def tag(hub, device, **tags):
    hub.registry.update_twin(device, {"tags": tags})


def refusal(call, *args):
    with pytest.raises(HttpOperationError) as raised:
        call(*args)
    return raised.value.response.status_code


def device_content(**values):
    return {"properties.desired." + name: value for name, value in values.items()}


def test_every_call_of_pythons_sdk(hub, manager):
    device, other = hub.device("py-cfg-1"), hub.device("py-cfg-2")
    tag(hub, device, chill="py")
    configuration = Configuration(
        id="py-cfg", schema_version="1.0", labels={"env": "test"}, priority=10, target_condition="tags.chill = 'py'",
        content=ConfigurationContent(device_content=device_content(chiller={"t": 66})),
        metrics=ConfigurationMetrics(queries={
            "pending": "SELECT deviceId FROM devices WHERE properties.reported.chiller.status = 'pending'",
            "done": "SELECT deviceId FROM devices WHERE properties.desired.chiller.t = 66"}))
    made = manager.create_configuration(configuration)
    assert (made.id, made.etag, made.priority, made.labels) == ("py-cfg", "MQ==", 10, {"env": "test"})
    assert refusal(manager.create_configuration, configuration) == 409
    until(lambda: desired(hub, device) == {"chiller": {"t": 66}}, "the device is configured")
    assert desired(hub, other) == {}
    assert status(hub, device, "py-cfg") == "Applied"

    def counted():
        found = manager.get_configuration("py-cfg")
        return found.system_metrics.results, found.metrics.results

    expected = {"targetedCount": 1, "appliedCount": 1}, {"pending": 0, "done": 1}
    until(lambda: counted() == expected, lambda: f"it is counted: {counted()}")
    assert "py-cfg" in [found.id for found in manager.get_configurations()]
    assert len(manager.get_configurations(1)) == 1
    # Another device comes into scope.
    tag(hub, other, chill="py")
    assert desired(hub, other) == {"chiller": {"t": 66}}
    # A changed one, with its ETag.
    configuration.content = ConfigurationContent(device_content=device_content(chiller={"t": 70}))
    assert refusal(manager.update_configuration, configuration, "Mjg=") == 412
    changed = manager.update_configuration(configuration, made.etag)
    assert changed.etag != made.etag and changed.created_time_utc == made.created_time_utc
    until(lambda: desired(hub, device) == desired(hub, other) == {"chiller": {"t": 70}}, "the change is rolled out")
    manager.delete_configuration("py-cfg")
    assert refusal(manager.get_configuration, "py-cfg") == 404
    until(lambda: desired(hub, device) == desired(hub, other) == {}, "what it set is gone")
    until(lambda: status(hub, device, "py-cfg") is None, "the twin does not list it any more")


def test_conditions_and_metrics_are_tried(manager):
    def tried(condition, **metrics):
        return manager.test_configuration_queries(
            ConfigurationQueriesTestInput(target_condition=condition, custom_metric_queries=metrics))

    good = tried("tags.a = 1", m="SELECT deviceId FROM devices")
    assert not good.target_condition_error and not good.custom_metric_query_errors
    bad = tried("tags.a = = 1", good="SELECT deviceId FROM devices", bad="SELECT FROM")
    assert bad.target_condition_error
    assert list(bad.custom_metric_query_errors) == ["bad"]
    wrong = Configuration(
        id="wrong", target_condition="tags.a = =", content=ConfigurationContent(device_content=device_content(a=1)))
    assert refusal(manager.create_configuration, wrong) == 400
    wrong.target_condition, wrong.id = "*", "Has Capitals"
    assert refusal(manager.create_configuration, wrong) == 400


def test_a_content_is_written_to_one_edge_device(hub, manager):
    device = hub.device("py-edge", capabilities={"iotEdge": True})
    content = ConfigurationContent(modules_content={
        "$edgeAgent": {"properties.desired": {"modules": {"m1": {"status": "running"}}}},
        "m1": {"properties.desired.level": 3}})
    manager.apply_configuration_on_edge_device("py-edge", content)
    for module, expected in (("$edgeAgent", {"modules": {"m1": {"status": "running"}}}), ("m1", {"level": 3})):
        answer = hub.registry.request("GET", f"/twins/py-edge/modules/{module}")
        found = answer.json["properties"]["desired"]
        assert {name: value for name, value in found.items() if not name.startswith("$")} == expected
    hub.device("py-no-edge")
    assert refusal(manager.apply_configuration_on_edge_device, "py-no-edge", content) == 404
    assert refusal(manager.apply_configuration_on_edge_device, "py-missing", content) == 404
    assert desired(hub, device) == {}


def test_every_call_of_nodes_sdk(hub, nodejs):
    device = hub.device("node-cfg")
    tag(hub, device, kind="node")
    configuration = {
        "id": "node-cfg", "schemaVersion": "1.0", "labels": {}, "priority": 3, "targetCondition": "tags.kind = 'node'",
        "content": {"deviceContent": device_content(level=1)}, "etag": "*",
        "metrics": {"queries": {"all": "SELECT deviceId FROM devices WHERE tags.kind = 'node'"}}}
    made, got, listed, again = nodejs(
        ["addConfiguration", configuration], ["getConfiguration", "node-cfg"], ["getConfigurations"],
        ["addConfiguration", configuration])
    assert (made["id"], made["etag"], made["content"]) == ("node-cfg", "MQ==", configuration["content"])
    assert got["etag"] == made["etag"] and "node-cfg" in [found["id"] for found in listed]
    assert again["error"], again
    until(lambda: desired(hub, device) == {"level": 1}, "the device is configured")
    content = {"modulesContent": {"m": {"properties.desired.x": 1}}}
    device.add_module("m")
    changed, stale, applied, removed, missing = nodejs(
        ["updateConfiguration", {**configuration, "content": {"deviceContent": device_content(level=2)}}, True],
        ["updateConfiguration", {**configuration, "etag": "b2xk"}],
        ["applyConfigurationContentOnDevice", "node-cfg", content],
        ["removeConfiguration", "node-cfg"], ["getConfiguration", "node-cfg"])
    assert changed["etag"] == "Mg==" and stale["error"], (changed, stale)
    assert not applied and not removed and missing["error"], (applied, removed, missing)
    assert hub.registry.request("GET", "/twins/node-cfg/modules/m").json["properties"]["desired"]["x"] == 1
    until(lambda: desired(hub, device) == {}, "what it set is gone")


def test_priorities_and_what_others_change(hub):
    def put(name, priority, **values):
        content = {"deviceContent": device_content(**values)}
        body = {"priority": priority, "targetCondition": "tags.rank = 1", "content": content}
        answer = hub.registry.request("PUT", f"/configurations/{name}", body)
        assert answer.status == 201, answer

    device = hub.device("cfg-rank")
    put("low", 1, a=1, b=1)
    put("high", 2, a=2)
    tag(hub, device, rank=1)
    assert desired(hub, device) == {"a": 2, "b": 1}
    hub.registry.update_twin(device, {"properties": {"desired": {"a": 9, "own": True}}})
    assert desired(hub, device) == {"a": 2, "b": 1, "own": True}
    assert hub.registry.request("DELETE", "/configurations/high").status == 204
    until(lambda: desired(hub, device) == {"a": 1, "b": 1, "own": True}, "the next one takes over")
    tag(hub, device, rank=None)
    assert desired(hub, device) == {"own": True}
    query = {"query": "SELECT deviceId FROM devices WHERE configurations.[[low]].status = 'Applied'"}
    assert hub.registry.request("POST", "/devices/query", query).json == []
    tag(hub, device, rank=1)
    expected = [{"deviceId": "cfg-rank"}]
    until(lambda: hub.registry.request("POST", "/devices/query", query).json == expected, "the query sees it")
    assert hub.registry.request("DELETE", "/configurations/low").status == 204


def test_a_connected_device_is_told(hub, start):
    device = hub.device("cfg-told")
    program = start(next(kind for kind in KINDS if "twin" in kind.features and "node" in kind.name), device)
    program.watch()
    tag(hub, device, told=1)
    body = {"targetCondition": "tags.told = 1", "content": {"deviceContent": device_content(told=5)}}
    assert hub.registry.request("PUT", "/configurations/told", body).status == 201
    patch = program.desired.take()
    assert patch["told"] == 5, patch


def test_a_condition_on_the_connection_follows_it(hub, start):
    device = hub.device("cfg-here")
    tag(hub, device, here=1)
    here = {"targetCondition": "tags.here = 1 AND connectionState = 'Connected'", "content": {"deviceContent": device_content(here=5)}}
    away = {"targetCondition": "tags.here = 1 AND connectionState = 'Disconnected'", "content": {"deviceContent": device_content(away=6)}}
    for name, body in (("here", here), ("away", away)):
        assert hub.registry.request("PUT", f"/configurations/{name}", body).status == 201
    until(lambda: desired(hub, device) == {"away": 6}, "it is away")
    for _ in range(2):
        program = start(KINDS[0], device)
        until(lambda: desired(hub, device) == {"here": 5}, "it is here")
        assert (status(hub, device, "here"), status(hub, device, "away")) == ("Applied", None)
        program.close()
        until(lambda: desired(hub, device) == {"away": 6}, "it is away again")


@pytest.mark.parametrize("headers, status", [({"If-Match": '"MQ=="'}, 404), ({}, 400)])
def test_bad_puts_change_nothing(hub, headers, status):
    body = {"content": {"deviceContent": {"tags.a": 1}}} if status == 400 else {"content": {"deviceContent": {}}}
    assert hub.registry.request("PUT", "/configurations/bad", body, headers).status == status
    assert hub.registry.request("GET", "/configurations/bad").status == 404
