"""A device by rhea, a plain AMQP library: each way to open, telemetry, C2D with release, the twin."""

import asyncio

import pytest

import eventhub
from node_client import node
from raw_service import Service


@pytest.mark.parametrize("websocket", [False, True], ids=["amqp", "amqp-ws"])
@pytest.mark.parametrize("sasl", ["none", "ANONYMOUS", "PLAIN"])
def test_a_device_by_a_plain_library(hub, device, sasl, websocket):
    async def send():
        service = await Service.connect(hub)
        for number in range(6):
            await service.send(device.id, b"%d" % number)
        await service.close()

    asyncio.run(send())
    found = node(hub, "../raw_rhea.mjs", {
        "device": device.id, "token": device.token(), "sasl": sasl, "websocket": websocket, "messages": 50,
        "commands": 6})
    assert found["outcomes"] == {"accepted": 50, "rejected": 0, "released": 0}
    first = dict(reversed(found["commands"]))
    assert sorted(first) == [str(number) for number in range(6)]
    counts = {}
    for body, count in found["commands"]:
        counts.setdefault(body, []).append(count)
    for body, values in counts.items():
        assert len(values) == 1 + int(body) % 2, counts
        assert values == list(range(values[0], values[0] + len(values))), "abandoned: counted"
    assert (found["twin"]["status"], found["twin"]["version"]) == (204, 2)
    events = eventhub.wait_for(hub, device.id, 50)
    assert [(eventhub.body(event), event["app"]) for event in events] == [
        (b"%d" % number, {"n": f"{number}"}) for number in range(50)]
