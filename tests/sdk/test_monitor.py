"""`ironhub events`: the live monitor on the command line."""

import asyncio
import json
import os
import subprocess
import threading

from mqtt import Mqtt
from waiting import LIMIT, until


class Monitor:
    """`ironhub events --json` beside the hub; `lines` fills with what it prints."""

    def __init__(self, hub):
        self.lines = []
        self.process = subprocess.Popen(
            [os.environ["IRONHUB_BIN"], "events", "--json"], stdout=subprocess.PIPE, text=True,
            cwd=hub.data.parent, env={**os.environ, "IRONHUB_DATA_DIR": str(hub.data)},
        )
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))


def test_the_monitor_prints_each_event_as_one_json_line(hub, device):
    monitor = Monitor(hub)

    async def send():
        client = await Mqtt.connect(device)
        # It shows what arrives after it is attached, and does not say when that is: send until something shows.
        number = 0
        while not monitor.lines:
            assert monitor.process.poll() is None, f"the monitor ended with {monitor.process.returncode}"
            await client.send_acked(device.topic + "%24.mid=m1&colour=blue", f'{{"n": {number}}}')
            number += 1
        await client.disconnect()

    try:
        asyncio.run(asyncio.wait_for(send(), LIMIT))
        until(lambda: monitor.lines, "a line of the monitor")
        text = json.dumps(monitor.lines[0])
        for part in (device.id, "colour", "blue", "m1"):
            assert part in text, text
    finally:
        monitor.process.terminate()
        monitor.process.wait(LIMIT)
