"""kill -9 while a webhook says no: what was acknowledged is delivered afterwards, in order."""

from routing import body, health, hooked, put, send
from waiting import until


async def test_a_hub_that_is_killed_delivers_everything_in_order(new_hub, webhook):
    hub = new_hub("--hub-partitions", "4").start()
    up = []
    server = webhook(lambda number, events: 200 if up or number % 3 == 2 else 500)
    put(hub, hooked(server, retryDelayInSeconds=1, maxDeliveryCount=100))
    devices = [hub.device(f"killed-{number}") for number in range(3)]
    for device in devices:
        await send(device, *[f"{number}" for number in range(150)])
    until(lambda: server.taken, "something was delivered")
    hub.kill()
    up.append(True)
    hub.start()
    for device in devices:
        await send(device, "last")
    events = server.got(len(devices) * 151)
    for device in devices:
        mine = [body(e) for e in events if e["SystemProperties"]["connectionDeviceId"] == device.id]
        assert mine == [f"{number}" for number in range(150)] + ["last"]
    until(lambda: health(hub, "hook")["backlog"] == 0, "nothing waits")
