"""The bad-input table, HTTPS: credentials, bodies, framing, lock tokens, and what a service sends to a device."""

import asyncio
import base64
import json
import uuid

import pytest

import eventhub
import sas
from raw_bystander import bystander
from raw_codec import Timestamp, UInt
from raw_device import RawDevice
from raw_http import API, Http, by_device, call, target
from raw_link import ACCEPTED, REJECTED
from raw_message import message
from raw_service import Service, invoke, request

EVENTS, BATCH = "messages/events", "application/vnd.microsoft.iothub.json"
LIMIT_BYTES = 262_144


async def test_credentials_that_are_wrong_are_answered_with_401(hub, device):
    other = hub.device(device.id + "-x")
    off = hub.registry.create(device.id + "-off", status="disabled")
    ways = {"POST messages/events": b"x", "GET messages/devicebound": b"", "POST files": b'{"blobName":"a"}',
            "POST files/notifications": b"{}", f"DELETE messages/devicebound/{uuid.uuid4()}": b""}
    async with bystander(hub):
        for label, authorization in [
            ("none", None), ("empty", " "), ("another scheme", "Basic Zm9vOmJhcg=="),
            ("nonsense", "SharedAccessSignature x"),
            ("wrong key", device.token(key=other.primary)), ("expired", device.token(expiry=1)),
            ("another device's", other.token()), ("bad encodings", "SharedAccessSignature sr=%zz&sig=%%%&se=x"),
        ]:
            for way, body in ways.items():
                method, rest = way.split()
                answer = await call(hub, method, target(device, rest), body, authorization)
                assert answer.status == 401, (label, way, answer)
                assert answer.json["Message"].startswith("ErrorCode:IotHubUnauthorized"), (label, way, answer)
                assert answer.headers["iothub-errorcode"].startswith("IotHubUnauthorized")
        gone = hub.device(device.id + "-gone")
        await asyncio.to_thread(hub.registry.delete, gone.id)
        assert (await by_device(gone, "POST", EVENTS, b"x")).status in (401, 404)
        key = off["authentication"]["symmetricKey"]["primaryKey"]
        token = sas.token(f"localhost/devices/{off['deviceId']}", key)
        answer = await call(hub, "POST", f"/devices/{off['deviceId']}/messages/events?{API}", b"x", token)
        assert answer.status in (401, 403), "disabled"
    assert eventhub.of_device(await asyncio.to_thread(eventhub.read_all, hub), device.id) == []


BATCHES = {
    "malformed": b'[{"body": "eA=="', "an object": b'{"body": "eA=="}', "a string": b'"eA=="', "null": b"null",
    "an array of numbers": b"[1, 2]", "an array of arrays": b"[[]]", "no body": b'[{"properties": {}}]',
    "a number as its body": b'[{"body": 1}]', "not base64": b'[{"body": "%%%"}]',
    "a flag that is none": b'[{"body": "eA==", "base64Encoded": "x"}]',
    "properties that are none": b'[{"body": "eA==", "properties": [1]}]',
    "a property that is a number": b'[{"body": "eA==", "properties": {"iothub-app-k": 1}}]',
    "one bad behind good ones": b'[{"body": "eA=="}, {"body": "eA=="}, {"body": 7}]',
    "not UTF-8": b'[{"body": "\xff"}]',
    "deep": b"[" * 100_000, "nothing": b"",
}


async def test_a_batch_that_is_none_is_refused_as_a_whole(hub, device):
    async with bystander(hub):
        wrong = {}
        for label, body in BATCHES.items():
            answer = await by_device(device, "POST", EVENTS, body, Content_Type=BATCH)
            if answer is None or answer.status != 400 or not answer.json["Message"].startswith("ErrorCode:"):
                wrong[label] = answer
        assert not wrong
        large = json.dumps([{"body": base64.b64encode(b"x" * 90_000).decode()}] * 3).encode()
        assert (await by_device(device, "POST", EVENTS, large, Content_Type=BATCH)).status == 413
        assert len(eventhub.of_device(await asyncio.to_thread(eventhub.read_all, hub), device.id)) == 0
        good = b'[{"body": "eA=="}, {"body": "plain", "base64Encoded": false, "properties": {"iothub-app-k": "v"}}]'
        assert (await by_device(device, "POST", EVENTS, good, Content_Type=BATCH)).status == 204
        events = await asyncio.to_thread(eventhub.wait_for, hub, device.id, 2)
        assert [eventhub.body(event) for event in events] == [b"x", b"plain"]


async def test_a_message_that_is_too_large_is_refused_however_it_is_framed(hub, device):
    async with bystander(hub):
        assert (await by_device(device, "POST", EVENTS, b"x" * LIMIT_BYTES)).status == 204
        assert (await by_device(device, "POST", EVENTS, b"x" * (LIMIT_BYTES - 1), iothub_app_k="v")).status == 413
        # Announced, and never sent: refused by its length alone.
        for length in (LIMIT_BYTES + 1, 2**31, 2**63, 10**30):
            http = await Http.open(hub)
            http.head("POST", target(device, EVENTS), Authorization=device.token(), Content_Length=length)
            answer = await http.answer()
            assert answer is None or answer.status in (400, 413), (length, answer)
            http.close()
        # Without a length, chunk after chunk.
        http = await Http.open(hub)
        http.head("POST", target(device, EVENTS), Authorization=device.token(), Transfer_Encoding="chunked")
        try:
            for _ in range(64):
                http.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                await http.writer.drain()
            http.send(b"0\r\n\r\n")
        except OSError:
            pass
        answer = await http.answer()
        assert answer is None or answer.status == 413, answer
        http.close()
        events = await asyncio.to_thread(eventhub.wait_for, hub, device.id, 1)
        assert [len(eventhub.body(event)) for event in events] == [LIMIT_BYTES]


# What follows the request line and the Authorization header -> statuses; None: closed without an answer.
FRAMINGS = {
    "a length that is no number": (b"Content-Length: ten\r\n\r\nx", {400}),
    "a negative length": (b"Content-Length: -1\r\n\r\nx", {400}),
    "two lengths": (b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", {400}),
    "a length and chunks": (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                            {400, 204}),
    "a chunk size that is none": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx", {400}),
    "an endless chunk size": (b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\nx", {400, 413}),
    "a chunk without its end": (b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", {400}),
    "an unknown transfer coding": (b"Transfer-Encoding: rot13\r\nContent-Length: 1\r\n\r\nx", {400, 501}),
    "a header without a colon": (b"nonsense\r\nContent-Length: 0\r\n\r\n", {400}),
    "a header's name with a blank": (b"a b: c\r\nContent-Length: 0\r\n\r\n", {400}),
    "a NUL in a header": (b"a: \0\r\nContent-Length: 0\r\n\r\n", {400}),
    "headers without end": (b"a: " + b"x" * 200_000, {400, 431}),
    "ten thousand headers": (b"a: b\r\n" * 10_000 + b"\r\n", {400, 431}),
    "a host twice": (b"Host: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n", {400, 204, 401}),
}


@pytest.mark.parametrize("label", FRAMINGS)
async def test_a_request_that_lies_about_its_form_is_refused(hub, device, label):
    rest, expected = FRAMINGS[label]
    async with bystander(hub):
        http = await Http.open(hub)
        http.send(f"POST {target(device, EVENTS)} HTTP/1.1\r\nHost: localhost\r\n".encode())
        http.send(f"Authorization: {device.token()}\r\n".encode() + rest)
        http.writer.write_eof() if http.writer.can_write_eof() else None
        answer = await http.answer()
        assert answer is None or answer.status in expected, answer
        http.close()


async def test_a_body_that_is_shorter_than_it_says_leaves_nothing(hub, device):
    async with bystander(hub):
        for sent, length in [(b"x" * 10, 20), (b"", 1), (b"x" * 50_000, 100_000)]:
            http = await Http.open(hub)
            http.head("POST", target(device, EVENTS), Authorization=device.token(), Content_Length=length)
            http.send(sent)
            await http.writer.drain()
            http.writer.transport.abort()
        http = await Http.open(hub)
        http.head("POST", target(device, EVENTS), Authorization=device.token(), Transfer_Encoding="chunked")
        http.send(b"5\r\nhello\r\n")
        await http.writer.drain()
        http.writer.transport.abort()
        # A body that is longer than it says: the rest is the next request, and that is none.
        http = await Http.open(hub)
        http.head("POST", target(device, EVENTS), Authorization=device.token(), Content_Length=2)
        http.send(b"ok, and more\r\n\r\n")
        assert (await http.answer()).status == 204
        answer = await http.answer()
        assert answer is None or answer.status == 400, answer
        http.close()
        events = await asyncio.to_thread(eventhub.wait_for, hub, device.id, 1)
        assert [eventhub.body(event) for event in events] == [b"ok"]


async def test_slow_uploads_hold_up_nobody(hub, device):
    slow = []
    async with bystander(hub):
        for number in range(100):
            http = await Http.open(hub)
            if number % 2:
                http.head("POST", target(device, EVENTS), Authorization=device.token(), Content_Length=1000)
            http.send(b"POS" if not number % 2 else b"x")
            slow.append(http)
        assert (await by_device(device, "POST", EVENTS, b"fast")).status == 204
        for http in slow[1::2]:
            http.send(b"y" * 999)
            assert (await http.answer()).status == 204, "slow, but complete"
    for http in slow:
        http.close()


async def test_requests_that_are_not_offered_are_refused(hub, device):
    async with bystander(hub):
        for method, rest, expected in [
            ("GET", EVENTS, {404, 405}), ("PUT", EVENTS, {404, 405}), ("DELETE", EVENTS, {404, 405}),
            ("PATCH", "twin", {401, 404, 405}), ("POST", "messages/devicebound", {401, 403, 404, 405}),
            ("GET", "messages/nothing", {404}), ("POST", "messages/events/extra", {404, 405}),
            ("GET", "files", {404, 405}), ("POST", "modules/none/messages/events", {401, 404}),
            ("POST", "../" + device.id + "/messages/events", {204, 400, 401, 404}),
        ]:
            answer = await by_device(device, method, rest, b"x")
            assert answer.status in expected, (method, rest, answer)
            # A device's token is for its own affairs, not for the registry's or the service's.
        for method, path in [("GET", f"/devices/{device.id}"), ("DELETE", f"/devices/{device.id}"), ("GET", "/devices"),
                             ("GET", f"/twins/{device.id}"), ("POST", f"/twins/{device.id}/methods"),
                             ("DELETE", f"/devices/{device.id}/commands")]:
            answer = await call(hub, method, f"{path}?{API}", b"{}", device.token())
            assert answer.status in (401, 403), (method, path, answer)


async def locked(device):
    """Receives a message over HTTPS; returns its lock token."""
    answer = await by_device(device, "GET", "messages/devicebound")
    assert answer.status == 200, answer
    tag = answer.headers["etag"]
    assert tag[0] == tag[-1] == '"', "quoted"
    return tag.strip('"')


async def test_a_lock_that_is_lost_foreign_or_none_settles_nothing(hub, device):
    other = hub.device(device.id + "-x")
    service = await Service.connect(hub)
    async with bystander(hub):
        await service.send(device.id, b"one")
        await service.send(other.id, b"other's")
        lock, foreign = await locked(device), await locked(other)
        for token in (foreign, str(uuid.uuid4()), str(uuid.UUID(int=0)), lock.upper() + "0", "nonsense", "%00", "..",
                      "%2e%2e%2f" + lock, "x" * 2000):
            for method, rest in (("DELETE", token), ("POST", f"{token}/abandon")):
                answer = await by_device(device, method, f"messages/devicebound/{rest}")
                # What is no lock token at all may be refused as no path.
                allowed = (412,) if token.count("-") == 4 and len(token) == 36 else (400, 404, 405, 412)
                assert answer.status in allowed, (method, rest, answer)
                if answer.status == 412:
                    assert answer.headers["iothub-errorcode"] == "DeviceMessageLockLost", answer
        # Nobody but the holder; and once.
        answer = await by_device(other, "DELETE", f"messages/devicebound/{lock}")
        assert answer.status == 412
        for expected in (204, 412):
            answer = await by_device(device, "DELETE", f"messages/devicebound/{lock}")
            assert answer.status == expected, answer
        assert (await by_device(other, "POST", f"messages/devicebound/{foreign}/abandon")).status == 204
        assert (await by_device(other, "DELETE", f"messages/devicebound/{foreign}")).status == 412, "abandoned: lost"
        again = await locked(other)
        assert again != foreign
        await request(hub, "DELETE", f"/devices/{other.id}/commands")
        assert (await by_device(other, "DELETE", f"messages/devicebound/{again}")).status == 412, "purged: lost"
        assert (await by_device(device, "GET", "messages/devicebound")).status == 204, "the queue is empty"
    await service.close()


async def test_a_lock_lost_is_told_over_amqp_too(hub, device):
    service = await Service.connect(hub)
    async with bystander(hub):
        await service.send(device.id, b"purged while locked")
        raw = await RawDevice.connect(device)
        link = await raw.c2d(rcv=1)
        delivery = await link.receive()
        await request(hub, "DELETE", f"/devices/{device.id}/commands")
        link.settle(delivery, settled=False)

        async def answered():
            while not raw.session.dispositions:
                await asyncio.sleep(0.005)

        await raw.connection.within(answered(), "the hub's disposition")
        number, settled, state = raw.session.dispositions[0]
        assert (number, settled, state.descriptor) == (delivery.number, True, REJECTED), state
        assert state.value[0].value[0] == "com.microsoft:message-lock-lost", state
        assert not link.detached.done()
        await raw.close()
    await service.close()


async def test_commands_that_are_wrong_are_rejected_one_by_one(hub, device):
    """What a service sends -> the condition of the rejection (service-protocols.md 3.4)."""
    argument = {"com.microsoft:argument-error", "amqp:not-allowed", "com.microsoft:argument-out-of-range"}
    rows = {
        "unknown device": ({"device_id": "nobody"}, {"amqp:not-found"}),
        "unknown module": ({"device_id": f"{device.id}/modules/none"}, {"amqp:not-found"}),
        "no address": ({"to": None}, argument | {"amqp:not-found"}),
        "address that is none": ({"to": "devices"}, argument | {"amqp:not-found"}),
        "address of events": ({"to": f"/devices/{device.id}/messages/events"}, argument | {"amqp:not-found"}),
        "an acknowledgement that is none": ({"app": {"iothub-ack": "maybe"}}, argument),
        "expired": ({"absolute_expiry_time": Timestamp(1)}, argument),
        "beyond two days": ({"absolute_expiry_time": Timestamp(4_102_444_800_000)}, argument),
        "over 64 KB": ({"body": b"x" * 65_537}, {"amqp:link:message-size-exceeded"}),
        "an id of 129 characters": ({"message_id": "m" * 129}, argument),
        "a property that is null": ({"app": {"k": None}}, argument),
        "a property beyond ASCII": ({"app": {"k": "ü"}}, argument),
        "a name beyond ASCII": ({"app": {"ü": "v"}}, argument),
        "a property that is a map": ({"app": {"k": {"a": UInt(1)}}}, argument),
    }
    async with bystander(hub):
        service = await Service.connect(hub)
        wrong = {}
        for label, (options, expected) in rows.items():
            options = {"device_id": device.id, "body": b"x", **options}
            state = await service.send(expect=None, **options)
            condition = state.value[0].value[0] if state.descriptor == REJECTED and state.value else None
            if condition not in expected:
                wrong[label] = state
        assert not wrong
        state = await service.sender.send(b"\xff" * 20)
        assert state.descriptor == REJECTED, state
        state = await service.sender.send(message(b"good", to=f"/devices/{device.id}/messages/devicebound"))
        assert state.descriptor == ACCEPTED
        answer = await request(hub, "GET", f"/devices/{device.id}")
        assert answer.json["cloudToDeviceMessageCount"] == 1
        await service.close()


async def test_method_calls_that_are_wrong_are_refused(hub, device):
    path = f"/twins/{device.id}/methods"
    right = {"methodName": "m", "payload": None, "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0}
    async with bystander(hub):
        for label, where, body, expected in [
            ("malformed", path, b'{"methodName": "m"', {400}), ("an array", path, b"[]", {400}),
            ("empty", path, b"", {400}),
            ("no name", path, {**right, "methodName": None}, {400}),
            ("a number as its name", path, {**right, "methodName": 1}, {400}),
            ("an empty name", path, {**right, "methodName": ""}, {400}),
            ("a name with a slash", path, {**right, "methodName": "a/b"}, {400}),
            ("a name with a blank", path, {**right, "methodName": "a b"}, {400}),
            ("a name without end", path, {**right, "methodName": "m" * 5000}, {400}),
            ("a response time of 4 s", path, {**right, "responseTimeoutInSeconds": 4}, {400}),
            ("a response time of 301 s", path, {**right, "responseTimeoutInSeconds": 301}, {400}),
            ("a connect time of 301 s", path, {**right, "connectTimeoutInSeconds": 301}, {400}),
            ("a time that is a text", path, {**right, "responseTimeoutInSeconds": "x"}, {400}),
            ("a payload over 128 KB", path, {**right, "payload": "x" * 131_072}, {413}),
            ("an unknown device", "/twins/nobody/methods", right, {404}),
            ("an unknown module", f"/twins/{device.id}/modules/none/methods", right, {404}),
            ("a device that is not there", path, right, {404}),
        ]:
            answer = await request(hub, "POST", where, body)
            assert answer.status in expected, (label, answer)
            assert "iothub-errorcode" in answer.headers, (label, answer)
        assert "404103" in (await invoke(hub, device.id, "m")).text
