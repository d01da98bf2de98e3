"""Tokens that nobody renews, with no grace: connections over MQTT end with them, over WebSocket too."""

import itertools
import time

from agent import Agent
from programs import KINDS
from test_matrix_sessions import ended

BY_NAME = {kind.name: kind for kind in KINDS}


def test_a_token_that_is_not_renewed_ends_the_connection(new_hub):
    hub = new_hub("--mqtt-sas-grace-seconds", "0").start()
    agent = Agent(hub)
    try:
        numbers = itertools.count()
        for name in ("node-mqtt", "node-mqtt-ws", "paho-mqtt", "paho-mqtt-ws"):
            device = hub.device(f"expiring-{next(numbers)}")
            expiry = int(time.time()) + 3
            token = device.token(expiry=expiry)
            if name.startswith("paho"):
                device.token = lambda token=token: token
                program = BY_NAME[name].open(device, agent)
            else:
                by_token = f"HostName=localhost;DeviceId={device.id};SharedAccessSignature={token}"
                program = BY_NAME[name].open(device, agent, connection_string=by_token)
            ended(program, BY_NAME[name])
            assert time.time() >= expiry - 1
    finally:
        agent.close()
