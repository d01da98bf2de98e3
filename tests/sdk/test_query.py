"""Queries over twins: every operator, aggregates, modules, and pages to their end with the service SDKs."""

import asyncio
import json
import os
import subprocess

import pytest
from azure.iot.hub.models import QuerySpecification
from mqtt import Mqtt
from waiting import LIMIT, until

DEVICES = 50
PATH = "/devices/query"


def name(number):
    return f"q-{number:02}"


def floor(n):
    return n % 5


def building(n):
    return "AB"[n % 2]


@pytest.fixture(scope="module")
def fleet(hub):
    """Fifty devices with tags and desired properties; those that 10 divides are disabled, the first five have modules."""
    for n in range(DEVICES):
        hub.registry.create(name(n), status="disabled" if n % 10 == 0 else "enabled", statusReason=f"reason {n}")
        tags = {"place": {"floor": floor(n), "building": building(n)}, "number": n, "list": [n, {"x": str(n)}]}
        if n % 7 == 0:
            tags["seventh"] = n % 2 == 0
        hub.registry.update_twin(Named(name(n)), {
            "tags": tags, "properties": {"desired": {"interval": n / 2, "it's": "here"}}})
        if n < 5:
            hub.registry.create_module(name(n), "cam")
            hub.registry.update_twin(Named(name(n), "cam"), {"tags": {"lens": n}})
    return hub


class Named:
    """What twin_path needs."""

    def __init__(self, device, module=None):
        self.id, self.module = device, module


def ask(hub, text, page=None, token=None, registry=None):
    headers = {}
    if page is not None:
        headers["x-ms-max-item-count"] = str(page)
    if token is not None:
        headers["x-ms-continuation"] = token
    return (registry or hub.registry).request("POST", PATH, {"query": text}, headers)


def rows(hub, text, page=1000):
    answer = ask(hub, text, page)
    assert answer.status == 200, f"{text}: {answer}"
    assert answer.headers["x-ms-continuation"] is None
    return answer.json


CONDITIONS = [
    ("deviceId = 'q-07'", lambda n: n == 7),
    ("'q-07' = deviceID", lambda n: n == 7),
    ("deviceId IN ['q-01', 'q-33', 'nobody', 'no id!']", lambda n: n in (1, 33)),
    ("deviceId NIN ['q-01', 'q-33']", lambda n: n not in (1, 33)),
    ("deviceId = 'q-03' OR deviceId = 'q-04'", lambda n: n in (3, 4)),
    ("tags.place.floor = 3", lambda n: floor(n) == 3),
    ("tags.place.floor = 3.0 AND tags.place.building = 'A'", lambda n: floor(n) == 3 and building(n) == "A"),
    ("tags.place.floor != 3", lambda n: floor(n) != 3),
    ("tags.place.floor <> 3", lambda n: floor(n) != 3),
    ("tags.number < 10", lambda n: n < 10),
    ("tags.number <= 10", lambda n: n <= 10),
    ("tags.number > 0x2a", lambda n: n > 42),
    ("tags.number >= 42", lambda n: n >= 42),
    ("NOT tags.number >= 42", lambda n: n < 42),
    ("NOT (tags.number > 5 AND tags.number < 45)", lambda n: not 5 < n < 45),
    ("tags.number > 45 OR tags.number < 2 AND tags.place.building = \"B\"", lambda n: n > 45 or n == 1),
    ("tags.number % 7 = 2", lambda n: n % 7 == 2),
    ("tags.number * 2 + 1 = 21", lambda n: n == 10),
    ("(tags.number + 2) / 4 = 3", lambda n: n == 10),
    ("tags.number - 1 = properties.desired.interval", lambda n: n == 2),
    ("IS_DEFINED(tags.seventh)", lambda n: n % 7 == 0),
    ("NOT IS_DEFINED(tags.seventh)", lambda n: n % 7 != 0),
    ("tags.seventh", lambda n: n % 14 == 0),
    ("tags.seventh = false", lambda n: n % 14 == 7),
    ("tags.seventh = null", lambda n: False),
    ("tags.Place.floor = 3", lambda n: False),
    ("tags.place = 3", lambda n: False),
    ("tags.list[0] = 9", lambda n: n == 9),
    ("tags.list[1].x = '9'", lambda n: n == 9),
    ("properties.desired.[[it's]] = 'here' AND tags.number = 1", lambda n: n == 1),
    ("properties.desired.interval = 4.5", lambda n: n == 9),
    ("properties.desired.$version = 2 AND tags.number < 3", lambda n: n < 3),
    ("status = 'disabled'", lambda n: n % 10 == 0),
    ("STATUS = 'enabled'", lambda n: n % 10 != 0),
    ("status != 'enabled' AND statusReason = 'reason 20'", lambda n: n == 20),
    ("connectionState = 'Disconnected'", lambda n: True),
    ("connectionState = 'Connected'", lambda n: False),
    ("lastActivityTime < '2020-01-01T00:00:00Z'", lambda n: True),
    ("authenticationType = 'sas' AND capabilities.iotEdge = false", lambda n: True),
    ("startswith(deviceId, 'q-4')", lambda n: n >= 40),
    ("moduleId = 'cam'", lambda n: False),
]


@pytest.mark.parametrize("condition, expected", CONDITIONS, ids=[condition for condition, _ in CONDITIONS])
def test_a_condition_finds_what_meets_it(fleet, condition, expected):
    text = f"SELECT deviceId FROM devices WHERE startswith(deviceId, 'q-') AND ({condition})"
    found = sorted(row["deviceId"] for row in rows(fleet, text))
    assert found == [name(n) for n in range(DEVICES) if expected(n)]


def test_whole_twins_are_what_twins_are_one_by_one(fleet):
    answer = ask(fleet, "SELECT * FROM devices WHERE tags.number IN [3, 4]", 10)
    assert answer.headers["x-ms-item-type"] == "Twin"
    found = {twin["deviceId"]: twin for twin in answer.json}
    assert found == {name(n): fleet.registry.twin(Named(name(n))) for n in (3, 4)}
    answer = ask(fleet, "SELECT * FROM devices.modules WHERE tags.lens = 2", 10)
    assert answer.headers["x-ms-item-type"] == "Twin"
    assert answer.json == [fleet.registry.twin(Named(name(2), "cam"))]


def test_columns_have_their_aliases_or_last_names(fleet):
    text = "SELECT DeviceId, tags.place.floor, properties.desired.interval AS i, tags.nothing FROM devices WHERE tags.number = 8"
    answer = ask(fleet, text)
    assert answer.headers["x-ms-item-type"] == "Raw"
    assert answer.json == [{"deviceId": "q-08", "floor": 3, "i": 4}]


def test_modules_are_rows_of_their_own(fleet):
    found = rows(fleet, "SELECT deviceId, moduleId, status, tags.lens FROM devices.modules")
    expected = [{"deviceId": name(n), "moduleId": "cam", "status": "enabled" if n else "disabled", "lens": n}
                for n in range(5)]
    assert sorted(found, key=lambda row: row["lens"]) == expected
    pages, token = [], None
    while token or not pages:
        answer = ask(fleet, "SELECT moduleId FROM devices.modules WHERE deviceId IN ['q-00', 'q-01', 'q-09']", 1, token)
        pages.append(answer.json)
        token = answer.headers["x-ms-continuation"]
    assert pages == [[{"moduleId": "cam"}]] * 2
    assert rows(fleet, "SELECT COUNT() AS n FROM devices.modules WHERE status = 'disabled'") == [{"n": 1}]


def test_rows_are_counted_summed_and_grouped(fleet):
    where = "FROM devices WHERE startswith(deviceId, 'q-')"
    assert rows(fleet, f"SELECT COUNT() AS n {where}") == [{"n": DEVICES}]
    found = rows(fleet, f"SELECT COUNT(), SUM(tags.number) AS sum, AVG(tags.number) AS mean, MIN(tags.number) AS low, "
                        f"MAX(deviceId) AS high {where}")
    assert found == [{"$1": 50, "sum": 1225, "mean": 24.5, "low": 0, "high": "q-49"}]
    found = rows(fleet, f"SELECT tags.place.building, COUNT() AS n {where} GROUP BY tags.place.building")
    assert found == [{"building": "A", "n": 25}, {"building": "B", "n": 25}]
    found = rows(fleet, f"SELECT status, COUNT() AS numberOfDevices {where} GROUP BY status", page=1)
    counts = {row["status"]: row["numberOfDevices"] for row in found}
    assert counts == {"disabled": 5, "enabled": 45}, "groups are one page"
    assert rows(fleet, "SELECT COUNT() AS n FROM devices WHERE tags.number = -1") == [{"n": 0}]


def test_top_ends_the_result(fleet):
    text = "SELECT TOP 7 deviceId FROM devices WHERE startswith(deviceId, 'q-')"
    assert len(rows(fleet, text)) == 7
    first = ask(fleet, text, 5)
    last = ask(fleet, text, 5, first.headers["x-ms-continuation"])
    assert [len(first.json), len(last.json)] == [5, 2]
    assert last.headers["x-ms-continuation"] is None


def test_python_gets_every_page(fleet, service):
    query = QuerySpecification(query="SELECT * FROM devices WHERE startswith(deviceId, 'q-')")
    found, pages, token = [], 0, None
    while token or not pages:
        page = service.manager.query_iot_hub(query, token, 7)
        assert len(page.items) <= 7 and page.type == "Twin"
        found += [twin.device_id for twin in page.items]
        token, pages = page.continuation_token, pages + 1
    assert pages == 8
    assert sorted(found) == [name(n) for n in range(DEVICES)]


def test_node_gets_every_page(fleet, agent):
    agent.ask("service", client="query", transport="amqp", connectionString=fleet.service)
    found = agent.ask("query", client="query", text="SELECT * FROM devices WHERE startswith(deviceId, 'q-')", size=9,
                      twins=True)
    assert [len(page) for page in found] == [9] * 5 + [5]
    assert sorted(device for page in found for device in page) == [name(n) for n in range(DEVICES)]
    found = agent.ask("query", client="query", text="SELECT tags.number AS n FROM devices WHERE tags.number > 47", size=1)
    assert sorted(row["n"] for page in found for row in page) == [48, 49]
    agent.ask("serviceClose", client="query")


def test_pages_are_stable_while_devices_come_and_go(fleet):
    text = "SELECT deviceId FROM devices WHERE startswith(deviceId, 'q-') OR startswith(deviceId, 'stable-')"
    found, token, pages = [], None, 0
    while token or not pages:
        answer = ask(fleet, text, 6, token)
        found += [row["deviceId"] for row in answer.json]
        token, pages = answer.headers["x-ms-continuation"], pages + 1
        fleet.registry.create(f"stable-{pages}")
        if pages > 1:
            assert fleet.registry.delete(f"stable-{pages - 1}").status == 204
    fleet.registry.delete(f"stable-{pages}")
    assert len(found) == len(set(found)), "no device twice"
    assert {name(n) for n in range(DEVICES)} <= set(found)


def refused(answer, status, code, part):
    assert answer.status == status, answer
    assert answer.headers["iothub-errorcode"] == code, answer
    assert answer.json["Message"].startswith(f"ErrorCode:{code};"), answer
    assert part in answer.json["Message"], answer


@pytest.mark.parametrize("text, part", [
    ("SELECT * FROM devices WHERE tags.x = ", "at character 38: "),
    ("SELECT * FROM devices WHERE tags.x == 1", "at character 37: "),
    ("SELECT * FROM nothing", "at character 15: "),
    ("SELECT deviceId", "at character 16: "),
    ("SELECT tags.x, COUNT() FROM devices", "at character 8: "),
    ("SELECT * FROM devices WHERE tags.x = 'open", "at character 38: "),
    ("DROP TABLE devices", "at character 1: "),
    ("", "at character 1: "),
    ("SELECT * FROM devices WHERE deviceId = '" + "x" * 8192 + "'", "8192"),
])
def test_what_is_no_query_is_refused_with_the_place_and_the_cause(hub, text, part):
    refused(ask(hub, text), 400, "ArgumentInvalid", part)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"query":1}', '{"query":', "\x00"])
def test_a_body_without_a_query_is_refused(hub, body):
    refused(hub.registry.request("POST", PATH, body), 400, "ArgumentInvalid", "query")


def test_page_sizes_are_numbers(fleet):
    for size in ("0", "-1", "many"):
        refused(ask(fleet, "SELECT * FROM devices", size), 400, "ArgumentInvalid", "x-ms-max-item-count")
    assert len(ask(fleet, "SELECT * FROM devices", 10 ** 12).json) >= DEVICES


def test_tokens_are_good_for_their_query_and_hub_only(fleet):
    text = "SELECT deviceId FROM devices"
    token = ask(fleet, text, 3).headers["x-ms-continuation"]
    assert ask(fleet, text, 3, token).status == 200
    assert ask(fleet, text, 3, "").status == 200, "an empty token is none"
    refused(ask(fleet, text + " WHERE tags.number = 1", 3, token), 400, "ArgumentInvalid", "another query")
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for forged in (changed, token[1:], "x", "AAAA", "%", "x" * 4000):
        refused(ask(fleet, text, 3, forged), 400, "ArgumentInvalid", "none of this hub's")


def test_queries_need_the_right_to_act_as_a_service(hub):
    refused(hub.registry.request("POST", PATH, {"query": "SELECT * FROM devices"}, authorization=""),
            401, "IotHubUnauthorized", "Authorization")
    device = hub.device("asks-1")
    refused(hub.registry.request("POST", PATH, {"query": "SELECT * FROM devices"}, authorization=device.token()),
            401, "IotHubUnauthorized", "")


async def test_connection_state_is_found_at_once(hub):
    device = hub.device("online-1")
    client = await Mqtt.connect(device)
    text = "SELECT deviceId FROM devices WHERE connectionState = 'Connected'"

    def is_found():
        return {"deviceId": device.id} in rows(hub, text)

    await asyncio.to_thread(until, is_found, "the device is found", 1)
    twin = await asyncio.to_thread(rows, hub, "SELECT * FROM devices WHERE deviceId = 'online-1'")
    assert twin[0]["connectionState"] == "Connected" and not twin[0]["lastActivityTime"].startswith("0001")
    statistics = await asyncio.to_thread(hub.registry.request, "GET", "/statistics/service")
    assert statistics.json == {"connectedDeviceCount": 1}
    await client.disconnect()
    await asyncio.to_thread(until, lambda: not is_found(), "the device is not found", 1)


def test_the_command_line_asks_for_page_after_page(fleet):
    def query(*arguments):
        return subprocess.run(
            [os.environ["IRONHUB_BIN"], "query", *arguments, "--data-dir", fleet.data], capture_output=True, text=True,
            timeout=LIMIT, check=False)

    text = "SELECT deviceId, tags.number AS n FROM devices WHERE startswith(deviceId, 'q-')"
    ended = query(text, "--page-size", "7", "--json")
    assert ended.returncode == 0, ended
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert sorted(row["n"] for row in found) == list(range(DEVICES))
    ended = query(text, "--limit", "3")
    assert ended.returncode == 0 and len(ended.stdout.splitlines()) == 3, ended
    assert all(line.count("\t") == 1 for line in ended.stdout.splitlines()), ended
    ended = query("SELECT * FROM devices WHERE tags.number = 5")
    assert ended.stdout.startswith("q-05\tenabled\tDisconnected\t"), ended
    ended = query("SELECT * FROM")
    assert ended.returncode == 1 and "at character 14" in ended.stderr, ended


async def test_last_activity_and_connection_are_right_in_rows_and_conditions(hub, device):
    """After each acknowledged message a query and the registry agree, and know of it."""
    mine = f"deviceId = '{device.id}'"

    def state():
        [row] = rows(hub, f"SELECT connectionState AS c, lastActivityTime AS t FROM devices WHERE {mine}")
        got = hub.registry.request("GET", f"/devices/{device.id}").json
        return row["c"], row["t"], got["lastActivityTime"]

    def found(condition):
        return rows(hub, f"SELECT deviceId FROM devices WHERE {mine} AND {condition}") != []

    client = await Mqtt.connect(device)
    until(lambda: found("connectionState = 'Connected'"), "it is connected")
    before = state()[1]
    for _ in range(5):
        await asyncio.sleep(0.01)
        await client.send_acked(device.topic, b"1")
        connection, queried, got = state()
        assert (connection, queried) == ("Connected", got) and queried > before
        assert found(f"lastActivityTime >= '{queried}'")
        before = queried
    await client.disconnect()
    until(lambda: found("connectionState = 'Disconnected'"), "it is disconnected")
    assert not found("connectionState = 'Connected'")
    assert state()[1] == before
