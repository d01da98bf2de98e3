"""The device registry: over HTTPS as the service SDKs call it, and through the command line."""

import base64
import json
import os
import subprocess
import time

import sas


def error(answer, status, name):
    """An error answer names its code in the header and in the body alike."""
    assert answer.status == status, answer
    assert answer.headers["iothub-errorcode"] == name, answer
    assert answer.headers["Content-Type"].startswith("application/json"), answer
    assert answer.json["Message"].startswith(f"ErrorCode:{name};"), answer


def test_a_created_device_has_keys_and_can_be_read(hub):
    created = hub.registry.create("reg-1")
    keys = created["authentication"]["symmetricKey"]
    assert len(base64.b64decode(keys["primaryKey"])) >= 32
    assert keys["primaryKey"] != keys["secondaryKey"]
    assert created["status"] == "enabled"
    assert created["connectionState"] == "Disconnected"
    assert created["authentication"]["type"] == "sas"
    answer = hub.registry.get("reg-1")
    assert answer.status == 200
    assert answer.json == created
    assert answer.headers["ETag"].strip('"') == created["etag"]


def test_keys_of_ones_own_are_kept_and_empty_ones_are_made(hub):
    keys = {"primaryKey": base64.b64encode(b"p" * 32).decode(), "secondaryKey": base64.b64encode(b"s" * 32).decode()}
    created = hub.registry.create("reg-keys", authentication={"type": "sas", "symmetricKey": keys})
    assert created["authentication"]["symmetricKey"] == keys
    empty = {"primaryKey": "", "secondaryKey": ""}
    created = hub.registry.create("reg-empty", authentication={"type": "sas", "symmetricKey": empty})
    assert all(created["authentication"]["symmetricKey"].values())


def test_creating_twice_is_a_conflict(hub):
    hub.registry.create("reg-twice")
    error(hub.registry.request("PUT", "/devices/reg-twice", {"deviceId": "reg-twice"}), 409, "DeviceAlreadyExists")


def test_update_and_delete_honour_the_etag(hub):
    created = hub.registry.create("reg-etag")
    updated = hub.registry.update(created, created["etag"], status="disabled", statusReason="sold")
    assert updated.status == 200, updated
    assert updated.json["status"] == "disabled" and updated.json["statusReason"] == "sold"
    assert updated.json["etag"] != created["etag"]
    assert updated.json["generationId"] == created["generationId"]
    error(hub.registry.update(created, created["etag"], status="enabled"), 412, "PreconditionFailed")
    error(hub.registry.delete("reg-etag", created["etag"]), 412, "PreconditionFailed")
    assert hub.registry.update(updated.json, "*", status="enabled").status == 200
    assert hub.registry.delete("reg-etag").status == 204
    error(hub.registry.get("reg-etag"), 404, "DeviceNotFound")


def test_a_device_created_again_is_another_generation(hub):
    first = hub.registry.create("reg-again")
    assert hub.registry.delete("reg-again").status == 204
    second = hub.registry.create("reg-again")
    assert second["generationId"] != first["generationId"]
    assert second["authentication"]["symmetricKey"] != first["authentication"]["symmetricKey"]


def test_what_is_not_there_is_not_found(hub):
    error(hub.registry.get("reg-missing"), 404, "DeviceNotFound")
    error(hub.registry.delete("reg-missing"), 404, "DeviceNotFound")
    missing = {"deviceId": "reg-missing", "status": "enabled"}
    error(hub.registry.update(missing), 404, "DeviceNotFound")


def test_ids_are_case_sensitive_and_may_hold_special_characters(hub):
    for device_id in ("Reg-Case", "reg-case", "a-:.+%_#*?!(),=@$'z"):
        assert hub.registry.create(device_id)["deviceId"] == device_id
        assert hub.registry.get(device_id).json["deviceId"] == device_id


def test_malformed_requests_are_refused_with_an_error_body(hub):
    for body in (b"{", b"[]", b"\xff", {"deviceId": "another"}, {"deviceId": "reg-bad", "status": "maybe"}):
        answer = hub.registry.request("PUT", "/devices/reg-bad", body)
        assert answer.status == 400, (body, answer)
        assert "Message" in answer.json
    answer = hub.registry.request("PUT", "/devices/" + "x" * 129, {"deviceId": "x" * 129})
    assert answer.status == 400, answer
    error(hub.registry.get("reg-bad"), 404, "DeviceNotFound")


def test_requests_without_the_right_token_are_unauthorized(hub):
    registry = hub.registry
    hub.registry.create("reg-auth")
    device_key = registry.get("reg-auth").json["authentication"]["symmetricKey"]["primaryKey"]
    for label, authorization in [
        ("none", ""),
        ("nonsense", "SharedAccessSignature nonsense"),
        ("bearer", "Bearer abc"),
        ("wrong key", sas.token("localhost", base64.b64encode(b"x" * 32).decode(), "iothubowner")),
        ("unknown policy", sas.token("localhost", registry.key, "nobody")),
        ("expired", sas.token("localhost", registry.key, "iothubowner", expiry=int(time.time()) - 3600)),
        ("another host", sas.token("elsewhere.example.net", registry.key, "iothubowner")),
        ("a device's key", sas.token("localhost/devices/reg-auth", device_key)),
    ]:
        answer = registry.request("GET", "/devices/reg-auth", authorization=authorization)
        assert answer.status == 401, (label, answer)
        assert answer.headers["iothub-errorcode"].startswith("IotHubUnauthorized"), (label, answer)


def test_the_list_holds_the_devices_up_to_top(hub):
    for number in range(5):
        hub.registry.create(f"reg-list-{number}")
    everything = hub.registry.request("GET", "/devices").json
    ids = [device["deviceId"] for device in everything]
    assert len(ids) == len(set(ids))
    assert {f"reg-list-{number}" for number in range(5)} <= set(ids)
    assert len(hub.registry.request("GET", "/devices?top=3").json) == 3
    # Node and C# write the slash.
    assert len(hub.registry.request("GET", "/devices/?top=2").json) == 2


def cli(hub, *arguments, expect=0):
    """Runs the program beside the hub: in the directory that holds its data."""
    ended = subprocess.run(
        [os.environ["IRONHUB_BIN"], *arguments], capture_output=True, text=True, timeout=60, cwd=hub.data.parent,
        env={**os.environ, "IRONHUB_DATA_DIR": str(hub.data)}, check=False,
    )
    assert ended.returncode == expect, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended


def test_the_command_line_creates_shows_lists_and_deletes(hub):
    printed = cli(hub, "device", "create", "cli-1").stdout
    record = hub.registry.get("cli-1").json
    key = record["authentication"]["symmetricKey"]["primaryKey"]
    assert f"HostName=localhost;DeviceId=cli-1;SharedAccessKey={key}" in printed
    shown = cli(hub, "device", "show", "cli-1").stdout
    assert "cli-1" in shown and "enabled" in shown
    assert "cli-1" in cli(hub, "device", "list").stdout.split()
    again = cli(hub, "device", "create", "cli-1", expect=1)
    assert "exist" in again.stderr.lower()
    cli(hub, "device", "delete", "cli-1")
    assert hub.registry.get("cli-1").status == 404
    missing = cli(hub, "device", "show", "cli-1", expect=1)
    assert "cli-1" in missing.stderr

