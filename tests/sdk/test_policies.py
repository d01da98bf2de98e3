"""Shared access policies and consumer groups: over HTTPS, by the paths of the management plane, and from the command line."""

import json
import os
import subprocess
import time

from azure.eventhub.exceptions import EventHubError

import eventhub
import sas
from eventhub import receiving
from registry import Registry
from test_registry import error
from waiting import until

ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/localhost"


def cli(hub, *arguments, check=True):
    """Runs the command line beside the hub; its standard output."""
    ended = subprocess.run(
        [os.environ["IRONHUB_BIN"], *arguments, "--data-dir", hub.data], capture_output=True, text=True, timeout=60,
        check=False,
    )
    assert not check or ended.returncode == 0, ended.stderr
    return ended.stdout if check else ended


def put(hub, name, **body):
    return hub.registry.request("PUT", f"/policies/{name}", body)


def test_a_new_hub_has_the_five_policies(hub):
    found = hub.registry.request("GET", "/policies")
    assert found.status == 200
    rights = {policy["keyName"]: policy["rights"] for policy in found.json["value"]}
    assert rights.items() >= {
        "iothubowner": "RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect",
        "service": "ServiceConnect",
        "device": "DeviceConnect",
        "registryRead": "RegistryRead",
        "registryReadWrite": "RegistryRead, RegistryWrite",
    }.items()
    listed = hub.registry.request("POST", f"{ARM}/listkeys")
    assert listed.json == found.json
    one = hub.registry.request("POST", f"{ARM}/IotHubKeys/service/listkeys")
    assert one.json == hub.registry.request("GET", "/policies/service").json


def test_a_policy_allows_what_it_says_until_it_is_gone(hub):
    made = put(hub, "reader", rights="RegistryRead")
    assert made.status == 201 and made.json["rights"] == "RegistryRead", made
    reader = Registry(hub.ca, "reader", made.json["primaryKey"])
    assert reader.request("GET", "/devices").status == 200
    error(reader.request("PUT", "/devices/by-reader", {}), 401, "IotHubUnauthorizedAccess")
    error(reader.request("GET", "/policies"), 401, "IotHubUnauthorizedAccess")
    changed = put(hub, "reader", rights="RegistryRead, RegistryWrite")
    assert changed.status == 200 and changed.json["primaryKey"] == made.json["primaryKey"]
    assert reader.request("PUT", "/devices/by-reader", {}).status == 200
    assert hub.registry.request("DELETE", "/policies/reader").status == 204
    assert reader.request("GET", "/devices").status == 401
    error(hub.registry.request("DELETE", "/policies/reader"), 404, "GenericNotFound")
    error(hub.registry.request("GET", "/policies/reader"), 404, "GenericNotFound")


def test_a_regenerated_key_counts_and_the_old_one_does_not(hub):
    old = put(hub, "rolled", rights="RegistryRead").json
    new = hub.registry.request("POST", "/policies/rolled/regenerate", {"key": "primary"}).json
    assert new["primaryKey"] != old["primaryKey"] and new["secondaryKey"] == old["secondaryKey"]
    for key, status in [(old["primaryKey"], 401), (new["primaryKey"], 200), (old["secondaryKey"], 200)]:
        assert Registry(hub.ca, "rolled", key).request("GET", "/devices").status == status


def test_what_is_no_policy_is_refused(hub):
    for name, body in [
        ("bad", {}), ("bad", {"rights": ""}), ("bad", {"rights": "Everything"}), ("b%20d", {"rights": "RegistryRead"}),
        ("bad", {"rights": "RegistryRead", "primaryKey": "short"}), ("bad", {"rights": "RegistryRead", "keyName": "x"}),
        ("iothubowner", {"rights": "RegistryRead"}),
    ]:
        error(put(hub, name, **body), 400, "ArgumentInvalid")
    error(hub.registry.request("DELETE", "/policies/iothubowner"), 400, "ArgumentInvalid")
    error(hub.registry.request("POST", "/policies/service/regenerate", {"key": "both"}), 400, "ArgumentInvalid")
    error(hub.registry.request("POST", "/policies/nobody/regenerate", {"key": "primary"}), 404, "GenericNotFound")


def test_consumer_groups_are_made_and_deleted_while_the_hub_runs(hub):
    group = f"{ARM}/eventHubEndpoints/events/ConsumerGroups"
    names = lambda path: [one["name"] for one in hub.registry.request("GET", path).json["value"]]  # noqa: E731
    assert names("/consumerGroups") == ["$Default"]
    made = hub.registry.request("PUT", f"{group}/audit")
    assert made.status == 200 and made.json["name"] == "audit" and made.json["id"] == f"{group}/audit", made
    assert hub.registry.request("PUT", "/consumerGroups/AUDIT").json["name"] == "audit"
    assert names(group) == names("/consumerGroups") == ["$Default", "audit"]
    assert hub.registry.request("GET", "/consumerGroups/audit").json["properties"]["created"] > "2020"
    assert hub.registry.request("DELETE", f"{group}/audit").status == 204
    for method in ("GET", "DELETE"):
        error(hub.registry.request(method, f"{group}/audit"), 404, "GenericNotFound")
    error(hub.registry.request("DELETE", "/consumerGroups/$Default"), 400, "ArgumentInvalid")
    for name in ("a%20b", "-x", "x" * 51):
        error(hub.registry.request("PUT", f"/consumerGroups/{name}"), 400, "ArgumentInvalid")


def test_receivers_of_a_deleted_group_are_cut_off_and_others_stay(hub):
    cli(hub, "consumer-group", "create", "short-lived")
    assert "short-lived\t" in cli(hub, "consumer-group", "list")
    eventhub.send(hub.device("groups"), 2)
    (partition,) = (name for name, last in eventhub.last_numbers(hub).items() if last >= 0)
    with receiving(hub, partition) as stays, receiving(hub, partition, {"group": "short-lived"}) as goes:
        stays.got(2)
        goes.got(2)
        cli(hub, "consumer-group", "delete", "short-lived")
        until(lambda: goes.errors, "the receiver of the deleted group hears of it")
        assert not stays.errors
    with receiving(hub, partition, {"group": "short-lived"}) as refused:
        until(lambda: refused.errors, "a group that is gone cannot be read")
        assert isinstance(refused.errors[0], EventHubError)


def test_the_command_line_manages_policies(hub):
    string = cli(hub, "policy", "create", "backend", "--rights", "RegistryRead,ServiceConnect").strip()
    assert cli(hub, "policy", "show", "backend").strip() == string
    assert "backend\tRegistryRead, ServiceConnect\n" in cli(hub, "policy", "list")
    parts = sas.parse(string)
    backend = Registry(hub.ca, parts["SharedAccessKeyName"], parts["SharedAccessKey"])
    assert backend.request("GET", "/devices").status == 200
    token = cli(hub, "policy", "sas", "backend", "--seconds", "60", "--path", "devices/only").strip()
    assert backend.request("GET", "/devices/only", authorization=token).status == 404
    assert backend.request("GET", "/devices/other", authorization=token).status == 401
    # The owner's own new key is in the hub's files at once, for the next command.
    new = json.loads(cli(hub, "policy", "regenerate", "iothubowner", "--key", "primary", "--json"))
    until(lambda: new["primaryKey"] in hub.service, "hub.env has the new key")
    cli(hub, "policy", "delete", "backend")
    cli(hub, "policy", "delete", "backend")
    assert backend.request("GET", "/devices").status == 401
    hub.kill()
    hub.start()
    assert new["primaryKey"] in hub.service
    assert "backend" not in cli(hub, "policy", "list")


def test_the_command_line_makes_tokens_for_devices_and_modules(hub):
    device = hub.device("sas-1")
    hub.device("other")
    hub.registry.create_module("sas-1", "m")
    send = "/devices/{}/messages/events"

    def status(token, path):
        return hub.registry.request("POST", path, "{}", authorization=token).status

    def signed(*arguments):
        return cli(hub, "device", "sas", *arguments).strip()

    for token in (signed("sas-1", "--ttl", "5m"), signed("sas-1", "--secondary"), signed("sas-1", "--policy", "device")):
        assert (status(token, send.format("sas-1")), status(token, send.format("other"))) == (204, 401), token
    expires = int(signed("sas-1", "--ttl", "2d").partition("&se=")[2].partition("&")[0])
    assert abs(expires - time.time() - 2 * 24 * 3600) < 3600
    token = signed("sas-1", "--module", "m")
    assert status(token, send.format("sas-1/modules/m")) == 204
    assert status(token, send.format("sas-1")) == 401
    hub.registry.update(hub.registry.get(device.id).json, authentication={"type": "certificateAuthority"})
    for arguments, why in ((("sas-1",), "--policy"), (("nobody",), "404"), (("sas-1", "--policy", "nobody"), "404")):
        refused = cli(hub, "device", "sas", *arguments, check=False)
        assert refused.returncode == 1 and why in refused.stderr, (arguments, refused)
