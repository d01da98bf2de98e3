"""`ironhub device simulate` when its hub goes away: it comes back by itself, and nothing is lost."""

import json

import pytest

import eventhub
from test_cli_simulate import PROTOCOLS, Simulation
from waiting import LIMIT, until


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_devices_come_back_to_a_killed_hub_and_nothing_acknowledged_is_missing(new_hub, protocol):
    hub = new_hub("--hub-partitions", "4").start()
    running = Simulation(hub, "--count", "2", "--create", "--protocol", protocol, "--interval", "20ms")
    try:
        for device_id in ("sim-1", "sim-2"):
            running.told("telemetryStored", device_id, number=10)
        hub.kill()
        for device_id in ("sim-1", "sim-2"):
            running.told("connectionLost", device_id)
        hub.start()

        def told(event, device_id):
            return [line for line in list(running.lines) if (line["event"], line.get("deviceId")) == (event, device_id)]

        for device_id in ("sim-1", "sim-2"):
            until(lambda d=device_id: len(told("connected", d)) >= 2, f"{device_id} is back")
            before = len(told("telemetryStored", device_id))
            until(lambda d=device_id, n=before: len(told("telemetryStored", d)) > n + 10, f"{device_id} sends again")
        summary = running.stop()
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(LIMIT)
    assert summary["telemetryUnanswered"] == 0 and summary["connections"] >= 4
    for device_id in ("sim-1", "sim-2"):
        acknowledged = {line["number"] for line in told("telemetryStored", device_id)}
        # Without a gap, although the connection was lost in the middle.
        assert acknowledged == set(range(1, len(acknowledged) + 1))
        found = eventhub.wait_for(hub, device_id, len(acknowledged))
        assert acknowledged <= {json.loads(eventhub.body(event))["number"] for event in found}
