"""`ironhub route` and `ironhub endpoint`, as a person or a script uses them."""

import json
import os
import subprocess

from eventhub import wait_for
from routing import put, send
from waiting import LIMIT


def ironhub(hub, *arguments, expect=0, text=""):
    """Standard output of a command."""
    ended = subprocess.run(
        [os.environ["IRONHUB_BIN"], *arguments], capture_output=True, text=True, check=False, input=text, timeout=LIMIT,
        env={**os.environ, "IRONHUB_DATA_DIR": str(hub.data)},
    )
    assert ended.returncode == expect, f"{arguments}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout if expect == 0 else ended.stderr


async def test_routes_and_endpoints_are_made_tried_shown_and_deleted(hub, device):
    ironhub(hub, "endpoint", "create", "event-log", "alarms")
    secret = ironhub(hub, "endpoint", "create", "webhook", "hook", "--url", "http://127.0.0.1:9/",
                     "--dead-letters", "alarms").strip()
    assert secret.startswith("whsec_")
    ironhub(hub, "endpoint", "create", "storage", "store", "--container", "archive", "--batch-seconds", "60")
    ironhub(hub, "route", "create", "hot", "--condition", "level = 'high'", "--endpoint", "alarms",
            "--endpoint", "events")
    ironhub(hub, "route", "create", "$fallback")
    assert ironhub(hub, "route", "test", "--property", "level=high") == "hot\n"
    assert ironhub(hub, "route", "test", "--property", "level=low") == "$fallback\n"
    assert ironhub(hub, "route", "test", "--condition", "level = 'low'", "--property", "level=low") == "true\n"
    assert "column" in ironhub(hub, "route", "test", "--condition", "level = ", expect=1)
    rows = [line.split("\t")[:4] for line in ironhub(hub, "route", "list").splitlines()]
    assert rows == [["hot", "enabled", "DeviceMessages", "alarms,events"],
                    ["$fallback", "enabled", "DeviceMessages", "events"]]
    listed = json.loads(ironhub(hub, "endpoint", "list", "--json"))
    assert [(one["name"], one["type"]) for one in listed] == [
        ("alarms", "event-log"), ("hook", "webhook"), ("store", "storage")]
    assert json.loads(ironhub(hub, "endpoint", "show", "hook"))["health"]["backlog"] == 0

    await send(device, "x", properties="level=high")
    wait_for(hub, device.id, 1)

    document = ironhub(hub, "route", "show")
    assert secret not in document
    ironhub(hub, "route", "set", "-", text=document)
    assert "no endpoint \"alarms\"" in ironhub(hub, "endpoint", "delete", "alarms", expect=1)
    ironhub(hub, "route", "delete", "hot")
    ironhub(hub, "route", "delete", "hot")
    ironhub(hub, "route", "show", "hot", expect=1)
    put(hub, {})
    assert json.loads(ironhub(hub, "endpoint", "list", "--json")) == []
