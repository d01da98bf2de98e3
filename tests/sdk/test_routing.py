"""Routes, endpoints and enrichments: through REST as set, and as devices' messages and the hub's own events meet them."""

import json

import pytest
from azure.eventhub.exceptions import EventHubError

import eventhub
import sas
from eventhub import Receiver
from mqtt import Mqtt
from routing import Reader, connection_string, log_named, put, route, send
from waiting import until


@pytest.fixture(autouse=True)
def no_routes(hub):
    """Each test begins with a hub that routes nothing, and leaves one."""
    put(hub, {})
    yield
    put(hub, {})


@pytest.fixture
def reading(hub):
    open_ones = []

    def start(entity, **options):
        open_ones.append(Reader(hub, entity, **options))
        return open_ones[-1]

    yield start
    for reader in open_ones:
        reader.close()


async def test_an_event_log_is_read_like_the_built_in_one(hub, device, reading):
    put(hub, {**log_named("Alarms"), "routes": [
        route("alarms", "DeviceMessages", "alarms", condition="level = 'high'")]})
    await send(device, "1", "2", properties="level=high")
    await send(device, "3", properties="level=low")
    events = reading("alarms").got(2)
    assert [eventhub.body(event) for event in events] == [b"1", b"2"]
    assert {event["device"] for event in events} == {device.id}
    assert events[0]["app"] == {"level": "high"}
    assert events[0]["system"]["iothub-message-source"] == "Telemetry"
    with eventhub.client(hub, connection_string=connection_string(hub, "Alarms")) as client:
        facts = client.get_eventhub_properties()
        assert (facts["eventhub_name"], facts["partition_ids"]) == ("Alarms", ["0", "1", "2", "3"])
        partition = client.get_partition_properties(events[0]["partition"])
        assert (partition["beginning_sequence_number"], partition["last_enqueued_sequence_number"]) == (0, 1)


async def test_epochs_of_one_log_do_not_disturb_another(hub, device):
    put(hub, {**log_named("other"), "routes": [route("all", "DeviceMessages", "other", "events")]})
    await send(device, "x")
    other = {"connection_string": connection_string(hub, "other")}
    owner = Receiver(hub, "0", owner_level=5)
    try:
        until(lambda: owner.errors or owner.started.is_set(), "the owner receives")
        second = Receiver(hub, "0", other, owner_level=1)
        until(lambda: second.errors or second.started.is_set(), "the owner of the other log receives")
        assert not second.errors, second.errors
        third = Receiver(hub, "0", other, owner_level=0)
        third.failed()
        third.close()
        assert not owner.errors and not second.errors
        second.close()
    finally:
        owner.close()


def test_a_log_that_is_not_there_is_not_found(hub):
    with eventhub.client(hub, connection_string=connection_string(hub, "nowhere")) as client:
        with pytest.raises(EventHubError):
            client.get_eventhub_properties()
    receiver = Receiver(hub, "0", {"connection_string": connection_string(hub, "nowhere")})
    receiver.failed()
    receiver.close()


async def test_the_fallback_takes_what_no_route_took_and_can_be_turned_off(hub, device, reading):
    taken = {**log_named("some"), "routes": [route("some", "DeviceMessages", "some", condition="to = 'some'")]}
    built_in = reading(eventhub.entity(hub))
    put(hub, {**taken, "fallbackRoute": {
        "source": "DeviceMessages", "condition": "true", "endpointNames": ["events"], "isEnabled": True}})
    await send(device, "a1", properties="to=some")
    await send(device, "b1")
    assert hub.registry.request("PUT", "/routing/routes/$fallback", {"isEnabled": False}).status == 200
    await send(device, "a2", properties="to=some")
    await send(device, "b2")
    assert hub.registry.request("PUT", "/routing/routes/$fallback", {"isEnabled": True}).status == 200
    await send(device, "b3")
    mine = lambda event: event["device"] == device.id  # noqa: E731
    assert [eventhub.body(event) for event in built_in.got(2, mine)] == [b"b1", b"b3"]
    assert [eventhub.body(event) for event in reading("some").got(2)] == [b"a1", b"a2"]


async def test_enrichments_are_stamped_for_their_endpoints(hub, device, reading):
    twin = hub.registry.request("PATCH", f"/twins/{device.id}", {"tags": {"site": "north"}})
    assert twin.status == 200, twin
    put(hub, {
        **log_named("rich"), "routes": [route("r", "DeviceMessages", "rich", "events")],
        "enrichments": [
            {"key": "site", "value": "$twin.tags.site", "endpointNames": ["rich"]},
            {"key": "hub", "value": "$iothubname", "endpointNames": ["rich", "events"]},
            {"key": "none", "value": "$twin.tags.none", "endpointNames": ["rich"]}]})
    built_in = reading(eventhub.entity(hub))
    await send(device, "x", properties="own=1")
    rich = reading("rich").got(1)[0]
    assert rich["app"] == {"own": "1", "site": "north", "hub": "localhost", "none": "$twin.tags.none"}
    plain = built_in.got(1, lambda event: event["device"] == device.id)[0]
    assert plain["app"] == {"own": "1", "hub": "localhost"}


async def test_the_hub_s_own_events_come_with_their_annotations(hub, reading):
    put(hub, {"routes": [
        route("t", "TwinChangeEvents", "events"), route("l", "DeviceLifecycleEvents", "events"),
        route("c", "DeviceConnectionStateEvents", "events")]})
    built_in = reading(eventhub.entity(hub))
    device = hub.device("eventful")
    changed = hub.registry.request("PATCH", f"/twins/{device.id}", {
        "tags": {"site": "north"}, "properties": {"desired": {"interval": 10}}})
    assert changed.status == 200, changed
    client = await Mqtt.connect(device)
    await client.disconnect()
    mine = lambda event: event["device"] == device.id  # noqa: E731
    built_in.got(4, mine)
    assert hub.registry.delete(device.id).status == 204
    events = built_in.got(5, mine)
    kinds = [(event["system"]["iothub-message-source"], event["app"]["opType"]) for event in events]
    assert kinds == [
        ("deviceLifecycleEvents", "createDeviceIdentity"), ("twinChangeEvents", "updateTwin"),
        ("deviceConnectionStateEvents", "deviceConnected"), ("deviceConnectionStateEvents", "deviceDisconnected"),
        ("deviceLifecycleEvents", "deleteDeviceIdentity")]
    schemas = ["deviceLifecycleNotification", "twinChangeNotification", "deviceConnectionStateNotification",
               "deviceConnectionStateNotification", "deviceLifecycleNotification"]
    for event, schema in zip(events, schemas):
        app, system = event["app"], event["system"]
        assert (app["hubName"], app["deviceId"]) == ("localhost", device.id)
        assert app["iothub-message-schema"] == schema and app["operationTimestamp"].endswith("Z")
        assert (system["content-type"], system["content-encoding"]) == ("application/json", "utf-8")
        assert system["user-id"] == "localhost" and system["correlation-id"]
        assert isinstance(system["iothub-enqueuedtime"], int)
    bodies = [json.loads(eventhub.body(event)) for event in events]
    assert bodies[0]["deviceId"] == bodies[4]["deviceId"] == device.id
    assert bodies[1]["tags"] == {"site": "north"}
    assert bodies[1]["properties"]["desired"]["interval"] == 10
    assert bodies[1]["properties"]["desired"]["$version"] == 2
    numbers = [bodies[2]["sequenceNumber"], bodies[3]["sequenceNumber"]]
    assert all(len(number) == 64 for number in numbers) and numbers[0] < numbers[1]
    assert bodies[2]["reason"] and bodies[3]["reason"]


def test_documents_are_guarded_by_etags_and_errors_name_the_culprit(hub):
    request = hub.registry.request
    secret = {"type": "webhook", "url": "http://127.0.0.1:9/", "secret": "a secret that is long enough"}
    made = request("PUT", "/routing/endpoints/hook", secret)
    assert made.status == 201 and made.json["secret"] == "****", made
    assert request("PUT", "/routing/endpoints/hook", made.json).status == 200, "a masked secret stays"
    read = request("GET", "/routing")
    assert read.json["endpoints"]["webhooks"][0]["secret"] == "****"
    etag = read.headers["ETag"]
    assert request("PUT", "/routing", read.json, {"If-Match": etag}).status == 200
    assert request("PUT", "/routing", read.json, {"If-Match": etag}).status == 412
    for method, path, body, culprit in [
        ("PUT", "/routing", {"routes": [route("r1", "DeviceMessages", "nowhere")]}, "nowhere"),
        ("PUT", "/routing", {"routes": [route("r1", "DeviceMessages", "events", condition="a = ")]}, "r1"),
        ("PUT", "/routing/routes/r2", route("r2", "Nothing", "events"), "r2"),
        ("PUT", "/routing/routes/r2", route("r3", "DeviceMessages", "events"), "r3"),
        ("PUT", "/routing/endpoints/e", {"type": "topic"}, "type"),
        ("PUT", "/routing/endpoints/events", {"type": "eventHub"}, "reserved"),
        ("PUT", "/routing/enrichments/k", {"value": "$twin.x", "endpointNames": ["events"]}, "k"),
    ]:
        refused = request(method, path, body)
        assert (refused.status, culprit in refused.json["Message"]) == (400, True), refused
    assert request("PUT", "/routing/routes/r", route("r", "DeviceMessages", "hook")).status == 201
    refused = request("DELETE", "/routing/endpoints/hook")
    assert refused.status == 400 and "route \\\"r\\\"" in refused.text, refused
    for path in ["routes/x", "endpoints/x", "enrichments/x", "endpoints/x/health"]:
        assert request("GET", f"/routing/{path}").status == 404
    assert request("DELETE", "/routing/routes/x").status == 404
    assert request("DELETE", "/routing/routes/r").status == 204
    assert request("DELETE", "/routing/endpoints/HOOK").status == 204
    service = sas.parse(hub.settings["IRONHUB_POLICY_SERVICE_CONNECTION_STRING"])
    token = sas.token("localhost", service["SharedAccessKey"], service["SharedAccessKeyName"])
    assert request("GET", "/routing", authorization=token).status in (401, 403)


@pytest.mark.parametrize("prefix", ["/routing/test", (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/localhost/routing/routes/$test")])
def test_routes_are_tried_without_a_message(hub, prefix):
    put(hub, {"routes": [route("hot", "DeviceMessages", "events", condition="level = 'high'")]})
    message = {"routingSource": "DeviceMessages", "message": {"body": "x", "appProperties": {"level": "high"}}}
    tried = hub.registry.request("POST", f"{prefix}all", message)
    assert [one["properties"]["name"] for one in tried.json["routes"]] == ["hot"], tried
    new = {**message, "route": route("new", "DeviceMessages", "events", condition="level = 'low'")}
    tried = hub.registry.request("POST", f"{prefix}new", new)
    assert tried.json["result"] == "false", tried
