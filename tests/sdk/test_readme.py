"""What the README tells a newcomer to type works as it is written."""

import os
import re
import subprocess
from pathlib import Path

import eventhub

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.M | re.S)


def type_in(hub, script):
    """Runs shell text beside the hub, whose data lie in ./data as those of ./scripts/run do."""
    path = f"{Path(os.environ['IRONHUB_BIN']).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=hub.data.parent, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=60, check=False)


def test_the_readmes_first_message_arrives(hub):
    assert hub.data.name == "data"
    created = type_in(hub, "ironhub device create dev1")
    assert created.returncode == 0, created
    (block,) = (block for block in blocks("sh") if "mosquitto_pub" in block)
    sent = type_in(hub, block)
    assert sent.returncode == 0, sent
    (event,) = eventhub.wait_for(hub, "dev1", 1)
    assert event["app"] == {"room": "kitchen"}
    assert event["system"]["content-type"] == "application/json"
    assert eventhub.body(event) == b'{"temperature":21.5}'


def test_the_readmes_simulated_devices_send(hub):
    (block,) = (block for block in blocks("sh") if "device simulate" in block)
    played = type_in(hub, block)
    assert played.returncode == 0, played
    assert "30 stored" in played.stdout, played
    for number in (1, 2, 3):
        eventhub.wait_for(hub, f"sim-{number}", 10)


def test_the_readmes_python_sends_and_reads(hub):
    """The two Python snippets with the connection strings filled in; reading ends after the first event."""
    device = hub.device("snippet")
    send, read = blocks("python")
    send = re.sub(r'"HostName=[^"]*"', repr(device.connection_string), send)
    read = re.sub(r'"Endpoint=[^"]*"', repr(hub.events), read)
    sent = subprocess.run(
        [f"{os.environ['IRONHUB_SDK']}/venv/bin/python", "-c", send], cwd=hub.data.parent, capture_output=True, text=True,
        timeout=60, check=False)
    assert sent.returncode == 0, sent
    eventhub.wait_for(hub, device.id, 1)
    reader = subprocess.Popen(
        [f"{os.environ['IRONHUB_SDK']}/venv/bin/python", "-u", "-c", read], cwd=hub.data.parent,
        stdout=subprocess.PIPE, text=True)
    try:
        for line in reader.stdout:
            if device.id in line:
                assert "hello" in line
                break
        else:
            raise AssertionError(f"the reader ended with {reader.wait(60)} and did not show the event")
    finally:
        reader.kill()
        reader.wait(60)
