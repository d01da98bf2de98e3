"""Twins with each device SDK over each transport: document, reported patches, desired notifications."""

import pytest
from msrest.exceptions import HttpOperationError

from on_each import on_each
from waiting import until


def plain(section):
    """A section without what the hub keeps beside it."""
    return {name: value for name, value in section.items() if not name.startswith("$")}


@on_each("twin: get, reported patch", "twin")
def test_the_device_reads_and_reports(hub, service, start, kind):
    device = hub.device(f"twin-{kind.name}")
    desired = {"rate": 5, "nested": {"deep": [1, {"a": False}, "ü"]}}
    hub.registry.update_twin(device, {"tags": {"secret": "of the back end"}, "properties": {"desired": desired}})
    program = start(kind, device)
    twin = program.twin()
    assert set(twin) == {"desired", "reported"}
    assert plain(twin["desired"]) == desired
    assert plain(twin["reported"]) == {}
    before = twin["reported"]["$version"]
    program.report({"firmware": "1.2", "gone": {"soon": True}, "kept": {"a": 1, "b": 2.5}, "text": "grün €"})
    program.report({"gone": None, "kept": {"a": None, "c": [0, {"d": 1}]}, "never": None})
    seen = service.twin(device).properties.reported
    assert plain(seen) == {"firmware": "1.2", "kept": {"b": 2.5, "c": [0, {"d": 1}]}, "text": "grün €"}
    assert seen["$version"] == before + 2
    assert set(seen["$metadata"]) == {"$lastUpdated", "firmware", "kept", "text"}
    assert set(seen["$metadata"]["kept"]) == {"$lastUpdated", "b", "c"}
    again = program.twin()
    assert (plain(again["reported"]), again["reported"]["$version"]) == (plain(seen), before + 2)
    assert again["desired"]["$version"] == service.twin(device).properties.desired["$version"]


@on_each("twin: get, reported patch", "twin")
def test_a_refused_report_is_an_error_and_changes_nothing(hub, start, kind):
    device = hub.device(f"twin-refused-{kind.name}")
    program = start(kind, device)
    program.report({"good": 1})
    deep = {"x": 1}
    for _ in range(11):
        deep = {"x": deep}
    for wrong in (deep, {"a.b": 1}, {"huge": {f"{number}": "x" * 4000 for number in range(9)}}, {"long": "x" * 4097}):
        with pytest.raises(Exception):  # noqa: B017 - each SDK has errors of its own; a time-out would be a failure
            program.report({**wrong, "good": 2})
    program.report({"after": True})
    reported = hub.registry.twin(device)["properties"]["reported"]
    assert plain(reported) == {"good": 1, "after": True}


@on_each("twin: desired notifications", "twin")
def test_changes_of_desired_properties_are_told_in_order_and_without_gaps(hub, service, start, kind):
    device = hub.device(f"desired-{kind.name}")
    program = start(kind, device)
    program.watch()
    version = service.twin(device).properties.desired["$version"]
    for number in range(20):
        service.desire(device, {"number": number, "odd": True if number % 2 else None})
    for number in range(20):
        assert program.desired.take() == {
            "number": number, "odd": True if number % 2 else None, "$version": version + 1 + number}
    # A replacement is told as the whole new document; tags are not told at all.
    hub.registry.update_twin(device, {"tags": {"place": "cellar"}})
    service.replace_desired(device, {"only": {"this": 1}})
    assert program.desired.take() == {"only": {"this": 1}, "$version": version + 21}
    assert program.desired.empty()
    assert plain(program.twin()["desired"]) == {"only": {"this": 1}}


@on_each("twin: desired changes missed while offline", "twin")
def test_changes_that_a_device_missed_are_told_when_it_subscribes_again(hub, service, start, kind):
    device = hub.device(f"missed-{kind.name}")
    program = start(kind, device)
    program.watch()
    service.desire(device, {"a": 1, "b": {"c": 1}})
    assert program.desired.take()["a"] == 1
    program.close()
    service.desire(device, {"a": None, "b": {"d": 2}})
    version = service.desire(device, {"e": 3}).properties.desired["$version"]
    program = start(kind, device)
    program.watch()
    assert program.desired.take() == {"b": {"c": 1, "d": 2}, "e": 3, "$version": version}
    program.close()
    # Nothing was missed this time: the next that is told is the next change.
    program = start(kind, device)
    program.watch()
    service.desire(device, {"f": 4})
    assert program.desired.take() == {"f": 4, "$version": version + 1}
    program.close()
    # What a device has read, it has not missed.
    service.desire(device, {"g": 5})
    program = start(kind, device)
    assert program.twin()["desired"]["g"] == 5
    program.watch()
    service.desire(device, {"h": 6})
    assert program.desired.take() == {"h": 6, "$version": version + 3}


@pytest.mark.feature("twin: handlers of single properties", client="Node azure-iot-device", transport=["MQTT", "AMQP"])
def test_nodes_handlers_see_what_the_application_waits_for(hub, agent, service):
    for transport in ("mqtt", "amqp"):
        device = hub.device(f"property-{transport}")
        name = agent.name("property")
        agent.ask("open", client=name, kind="device", transport=transport, connectionString=device.connection_string)
        service.desire(device, {"lamp": {"on": False}})
        agent.ask("watchProperty", client=name, name="lamp.on")
        service.desire(device, {"lamp": {"on": True}})
        inbox = agent.inbox(name, "property")
        until(lambda inbox=inbox: inbox.take()["value"] is True, "the handler saw the change")
        agent.ask("close", client=name)


def test_a_stale_etag_is_refused(hub, service):
    device = hub.device("etags")
    stale = service.twin(device).etag
    fresh = service.desire(device, {"a": 1}, stale).etag
    assert fresh != stale
    with pytest.raises(HttpOperationError) as refused:
        service.desire(device, {"a": 2}, stale)
    assert refused.value.response.status_code == 412
    assert service.desire(device, {"a": 3}, fresh).properties.desired["a"] == 3
