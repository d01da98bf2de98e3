"""Somebody else on the same hub, whom bad input must not disturb."""

import itertools
from contextlib import asynccontextmanager

from mqtt import Mqtt

numbers = itertools.count(1)


@asynccontextmanager
async def bystander(hub):
    """Connected before the bad input; afterwards still connected, and its messages are acknowledged."""
    device = hub.device(f"bystander-{next(numbers)}")
    client = await Mqtt.connect(device)
    await client.send_acked(device.topic, "before")
    yield device
    assert hub.alive(), f"the hub ended with {hub.process.returncode}:\n{hub.tail()}"
    await client.send_acked(device.topic, "undisturbed")
    assert not client.closed.is_set(), "the bystander's connection is closed"
    await client.disconnect()
