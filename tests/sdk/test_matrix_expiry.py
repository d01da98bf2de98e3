"""Tokens that nobody renews, with no grace: every kind of connection ends with them."""

import itertools
import time

from agent import Agent
from programs import KINDS
from test_matrix_sessions import ended

BY_NAME = {kind.name: kind for kind in KINDS}


def test_tokens_that_are_not_renewed_end_every_kind_of_connection(new_hub):
    hub = new_hub("--mqtt-sas-grace-seconds", "0").start()
    agent = Agent(hub)
    try:
        numbers = itertools.count()
        for name in ("node-mqtt", "node-mqtt-ws", "node-amqp", "node-amqp-ws", "paho-mqtt"):
            device = hub.device(f"expiring-{next(numbers)}")
            expiry = int(time.time()) + 3
            token = device.token(expiry=expiry)
            if name.startswith("paho"):
                device.token = lambda token=token: token
                program = BY_NAME[name].open(device, agent)
            else:
                by_token = f"HostName=localhost;DeviceId={device.id};SharedAccessSignature={token}"
                program = BY_NAME[name].open(device, agent, connection_string=by_token)
                program.watch()
            ended(program, BY_NAME[name])
            assert time.time() >= expiry - 1
    finally:
        agent.close()
