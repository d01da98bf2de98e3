"""mosquitto_pub and mosquitto_sub as the whole device."""

import json
import subprocess

import pytest

from waiting import LIMIT, until


def options(device):
    return ["-V", "mqttv311", "-h", "localhost", "-p", "8883", "--cafile", device.hub.ca, "-i", device.id,
            "-u", device.user, "-P", device.token()]


def subscribe(device, topic, count, qos, *more):
    """`count` messages as (topic, payload, qos); mosquitto_sub ends by itself then."""
    ended = subprocess.run(
        ["mosquitto_sub", *options(device), "-t", topic, "-q", f"{qos}", "-C", f"{count}", "-W", "60",
         "-F", "%j", *more],
        capture_output=True, text=True, timeout=LIMIT + 30, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return [(line["topic"], line["payload"], line["qos"]) for line in lines]


@pytest.mark.feature("C2D: QoS 0 and 1", client="mosquitto", transport="MQTT")
@pytest.mark.parametrize("qos", [0, 1])
def test_messages_come_at_the_subscribed_quality(hub, service, qos):
    device = hub.device(f"mosquitto-{qos}")
    for number in range(3):
        service.send(device.id, f"{number}", messageId=f"id {number}")
    topic = f"devices/{device.id}/messages/devicebound/"
    to = f"%24.to=%2Fdevices%2F{device.id}%2Fmessages%2Fdevicebound"
    assert subscribe(device, topic + "#", 3, qos) == [
        (f"{topic}{to}&%24.mid=id%20{number}", f"{number}", qos) for number in range(3)]
    until(lambda: hub.registry.queued(device.id) == 0, "all are completed")


@pytest.mark.feature("C2D: persistent sessions", client="mosquitto", transport="MQTT")
def test_a_session_that_is_kept_gets_what_came_meanwhile(hub, service):
    device = hub.device("mosquitto-kept")
    topic = f"devices/{device.id}/messages/devicebound/#"
    # -E: subscribe, and leave.
    subprocess.run(["mosquitto_sub", *options(device), "-t", topic, "-q", "1", "-c", "-E"], check=True, timeout=LIMIT)
    for number in range(2):
        service.send(device.id, f"{number}")
    assert [payload for _, payload, _ in subscribe(device, topic, 2, 1, "-c")] == ["0", "1"]
    until(lambda: hub.registry.queued(device.id) == 0, "all are completed")


@pytest.mark.feature("twin: get, reported patch", client="mosquitto", transport="MQTT")
def test_a_reported_patch_needs_no_more_than_a_publish(hub):
    device = hub.device("mosquitto-report")
    subprocess.run(
        ["mosquitto_pub", *options(device), "-q", "1", "-t", "$iothub/twin/PATCH/properties/reported/?$rid=1",
         "-m", '{"shell": "bash"}'], check=True, timeout=LIMIT)
    until(lambda: hub.registry.twin(device)["properties"]["reported"].get("shell") == "bash", "the patch is there")


@pytest.mark.feature("twin: desired notifications", client="mosquitto", transport="MQTT")
def test_a_missed_desired_change_is_told_at_the_first_subscription(hub):
    device = hub.device("mosquitto-desired")
    twin = hub.registry.update_twin(device, {"properties": {"desired": {"colour": "red"}}})
    version = twin["properties"]["desired"]["$version"]
    topic, payload, qos = subscribe(device, "$iothub/twin/PATCH/properties/desired/#", 1, 1)[0]
    assert (topic, qos) == (f"$iothub/twin/PATCH/properties/desired/?$version={version}", 0)
    assert json.loads(payload) == {"colour": "red", "$version": version}
