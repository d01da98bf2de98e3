"""Queries of hubs that are restarted or configured for it."""

from test_query import Named, ask, floor, name, rows


def test_a_token_survives_a_restart(new_hub):
    hub = new_hub("--hub-partitions", "2").start()
    for n in range(4):
        hub.registry.create(f"r-{n}")
    first = ask(hub, "SELECT deviceId FROM devices", 3)
    hub.kill()
    hub.start()
    rest = ask(hub, "SELECT deviceId FROM devices", 3, first.headers["x-ms-continuation"])
    assert rest.status == 200, rest
    assert sorted(row["deviceId"] for row in first.json + rest.json) == [f"r-{n}" for n in range(4)]


def test_statistics_count_devices(new_hub):
    hub = new_hub("--hub-partitions", "3").start()
    for n in range(5):
        hub.registry.create(f"s-{n}", status="disabled" if n == 0 else "enabled")
    expected = {"totalDeviceCount": 5, "enabledDeviceCount": 4, "disabledDeviceCount": 1}
    assert hub.registry.request("GET", "/statistics/devices").json == expected
    assert hub.registry.request("GET", "/statistics/service/").json == {"connectedDeviceCount": 0}
    assert hub.registry.delete("s-0").status == 204
    assert hub.registry.request("GET", "/statistics/devices").json["disabledDeviceCount"] == 0


def test_tags_of_the_configuration_are_found_by_index(new_hub):
    hub = new_hub("--query-indexed-tags", "place.floor").start()
    for n in range(12):
        hub.registry.create(name(n))
        hub.registry.update_twin(Named(name(n)), {"tags": {"place": {"floor": floor(n)}}})
    text = "SELECT deviceId FROM devices WHERE tags.place.floor IN [1, 2] AND deviceId != 'q-06'"
    expected = [name(n) for n in range(12) if floor(n) in (1, 2) and n != 6]
    assert sorted(row["deviceId"] for row in rows(hub, text)) == expected
    found, token, pages = [], None, 0
    while token or not pages:
        answer = ask(hub, text, 2, token)
        found += [row["deviceId"] for row in answer.json]
        token, pages = answer.headers["x-ms-continuation"], pages + 1
    assert sorted(found) == expected
