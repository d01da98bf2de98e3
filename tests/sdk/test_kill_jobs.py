"""kill -9 in the middle of a job: it goes on, and no twin is changed twice."""

from concurrent.futures import ThreadPoolExecutor

from waiting import until

DEVICES = 3000
AT_ONCE = 100
# So many targets are done when the hub dies; each job dies twice.
DEATHS = ((0, 1), (200, 1500), (0, 2900))


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


def job(hub, job_id):
    answer = hub.registry.request("GET", f"/jobs/v2/{job_id}")
    assert answer.status == 200, answer
    return answer.json


def test_a_job_outlives_its_hub_and_changes_every_twin_once(new_hub):
    hub = new_hub("--hub-partitions", "4").start()
    targets = [Target(number) for number in range(DEVICES)]
    create(hub, targets)
    cut = 0
    for run, deaths in enumerate(DEATHS):
        job_id = f"job-{run}"
        body = {"type": "scheduleUpdateTwin", "updateTwin": {"tags": {"run": run}, "properties": {"desired": {"run": run}}}}
        answer = hub.registry.request("PUT", f"/jobs/v2/{job_id}", body)
        assert answer.status == 200, answer
        for done in deaths:
            def is_far(done=done):
                found = job(hub, job_id)
                return found["status"] == "completed" or found["deviceJobStatistics"]["succeededCount"] >= done
            until(is_far, f"{done} targets are done")
            cut += job(hub, job_id)["status"] != "completed"
            hub.kill()
            hub.start()
        until(lambda: job(hub, job_id)["status"] == "completed", f"{job_id} has ended")
        found = job(hub, job_id)["deviceJobStatistics"]
        assert (found["deviceCount"], found["succeededCount"]) == (DEVICES, DEVICES), found
        with ThreadPoolExecutor(8) as pool:
            twins = list(pool.map(hub.registry.twin, targets))
        for twin in twins:
            desired = twin["properties"]["desired"]
            assert (desired["run"], desired["$version"], twin["tags"]["run"]) == (run, run + 2, run), twin
    assert cut, "no kill hit a job that ran"
