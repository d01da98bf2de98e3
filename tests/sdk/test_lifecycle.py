"""Starting and stopping: the run contract's files and exit codes."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import threading

import eventhub
import sas
from eventhub import receiving
from hub import admin
from mqtt import Mqtt
from waiting import LIMIT


def run(*arguments, expect, cwd):
    """Runs the program to its end, which must come by itself."""
    ended = subprocess.run(
        [os.environ["IRONHUB_BIN"], *arguments], capture_output=True, text=True, timeout=LIMIT, cwd=cwd, check=False)
    said = ended.stdout + ended.stderr
    assert (ended.returncode == 0) == (expect == 0), f"{arguments} ended with {ended.returncode}:\n{said}"
    if expect:
        assert ended.returncode == expect, f"{arguments} ended with {ended.returncode}:\n{said}"
    assert "panicked" not in said, said
    return said


def test_the_first_start_writes_what_clients_need(new_hub):
    hub = new_hub().start()
    service, events = sas.parse(hub.service), sas.parse(hub.events)
    assert service["HostName"] == "localhost" and service["SharedAccessKeyName"] == "iothubowner"
    assert events["Endpoint"] == "sb://localhost/" and events["EntityPath"]
    assert events["SharedAccessKey"] == service["SharedAccessKey"]
    assert stat.S_IMODE(os.stat(hub.data / "hub.env").st_mode) == 0o600
    for file in hub.data.rglob("*"):
        if file.is_file() and "key" in file.name.lower():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert "BEGIN CERTIFICATE" in (hub.data / "ca.pem").read_text()
    assert json.loads((hub.data / "listeners.json").read_text())
    for path in ("/health/live", "/health/ready"):
        assert admin(path)[0] == 200
    status, metrics = admin("/metrics")
    assert status == 200 and "ironhub" in metrics


def test_sigterm_drains_and_exits_with_0(new_hub):
    hub = new_hub().start()
    device = hub.device("drained")
    acked = []

    async def load():
        client = await Mqtt.connect(device)
        number = 0
        while not client.closed.is_set():
            future = client.publish(device.topic, f"{number}")
            done, _ = await asyncio.wait({future, asyncio.create_task(client.closed.wait())},
                                         return_when=asyncio.FIRST_COMPLETED)
            if future in done and future.exception() is None:
                acked.append(number)
            number += 1
            if number == 50:
                enough.set()

    enough = threading.Event()
    sender = threading.Thread(target=lambda: asyncio.run(asyncio.wait_for(load(), LIMIT)))
    with receiving(hub, "0"):
        sender.start()
        assert enough.wait(LIMIT)
        assert hub.terminate() == 0, hub.tail()
    sender.join(LIMIT)
    assert not sender.is_alive()
    before = hub.settings
    hub.start()
    assert hub.settings == before
    found = [int(eventhub.body(event)) for event in eventhub.of_device(eventhub.read_all(hub), device.id)]
    assert found[: len(acked)] == acked
    assert hub.terminate() == 0, hub.tail()


def test_sigint_ends_it_as_sigterm_does(new_hub):
    hub = new_hub().start()
    hub.process.send_signal(2)
    assert hub.process.wait(LIMIT) == 0, hub.tail()


def test_a_data_directory_in_use_is_refused(new_hub):
    hub = new_hub().start()
    off = [f"--{name}-listen=off" for name in ("mqtt", "mqtts", "amqps", "https", "admin")]
    said = run("serve", "--data-dir", str(hub.data), *off, expect=1, cwd=hub.data.parent)
    assert str(hub.data) in said or "in use" in said or "lock" in said.lower(), said
    assert admin("/health/ready")[0] == 200


def test_a_port_in_use_is_named(new_hub, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = run("serve", "--data-dir", str(tmp_path / "other"), "--mqtts-listen", address, expect=1, cwd=tmp_path)
    assert address in said, said


def test_wrong_settings_are_refused_by_name(tmp_path):
    (tmp_path / "wrong.toml").write_text("[hub]\npartitions = 0\n")
    (tmp_path / "unknown.toml").write_text("colour = 'blue'\n")
    data = ["--data-dir", str(tmp_path / "data")]
    assert "partitions" in run("serve", *data, "--hub-partitions", "0", expect=1, cwd=tmp_path)
    assert "partitions" in run("serve", *data, "--config", "wrong.toml", expect=1, cwd=tmp_path)
    assert "colour" in run("serve", *data, "--config", "unknown.toml", expect=1, cwd=tmp_path)
    assert "absent.toml" in run("serve", *data, "--config", "absent.toml", expect=1, cwd=tmp_path)
    assert "--no-such-flag" in run("serve", "--no-such-flag", expect=2, cwd=tmp_path)
    assert not (tmp_path / "data" / "hub.env").exists()


def test_the_number_of_partitions_cannot_change(new_hub):
    hub = new_hub("--hub-partitions", "4").start()
    assert hub.terminate() == 0
    said = run("serve", "--data-dir", str(hub.data), "--hub-partitions", "8", expect=1, cwd=hub.data.parent)
    assert "partitions" in said


def test_port_0_and_off_are_written_to_listeners_json(new_hub):
    hub = new_hub("--mqtt-listen", "127.0.0.1:0", "--https-listen", "off").start()
    said = (hub.data / "listeners.json").read_text()
    assert "127.0.0.1:0" not in said, said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 443)) != 0, "the listener that is off answers"


def test_version_and_help_are_printed(tmp_path):
    assert "ironhub" in run("--version", expect=0, cwd=tmp_path)
    said = run("serve", "--help", expect=0, cwd=tmp_path)
    for flag in ("--config", "--data-dir", "--hostname", "--mqtt-listen", "--mqtts-listen", "--amqps-listen",
                 "--https-listen", "--admin-listen"):
        assert flag in said
