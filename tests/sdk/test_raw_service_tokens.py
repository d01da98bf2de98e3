"""Tokens and logins of services: what each client sends, what is refused, and when they end (sections 1.3 and 3.3)."""

import time
import uuid

import eventhub
import sas
from raw_amqp import Amqp
from raw_codec import Int, Timestamp, ULong
from raw_device import Cbs
from raw_events import token
from raw_link import ACCEPTED
from raw_message import message
from raw_service import FEEDBACK, policy, service_token

PUT = {"operation": "put-token", "type": "servicebus.windows.net:sastoken"}


async def test_tokens_for_each_clients_audience_are_taken(hub):
    connection = await Amqp.connect(hub, None)
    session = await connection.begin()
    cbs = await Cbs.open(session)
    entity = eventhub.entity(hub)
    for audience in [
        "https://localhost", "localhost", "LOCALHOST", "amqps://localhost:5671/", f"sb://localhost/{entity}",
        f"sb://localhost/{entity}/consumergroups/$Default", f"sb://localhost/{entity}/$management",
        f"sb://localhost/{entity}/ConsumerGroups/$Default/Partitions/0", "localhost/messages/events",
        "amqps://localhost/messages/devicebound", "sb://localhost/messages/events",
    ]:
        for message_id in (ULong(0), uuid.uuid4(), "text"):
            assert await cbs.put(audience, service_token(hub), message_id=message_id) == 200, audience
        extra = {"expiration": Timestamp(int(time.time() + 600) * 1000)}
        assert await cbs.put(audience, token(hub), **extra) == 200, audience
    await connection.close()


async def test_the_reply_names_the_request_and_the_way(hub):
    """Types, `to`, order (E11 to E13), links with empty termini, several pairs in sessions of their own."""
    connection = await Amqp.connect(hub)
    first, second = await connection.begin(), await connection.begin()
    for session, fill in ((first, None), (second, "somewhere")):
        out = await session.sender("$cbs", filler=fill)
        back = await session.receiver("$cbs", filler=fill)
        for reply_to in ("cbs", "nowhere at all", None):
            settled = out.transfer(message(
                value=service_token(hub), app={**PUT, "name": "localhost"}, message_id=ULong(3), reply_to=reply_to))
            delivery = await back.receive()
            assert settled.done() and settled.result().descriptor == ACCEPTED, "settled before it is answered"
            got = delivery.message
            assert (got.to, got.correlation_id) == (reply_to, 3) and type(got.correlation_id) is ULong
            assert {key: type(value) for key, value in got.app.items()} == {
                "status-code": Int, "status-description": str}
    await connection.close()


async def test_bad_tokens_are_answered_and_open_nothing(hub):
    connection = await Amqp.connect(hub)
    session = await connection.begin()
    cbs = await Cbs.open(session)
    name, key = policy(hub)
    rows = [
        ("expired", service_token(hub, expiry=1), {401}),
        ("other key", sas.token("localhost", "A" * 43 + "=", name), {401}),
        ("other policy's name", sas.token("localhost", key, "iothubowner"), {401}),
        ("unknown policy", sas.token("localhost", key, "nobody"), {401}),
        ("other hub", sas.token("elsewhere.example", key, name), {401}),
        ("cut", service_token(hub)[:-60], {400, 401}),
        ("empty", "", {400, 401}),
    ]
    for label, made, expected in rows:
        status, text = await cbs.ask(value=made, app={**PUT, "name": "localhost"})
        assert status in expected and text, (label, status, text)
    for kind, value, expected in [("jwt", "a.b.c", {400, 401}), ("Bearer", "a.b.c", {400, 401}), (None, "x", {400, 401})]:
        app = {"operation": "put-token", "name": "localhost", **({"type": kind} if kind else {})}
        assert (await cbs.ask(value=value, app=app))[0] in expected
    for role, address in [("sender", "/messages/devicebound"), ("receiver", FEEDBACK),
                          ("receiver", f"{eventhub.entity(hub)}/ConsumerGroups/$Default/Partitions/0")]:
        closed, error = await getattr(session, role)(address, refused=True)
        assert closed and error[0] == "amqp:unauthorized-access", (address, error)
    # A token for another part of the hub is good, but for that part alone.
    assert await cbs.put("localhost", service_token(hub, "localhost/messages/events")) == 200
    closed, error = await session.sender("/messages/devicebound", name="scoped", refused=True)
    assert closed and error[0] == "amqp:unauthorized-access"
    assert await cbs.put("localhost", service_token(hub)) == 200
    await session.sender("/messages/devicebound", name="at last")
    await connection.close()


async def test_a_login_that_is_wrong_is_told(hub):
    name, key = policy(hub)
    good = service_token(hub)
    for user, password in [
        (f"{name}@sas.root.localhost", service_token(hub, expiry=1)), (f"{name}@sas.root.localhost", "nonsense"),
        (f"{name}@sas.root.localhost", key), ("iothubowner@sas.root.localhost", good),
        ("nobody@sas.root.localhost", good), (name, good), ("", good),
    ]:
        connection = await Amqp.dial(hub)
        assert await connection.authenticate("PLAIN", f"\0{user}\0{password}".encode()) in (1, None), user
        assert await connection.within(connection.reader.read(), "the end") == b""


async def test_a_service_s_token_that_ends_takes_all_its_links(hub, device):
    connection = await Amqp.connect(hub)
    session = await connection.begin()
    cbs = await Cbs.open(session)
    soon = int(time.time()) + 4
    assert await cbs.put("localhost", service_token(hub, expiry=soon)) == 200
    links = [await session.sender("/messages/devicebound"), await session.receiver(FEEDBACK),
             await session.receiver("$management"),
             await session.receiver(f"{eventhub.entity(hub)}/ConsumerGroups/$Default/Partitions/0")]
    for link in links:
        assert (await link.until_detached())[0] == "amqp:unauthorized-access", link.name
    assert time.time() >= soon - 1 and not connection.closed.is_set()
    assert await cbs.put("localhost", service_token(hub)) == 200
    sender = await session.sender("/messages/devicebound", name="again")
    state = await sender.send(message(b"x", to=f"/devices/{device.id}/messages/devicebound"))
    assert state.descriptor == ACCEPTED
    await connection.close()
