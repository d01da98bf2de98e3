"""kill -9 in the middle of a roll-out: it goes on, and every device has what it should."""

from concurrent.futures import ThreadPoolExecutor

from waiting import until

DEVICES = 2000
AT_ONCE = 100
# So many devices are configured when the hub dies; each roll-out dies twice.
DEATHS = ((0, 700), (100, 1500))


class Target:
    """A device by its id alone."""

    module = None

    def __init__(self, number):
        self.id = f"target-{number:05}"


def create(hub, targets):
    for at in range(0, len(targets), AT_ONCE):
        items = [{"id": target.id, "importMode": "create"} for target in targets[at : at + AT_ONCE]]
        answer = hub.registry.request("POST", "/devices", items)
        assert answer.status == 200, answer


def configured(hub, run):
    query = {"query": f"SELECT COUNT() AS n FROM devices WHERE properties.desired.run = {run}"}
    answer = hub.registry.request("POST", "/devices/query", query)
    assert answer.status == 200, answer
    return answer.json[0]["n"] if answer.json else 0


def desired(hub, targets):
    with ThreadPoolExecutor(8) as pool:
        return [twin["properties"]["desired"] for twin in pool.map(hub.registry.twin, targets)]


def test_a_roll_out_outlives_its_hub(new_hub):
    hub = new_hub("--hub-partitions", "4").start()
    targets = [Target(number) for number in range(DEVICES)]
    create(hub, targets)
    cut = 0
    for run, deaths in enumerate(DEATHS):
        body = {"targetCondition": "*", "content": {"deviceContent": {"properties.desired.run": run}}}
        answer = hub.registry.request("PUT", "/configurations/c", body, {"If-Match": "*"} if run else {})
        assert answer.status in (200, 201), answer
        for done in deaths:
            until(lambda done=done: configured(hub, run) >= done, f"{done} devices are configured")
            cut += configured(hub, run) < DEVICES
            hub.kill()
            hub.start()
        until(lambda: configured(hub, run) == DEVICES, "every device is configured")
        for found in desired(hub, targets):
            assert (found["run"], found["$version"]) == (run, run + 2), found
    assert hub.registry.request("DELETE", "/configurations/c").status == 204
    hub.kill()
    hub.start()
    until(lambda: not any("run" in found for found in desired(hub, targets)), "nothing is left of it")
    assert cut >= 2, "the hub died in the middle of roll-outs"
