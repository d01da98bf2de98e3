"""Runs one of node/*.mjs: JSON in, JSON out, with the hub's CA trusted the way Node users do it."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent / "node"


def environment(hub):
    return {**os.environ, "NODE_EXTRA_CA_CERTS": hub.ca}


def command(script):
    return [os.environ["IRONHUB_SDK"] + "/node/node", str(HERE / script)]


def node(hub, script, request, limit=240):
    """The script's answer. Its standard error is shown when it fails."""
    ended = subprocess.run(
        command(script), input=json.dumps(request), capture_output=True, text=True, timeout=limit,
        env=environment(hub), check=False,
    )
    assert ended.returncode == 0, f"{script} ended with {ended.returncode}:\n{ended.stderr[-4000:]}"
    return json.loads(ended.stdout)
