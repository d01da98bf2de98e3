"""Who may read events, and for how long: policies, scopes, tokens that end, what is deleted (sections 1 and 4)."""

import time

import pytest

import eventhub
import sas
from raw_amqp import Amqp
from raw_events import Consumer, key_of, number, token
from routing import log_named, put, route


@pytest.fixture(scope="module")
def partition(hub):
    """A partition that begins with an event."""
    device = hub.device("raw-access")
    eventhub.send(device, 1)
    return eventhub.wait_for(hub, device.id, 1)[0]["partition"]


async def test_rights_are_by_token(hub, partition):
    connection = sas.parse(hub.settings["IRONHUB_POLICY_SERVICE_CONNECTION_STRING"])
    policies = {name: sas.parse(hub.settings[f"IRONHUB_POLICY_{name.upper()}_CONNECTION_STRING"])
                for name in ("service", "device", "registryread", "registryreadwrite")
                if f"IRONHUB_POLICY_{name.upper()}_CONNECTION_STRING" in hub.settings}
    assert connection and len(policies) >= 2, list(hub.settings)
    entity = eventhub.entity(hub)
    for name, parts in policies.items():
        made = sas.token(f"sb://localhost/{entity}", parts["SharedAccessKey"], parts["SharedAccessKeyName"],
                         raw_key=True)
        consumer = await Consumer.connect(hub, put=made)
        if name == "service":
            assert number(await (await consumer.receiver(partition)).receive()) == 0
        else:
            closed, error = await consumer.receiver(partition, refused=True)
            assert closed and error[0] == "amqp:unauthorized-access", (name, error)
            for role in ("sender", "receiver"):
                # A question to $management may bring its own token, so there it is the question that is refused.
                for address in ("/messages/devicebound", "/messages/serviceBound/feedback"):
                    closed, error = await getattr(consumer.session, role)(
                        address, name=f"{role}{address}", refused=True)
                    assert closed and error[0] == "amqp:unauthorized-access", (name, role, address, error)
            got = await consumer.ask(operation="READ", type="com.microsoft:eventhub", name=entity, security_token=made)
            assert int(got.app["status-code"]) == 401, (name, got.app)
        await consumer.close()
    # A token for one partition opens that one; one for another entity opens none.
    for scope, allowed in [(f"sb://localhost/{entity}/ConsumerGroups/$Default/Partitions/{partition}", True),
                           ("localhost/messages/events", True), ("localhost", True),
                           (f"sb://localhost/{entity}/ConsumerGroups/other", False),
                           ("sb://localhost/other", False), ("localhost/devices", False)]:
        consumer = await Consumer.connect(hub, put=token(hub, scope))
        if allowed:
            assert number(await (await consumer.receiver(partition)).receive()) == 0, scope
        else:
            closed, error = await consumer.receiver(partition, refused=True)
            assert closed and error[0] == "amqp:unauthorized-access", (scope, error)
        await consumer.close()


async def test_a_token_that_ends_takes_its_links_and_renewal_keeps_them(hub, partition):
    entity = eventhub.entity(hub)
    ending, renewed = await Consumer.connect(hub, put=False), await Consumer.connect(hub, put=False)
    soon = int(time.time()) + 4
    for consumer in (ending, renewed):
        assert await consumer.cbs.put(f"sb://localhost/{entity}", token(hub, expiry=soon)) == 200
    link, kept = await ending.receiver(partition), await renewed.receiver(partition)
    feedback = await ending.session.receiver("/messages/serviceBound/feedback", refused=True)
    assert feedback[1][0] == "amqp:unauthorized-access", "the token is for the event hub alone"
    assert await renewed.cbs.put(f"sb://localhost/{entity}", token(hub)) == 200
    condition, _ = await link.until_detached()
    assert condition == "amqp:unauthorized-access" and time.time() >= soon - 1
    assert not ending.connection.closed.is_set()
    assert await ending.cbs.put(f"sb://localhost/{entity}", token(hub)) == 200
    assert number(await (await ending.receiver(partition)).receive()) == 0
    assert not kept.detached.done() and number(await kept.receive()) == 0
    for consumer in (ending, renewed):
        await consumer.close()


async def test_a_login_ends_with_its_token(hub, partition):
    policy, key = key_of(hub)
    soon = int(time.time()) + 4
    login = f"\0{policy}@sas.root.localhost\0{sas.token('localhost', key, policy, expiry=soon)}".encode()
    connection = await Amqp.connect(hub, "PLAIN", login)
    await connection.begin()
    error = await connection.until_closed()
    assert error[0] == "amqp:unauthorized-access" and time.time() >= soon - 1


@pytest.mark.parametrize("what", ["group", "log"])
async def test_what_is_deleted_lets_its_readers_know(hub, what):
    entity, group = None, "$Default"
    if what == "log":
        entity = "fleeting"
        put(hub, {**log_named(entity), "routes": [route("r", "DeviceMessages", entity, "events")]})
    else:
        group = "fleeting"
        answer = hub.registry.request("PUT", f"/consumerGroups/{group}")
        assert answer.status in (200, 201), answer
    consumer = await Consumer.connect(hub, put=token(hub, "localhost"))
    bystander = await consumer.receiver("0")
    creditless = await consumer.receiver("0", group=group, entity=entity, credit=0)
    waiting = await consumer.receiver("1", group=group, entity=entity, epoch=1)
    if what == "log":
        put(hub, {})
    else:
        assert hub.registry.request("DELETE", f"/consumerGroups/{group}").status in (200, 204)
    for link in (creditless, waiting):
        condition, text = await link.until_detached()
        assert condition == "amqp:not-found" and text, text
    closed, error = await consumer.receiver("0", group=group, entity=entity, refused=True)
    assert closed and error[0] == "amqp:not-found"
    assert not bystander.detached.done()
    await consumer.close()
