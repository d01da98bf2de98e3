"""kill -9 in the middle of bulk requests: what was answered is there, what was not is there item by item, whole or not at all,
and asking again says of each item which."""

import http.client
import random
from concurrent.futures import ThreadPoolExecutor

from waiting import until

REQUESTS = 48
DEVICES = 50
AT_ONCE = 6
KILLS = 3
FAILURES = (OSError, http.client.HTTPException)


def items(request):
    """Devices with twins, each with a module: 100 items, the most that a request has."""
    for number in range(DEVICES):
        name = f"bulk-{request:02}-{number:02}"
        twin = {"tags": {"n": number}, "properties": {"desired": {"request": request}}}
        yield {"id": name, "importMode": "create", **twin}
        yield {"id": name, "moduleId": "m", "importMode": "create", **twin}


def ask(hub, request, mode=None):
    """The answer to a request; None if there was none."""
    asked = [{**item, "importMode": mode or item["importMode"]} for item in items(request)]
    try:
        return hub.registry.request("POST", "/devices", asked)
    except FAILURES:
        return None


def identity(item):
    return item["id"], item.get("moduleId")


def path(name, module):
    return f"{name}/modules/{module}" if module else name


def state(hub, item):
    """Whether the item is there: whole, or (None) not at all. Nothing else is allowed."""
    where = path(*identity(item))
    found, twin = (hub.registry.request("GET", f"/{kind}/{where}") for kind in ("devices", "twins"))
    if found.status == 404:
        assert twin.status == 404, twin
        return None
    assert (found.status, twin.status) == (200, 200), (found, twin)
    assert twin.json["tags"] == item["tags"], "an identity without the twin that came with it"
    assert twin.json["properties"]["desired"]["request"] == item["properties"]["desired"]["request"]
    return found.json["generationId"]


def test_every_item_of_a_bulk_request_is_there_or_told(new_hub):
    hub = new_hub("--hub-partitions", "4").start()
    answers, order = {}, list(range(REQUESTS))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for kill in range(KILLS):
            batch = order[kill * REQUESTS // KILLS : (kill + 1) * REQUESTS // KILLS]
            asked = {request: pool.submit(ask, hub, request) for request in batch}
            # In the middle: some are answered, and others are under way.
            until(lambda: sum(one.done() for one in asked.values()) >= 1 + 3 * kill, "some are answered")
            hub.kill()
            answers.update({request: one.result() for request, one in asked.items()})
            hub.start()
    unanswered = [request for request, answer in answers.items() if answer is None]
    assert unanswered and len(unanswered) < REQUESTS, "the hub died in the middle"
    with ThreadPoolExecutor(8) as pool:
        everything = [item for request in range(REQUESTS) for item in items(request)]
        states = dict(zip(map(identity, everything), pool.map(lambda item: state(hub, item), everything)))
    for request, answer in answers.items():
        if answer is None:
            continue
        told = {(fault["deviceId"], fault["moduleId"]) for fault in answer.json["errors"]}
        for item in items(request):
            # A hub that is told to end may refuse items, and says so.
            assert (states[identity(item)] is None) == (identity(item) in told), (item, answer)
    cut = 0
    for request in random.Random(1).sample(unanswered, len(unanswered)):
        there = {identity(item) for item in items(request) if states[identity(item)]}
        cut += 0 < len(there) < 2 * DEVICES
        again = ask(hub, request)
        told = {(fault["deviceId"], fault["moduleId"]): fault["errorCode"] for fault in again.json["errors"]}
        assert told.keys() == there, "asked again, each item that was there is told, and no other"
        assert set(told.values()) <= {"DeviceAlreadyExists", "ModuleAlreadyExistsOnDevice"}, told
        # Who asks for what shall be, and not for what shall happen, need not look at all.
        assert ask(hub, request, "createOrUpdate").status == 200
    for item in everything:
        before, after = states[identity(item)], state(hub, item)
        assert after and before in (None, after), "nothing that was there is made anew"
    print(f"{len(unanswered)} of {REQUESTS} requests had no answer, {cut} of them were cut in the middle")
