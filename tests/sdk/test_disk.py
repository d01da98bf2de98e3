"""A full disk: writes are refused, the hub stays up and readable, and goes on when there is room."""

import asyncio
import os
import random
import subprocess

import pytest

import eventhub
from hub import admin
from mqtt import Mqtt
from waiting import LIMIT, until

SIZE = 512 * 1024 * 1024
BODY = 64 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A file system of SIZE bytes of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "ironhub-test", place], capture_output=True, text=True,
        check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place, leave):
    """Writes a file that leaves `leave` bytes free."""
    free = os.statvfs(place)
    size = free.f_bavail * free.f_frsize - leave
    with open(place / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(size, 1))


def body(number):
    """Bytes that do not compress: stored events do take up room."""
    return random.Random(number).randbytes(BODY)


async def publish_until_refused(device, start):
    """Publishes one after the other until the hub closes; returns the numbers that were acknowledged."""
    acked = []
    client = await Mqtt.connect(device)
    number = start
    while not client.closed.is_set():
        future = client.publish(device.topic + f"n={number}", body(number))
        gone = asyncio.create_task(client.closed.wait())
        done, _ = await asyncio.wait({future, gone}, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        assert done, f"neither PUBACK nor close within {LIMIT} s after {len(acked)} messages:\n{device.hub.tail()}"
        if future.done() and future.exception() is None:
            acked.append(number)
            number += 1
        assert len(acked) * BODY < SIZE, "more was acknowledged than the disk can hold"
    return acked


async def sends(device, number):
    """Whether one message is accepted now."""
    client = await Mqtt.open(device.hub)
    client.send_connect(device.id, device.user, device.token())
    code = await client.return_code()
    if code != 0:
        assert code in (3, None), f"CONNACK {code} while the disk is full"
        return False
    future = client.publish(device.topic + f"n={number}", b"small")
    try:
        await asyncio.wait_for(future, LIMIT)
    except ConnectionError:
        return False
    await client.disconnect()
    return True


def numbers(hub, device):
    return [int(event["app"]["n"]) for event in eventhub.of_device(eventhub.read_all(hub), device.id)]


def test_a_full_disk_refuses_writes_and_nothing_else(new_hub, small_disk):
    hub = new_hub("--hub-partitions", "4", data=small_disk / "data").start()
    device = hub.device("writer")
    asyncio.run(sends(device, 0))

    # Above the reserve that the hub keeps (5 % of the disk, at least 32 MiB) there is room for a few messages.
    fill(small_disk, leave=48 * 1024 * 1024)
    acked = asyncio.run(publish_until_refused(device, 1))
    print(f"{len(acked)} messages of {BODY} bytes until the disk was full")
    assert hub.alive(), hub.tail()
    assert admin("/health/live")[0] == 200

    assert asyncio.run(sends(device, 999_999)) is False, "a write is accepted on a full disk"
    # What was on its way when the disk filled up was neither acknowledged nor refused: it may be stored.
    unsure = {len(acked) + 1, 999_999}
    sure = [n for n in numbers(hub, device) if n not in unsure]
    assert sure == [0, *acked], "reading goes on"
    answer = hub.registry.get("writer")
    assert answer.status == 200, answer
    answer = hub.registry.request("PUT", "/devices/never", {"deviceId": "never"})
    assert answer.status in (429, 500, 503), answer

    (small_disk / "filler").unlink()
    until(lambda: asyncio.run(sends(device, 1_000_000)), "writes are accepted again once there is room")
    assert hub.alive(), hub.tail()
    read = numbers(hub, device)
    assert [n for n in read if n not in unsure] == [0, *acked, 1_000_000]

    hub.kill()
    hub.start()
    assert numbers(hub, device) == read
