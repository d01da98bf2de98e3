"""The bad-input table, AMQP: CBS, links, transfers, settlements and frames out of state."""

import asyncio
import struct

import pytest

import eventhub
import sas
from raw_amqp import AMQP, ATTACH, BEGIN, CLOSE, DETACH, DISPOSITION, END, FLOW, OPEN, SASL, TRANSFER, Amqp
from raw_bystander import bystander
from raw_codec import Described, Symbol, UInt, ULong, decode, encode, frame, performative
from raw_device import Cbs, RawDevice
from raw_link import ACCEPTED, REJECTED, outcome
from raw_message import BATCH, message

TOKEN = {"operation": "put-token", "type": "servicebus.windows.net:sastoken"}


async def test_a_bad_token_request_is_answered_and_the_connection_stays(hub, device):
    other = hub.device(device.id + "-x")
    name, token = f"localhost/devices/{device.id}", device.token()
    off = hub.registry.create(device.id + "-off", status="disabled")
    off_token = sas.token(f"localhost/devices/{off['deviceId']}", off["authentication"]["symmetricKey"]["primaryKey"])
    rows = [
        # label, application properties, value of the body, expected
        ("wrong key", {**TOKEN, "name": name}, device.token(key=other.primary), {401}),
        ("expired", {**TOKEN, "name": name}, device.token(expiry=1), {401}),
        ("another device's token", {**TOKEN, "name": name}, other.token(), {401}),
        ("another hub", {**TOKEN, "name": "elsewhere.example"}, sas.token("elsewhere.example", device.primary),
         {401, 404}),
        ("unknown device", {**TOKEN, "name": "localhost/devices/nobody"},
         sas.token("localhost/devices/nobody", device.primary), {401, 404}),
        ("disabled device", {**TOKEN, "name": f"localhost/devices/{off['deviceId']}"}, off_token, {401}),
        ("no token", {**TOKEN, "name": name}, "", {400, 401}),
        ("not a token", {**TOKEN, "name": name}, "password", {400, 401}),
        ("bad encodings", {**TOKEN, "name": name}, "SharedAccessSignature sr=%zz&sig=%%%&se=x", {400, 401}),
        ("a number", {**TOKEN, "name": name}, ULong(1), {400, 401}),
        ("no name", TOKEN, token, {400}),
        ("no operation", {"type": TOKEN["type"], "name": name}, token, {400}),
        ("unknown operation", {**TOKEN, "operation": "steal-token", "name": name}, token, {400}),
        ("unknown type", {**TOKEN, "type": "jwt", "name": name}, token, {400, 401}),
        ("name that is no text", {**TOKEN, "name": ULong(1)}, token, {400}),
        ("no properties", None, token, {400}),
    ]
    async with bystander(hub):
        connection = await Amqp.connect(hub)
        cbs = await Cbs.open(await connection.begin())
        for label, app, value, expected in rows:
            status, _ = await cbs.ask(value=value, app=app)
            assert status in expected, (label, status)
        # Nothing of all that is an identity; and the connection serves the right token as before.
        raw = RawDevice(await connection.begin(), device.id)
        _, error = await raw.session.sender(raw.telemetry_address, refused=True)
        assert error[0] == "amqp:unauthorized-access"
        assert await cbs.put(name, token) == 200
        # A token that became bad does not harm what stands.
        link = await raw.telemetry(name="stands")
        assert await cbs.put(name, device.token(key=other.primary)) == 401
        assert (await link.send(message(b"x"))).descriptor == ACCEPTED
        await connection.close()


def addresses(device, other):
    """(role, address) -> conditions (3.5, 3.12)."""
    d, unauthorized = f"/devices/{device.id}", {"amqp:unauthorized-access"}
    # Nobody knows of what is not there whether it may be used: both answers are right.
    missing = {"amqp:not-found", "amqp:unauthorized-access"}
    wrong_way = {"amqp:not-allowed", "amqp:not-found", "amqp:unauthorized-access"}
    return [
        ("sender", f"/devices/{other.id}/messages/events", unauthorized),
        ("receiver", f"/devices/{other.id}/messages/devicebound", unauthorized),
        ("sender", f"/devices/{other.id}/twin", unauthorized),
        ("receiver", f"/devices/{other.id}/twin", unauthorized),
        ("sender", f"/devices/{other.id}/methods/devicebound", unauthorized),
        ("sender", f"/devices/{device.id}x/messages/events", unauthorized | missing),
        ("sender", f"/devices/{device.id.upper()}/messages/events", unauthorized | missing),
        ("sender", f"{d}/modules/none/messages/events", missing),
        ("receiver", f"{d}/modules/none/messages/devicebound", missing),
        ("sender", "/devices/nobody/messages/events", missing),
        ("sender", f"{d}/messages/nothing", missing),
        ("sender", f"{d}/twin/more", missing),
        ("sender", f"{d}//messages/events", missing),
        ("sender", f"{d}/../{other.id}/messages/events", missing),
        ("sender", f"{d}%2F..%2F{other.id}/messages/events", missing),
        ("sender", "/devices", missing), ("sender", "/", missing), ("sender", "", missing), ("receiver", "", missing),
        ("sender", "/devices//messages/events", missing), ("sender", "x" * 10_000, missing),
        ("sender", f"{d}/messages/devicebound", wrong_way),
        ("receiver", f"{d}/messages/events", wrong_way),
        ("sender", "/messages/devicebound", wrong_way),
        ("receiver", "/messages/serviceBound/feedback", wrong_way),
        ("receiver", "/messages/serviceBound/filenotifications", wrong_way),
        ("receiver", "messages/events/ConsumerGroups/$Default/Partitions/0", wrong_way),
    ]


async def test_a_link_to_a_wrong_address_is_refused_alone(hub, device):
    other = hub.device(device.id + "-x")
    async with bystander(hub):
        raw = await RawDevice.connect(device)
        stays = await raw.telemetry()
        wrong = {}
        for number, (role, address, expected) in enumerate(addresses(device, other)):
            closed, error = await getattr(raw.session, role)(address, name=f"wrong{number}", refused=True)
            if not closed or error is None or error[0] not in expected:
                wrong[f"{role} {address[:60]}"] = error
        assert not wrong
        assert (await stays.send(message(b"x"))).descriptor == ACCEPTED
        await raw.close()


TRANSFERS = {
    "garbage": (b"\xff" * 40, {}),
    "cut short": (message(b"x" * 100, app={"k": "v"})[:-50], {}),
    "nothing": (b"", {}),
    "no body": (encode(Described(0x74, {"k": "v"})), {}),
    "an unknown section": (encode(Described(0x7F, "x")) + message(b"x"), {}),
    "sections in the wrong order": (message(b"x") + encode(Described(0x74, {"k": "v"})), {}),
    "a property that is a map": (encode(Described(0x74, {"k": {"a": "b"}})) + message(b"x"), {}),
    "a property's name that is a number": (encode(Described(0x74, {UInt(1): "v"})) + message(b"x"), {}),
    "a batch of garbage": (message([b"\xff\xff"]), {"message_format": BATCH}),
    "a batch of nothing": (message([]), {"message_format": BATCH}),
    "a batch in a batch": (message([message([message(b"x")])[:-1]]), {"message_format": BATCH}),
    "a count that lies": (b"\x00\x53\x74\xd1\x00\x00\x00\x04\xff\xff\xff\xff", {}),
    "lists in lists": (b"\x00\x53\x77" + b"\xc0\xff\x01" * 2000, {}),
}


async def test_a_message_that_is_none_is_rejected_and_nothing_of_it_stored(hub, device):
    async with bystander(hub):
        raw = await RawDevice.connect(device)
        link = await raw.telemetry()
        wrong = {}
        for label, (data, options) in TRANSFERS.items():
            state = await link.send(data, **options)
            # What is odd but can be read may be stored; what cannot must be rejected with a reason.
            odd = label in ("nothing", "no body", "an unknown section", "sections in the wrong order",
                            "a property that is a map", "a property's name that is a number", "a batch in a batch")
            if state.descriptor == ACCEPTED and odd:
                continue
            if state.descriptor != REJECTED or not state.value or state.value[0] is None:
                wrong[label] = state
        assert not wrong
        assert (await link.send(message(b"good"))).descriptor == ACCEPTED
        await raw.close()
        assert eventhub.body(eventhub.wait_for(hub, device.id, 1)[-1]) == b"good"


async def test_transfers_beyond_credit_end_the_link_or_wait_their_turn(hub, device):
    async with bystander(hub):
        raw = await RawDevice.connect(device)
        link = await raw.telemetry()
        await link.until_credit()
        # Far more than any credit in one write: no flow comes in between. How much of it is beyond the credit as the
        # hub sees it is a matter of its speed; it must not take what it did not allow, nor fall over what it did.
        first = raw.session.next_delivery
        raw.connection.send(b"".join(
            frame(raw.session.channel, performative(TRANSFER, link.handle, UInt(number), b"%d" % number, UInt(0), True)
                  + message(b"x")) for number in range(first, first + 20_000)))
        raw.session.next_delivery += 20_000
        last = link.transfer(message(b"last"))
        ends = [asyncio.ensure_future(asyncio.shield(one)) for one in (link.detached, raw.session.ended, last)]
        done, _ = await asyncio.wait(ends, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert done, "nothing happens"
        if ends[2] in done and not ends[2].exception():
            assert ends[2].result().descriptor == ACCEPTED
            assert len(await asyncio.to_thread(eventhub.wait_for, hub, device.id, 20_001)) == 20_001
        else:
            error = raw.connection.error or (done.pop().result()[1] if ends[0] in done else done.pop().result())
            assert error[0] in ("amqp:link:transfer-limit-exceeded", "amqp:session:window-violation"), error
        raw.connection.abort()


async def test_settlements_of_nothing_are_ignored(hub, device):
    async with bystander(hub):
        raw = await RawDevice.connect(device)
        link = await raw.c2d()
        for first, last in [(0, None), (7, 900), (5, 2), (2**32 - 1, 3)]:
            raw.session.perform(DISPOSITION, True, UInt(first), None if last is None else UInt(last), True,
                                outcome(ACCEPTED))
        raw.session.perform(DISPOSITION, False, UInt(0), UInt(2**31), True, outcome(ACCEPTED))
        raw.session.perform(DISPOSITION, True, UInt(0), None, False, Described(0x29, []))
        telemetry = await raw.telemetry()
        assert (await telemetry.send(message(b"x"))).descriptor == ACCEPTED
        assert not link.detached.done()
        await raw.close()


def open_frame():
    return frame(0, performative(OPEN, "bad", "localhost"))


BEGIN_FRAME = frame(0, performative(BEGIN, None, UInt(0), UInt(100), UInt(100)))
CBS_ATTACH = performative(ATTACH, "l", UInt(0), False, None, None, Described(0x28, []), Described(0x29, ["$cbs"]),
                          None, None, UInt(0))
OPENED = AMQP + open_frame()
BEGUN = OPENED + BEGIN_FRAME
ATTACHED = BEGUN + frame(0, CBS_ATTACH)
# Each ends the connection or the session; a session's end is followed by a close of ours.
FRAMES = {
    "a transfer before open": AMQP + frame(0, performative(TRANSFER, UInt(0), UInt(0), b"t")),
    "a begin before open": AMQP + BEGIN_FRAME,
    "open twice": OPENED + open_frame(),
    "open without a container": AMQP + frame(0, performative(OPEN)),
    "open with a number as its container": AMQP + frame(0, performative(OPEN, UInt(1))),
    # A hub may be lenient with these two, so the client closes by itself.
    "open on another channel": AMQP + frame(9, performative(OPEN, "bad", "localhost")) + frame(0, performative(CLOSE)),
    "a maximum frame size below 512": AMQP + frame(0, performative(OPEN, "bad", "localhost", UInt(100)))
    + frame(0, performative(CLOSE)),
    "begin twice": BEGUN + BEGIN_FRAME,
    "an attach on a channel without a session": OPENED + frame(5, CBS_ATTACH),
    "an end on a channel without a session": OPENED + frame(5, performative(END)),
    "a channel beyond channel-max": OPENED + frame(65535, performative(BEGIN, None, UInt(0), UInt(1), UInt(1))),
    "a handle that is in use": ATTACHED + frame(0, CBS_ATTACH),
    "a transfer on an unknown handle": BEGUN + frame(0, performative(TRANSFER, UInt(3), UInt(0), b"t") + message(b"x")),
    "a flow on an unknown handle": BEGUN + frame(0, performative(
        FLOW, UInt(0), UInt(1), UInt(0), UInt(1), UInt(3), UInt(0), UInt(1))),
    "a detach of an unknown handle": BEGUN + frame(0, performative(DETACH, UInt(3), True)),
    "a transfer without a delivery id": ATTACHED + frame(0, performative(TRANSFER, UInt(0)) + message(b"x")),
    "a continuation of another delivery": ATTACHED + frame(0, performative(
        TRANSFER, UInt(0), UInt(0), b"t", UInt(0), False, True) + b"x") + frame(0, performative(
            TRANSFER, UInt(0), UInt(9), b"u", UInt(0), False, False) + b"x"),
    "a delivery tag of 33 bytes": ATTACHED + frame(
        0, performative(TRANSFER, UInt(0), UInt(0), b"t" * 33) + message(b"x")),
    "an unknown performative": OPENED + frame(0, performative(0x3F)),
    "a performative that is no list": OPENED + frame(0, b"\x00\x53\x11\x41"),
    "a symbol as its descriptor": OPENED + frame(0, b"\x00" + encode(Symbol("nobody:begin:list")) + b"\x45"),
    "a body that is no performative": OPENED + frame(0, encode("hello")),
    "a SASL frame": OPENED + frame(0, performative(0x41, Symbol("PLAIN"), b""), kind=1),
    "an unknown kind of frame": OPENED + frame(0, b"\x40", kind=9),
    "a size below eight": OPENED + struct.pack(">IBBH", 7, 2, 0, 0),
    "a data offset below two": OPENED + struct.pack(">IBBH", 8, 1, 0, 0),
    "a data offset beyond the frame": OPENED + struct.pack(">IBBH", 8, 200, 0, 0),
    "a frame of two gigabytes": OPENED + struct.pack(">IBBH", 2**31, 2, 0, 0) + b"x" * 1000,
    "a frame above the maximum": OPENED + frame(0, performative(CLOSE) + b"x" * 70_000),
    "a list that lies about its length": OPENED + frame(0, b"\x00\x53\x11\xd0\xff\xff\xff\xff\x00\x00\x00\x01"),
    "a list that lies about its count": OPENED + frame(0, b"\x00\x53\x11\xd0\x00\x00\x00\x04\xff\xff\xff\xff"),
    "an array of four billion nulls": OPENED + frame(
        0, b"\x00\x53\x11\xc0\x0b\x01\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40"),
    "descriptions of descriptions": OPENED + frame(0, b"\x00" * 5000),
    "garbage": OPENED + bytes(range(256)) * 4,
    "the header again": OPENED + AMQP,
}


LENIENT = ("open on another channel", "a maximum frame size below 512")


@pytest.mark.parametrize("websocket", [False, True], ids=["amqp", "amqp-ws"])
@pytest.mark.parametrize("label", FRAMES)
async def test_a_frame_out_of_state_ends_its_own_connection_only(hub, label, websocket):
    async with bystander(hub):
        connection = await Amqp.dial(hub, websocket)
        connection.send(FRAMES[label])
        closing = label in LENIENT
        try:
            assert await connection.within(connection.reader.readexactly(8), "a header") in (AMQP, SASL)
            while True:
                _, _, value, _ = await connection.within(connection.read_frame(), "an end")
                if value is None or value.descriptor not in (DETACH, END, CLOSE) or closing:
                    continue
                assert value.value[-1], f"no reason is given: {value}"
                closing = True
                connection.send(frame(0, performative(CLOSE)))
        except (asyncio.IncompleteReadError, OSError):
            pass


SASLS = {
    "an unknown mechanism": SASL + frame(0, performative(0x41, Symbol("GUESS"), b""), kind=1),
    "no mechanism": SASL + frame(0, performative(0x41), kind=1),
    "an outcome by the client": SASL + frame(0, performative(0x44, b"\x00"), kind=1),
    "an AMQP frame": SASL + open_frame(),
    "a frame over 512 bytes": SASL + frame(0, performative(0x41, Symbol("PLAIN"), b"x" * 200_000), kind=1),
    "PLAIN without zeros": SASL + frame(0, performative(0x41, Symbol("PLAIN"), b"nobody"), kind=1),
    "PLAIN with nothing": SASL + frame(0, performative(0x41, Symbol("PLAIN"), None), kind=1),
    "garbage": SASL + b"\xff" * 100,
}


@pytest.mark.parametrize("label", SASLS)
async def test_sasl_that_fails_is_closed(hub, label):
    async with bystander(hub):
        connection = await Amqp.dial(hub)
        connection.send(SASLS[label])
        answer = await connection.within(connection.reader.read(), "the end")
        # No outcome at all, or the code of a failure (OASIS AMQP 1.0 5.3.3.4).
        outcome_at = answer.find(b"\x00\x53\x44")
        if outcome_at >= 0:
            assert decode(answer, outcome_at)[0].value[0] in (1, 2, 3, 4), answer
