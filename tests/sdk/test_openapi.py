"""The REST contract that the hub serves, and the hub held against it by a fuzzer for a bounded time."""

import json
import os
import time

import hypothesis
import requests
import schemathesis
from hypothesis import strategies

import sas

# Seconds for all calls together, and requests for one call at most.
BUDGET = float(os.environ.get("IRONHUB_FUZZ_SECONDS", "60"))
EXAMPLES = 8


def contract(hub):
    """Without a token: whoever wants to talk to the hub may know how."""
    answer = hub.registry.request("GET", "/openapi.json", authorization="")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("application/json"), answer
    return answer.json


def test_the_contract_names_every_call_that_the_sdks_make(hub):
    paths = contract(hub)["paths"]
    for path, methods in {
        "/devices": {"get", "post"},
        "/devices/{deviceId}": {"get", "put", "delete"},
        "/devices/{deviceId}/modules/{moduleId}": {"get", "put", "delete"},
        "/devices/query": {"post"},
        "/twins/{deviceId}": {"get", "put", "patch"},
        "/twins/{deviceId}/methods": {"post"},
        "/devices/{deviceId}/commands": {"delete"},
        "/digitaltwins/{deviceId}": {"get", "patch"},
        "/jobs/v2/{jobId}": {"get", "put"},
        "/configurations/{configurationId}": {"get", "put", "delete"},
        "/policies/{keyName}": {"get", "put", "delete"},
    }.items():
        assert set(paths[path]) == methods, path


def test_no_request_makes_the_hub_fail_or_answer_what_is_not_in_the_contract(hub):
    document = contract(hub)
    there = hub.device("fuzzed")
    there.add_module("m")
    session = requests.Session()
    parts = sas.parse(hub.service)
    owner = sas.token("localhost", parts["SharedAccessKey"], parts["SharedAccessKeyName"])
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    built = [one for one in operations if is_built(document, one)]
    assert len(built) > 50, "the fuzzer sees the calls"
    asked, seen = 0, set()

    def run(operation):
        ends, first = time.monotonic() + BUDGET / len(built), True

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy(), known=strategies.booleans())
        def one(case, known):
            nonlocal asked, first
            if time.monotonic() > ends and not first:
                return
            first = False
            if known:
                aim(case, there.id)
            answer = case.call(
                base_url="https://localhost", session=session, verify=hub.ca, timeout=60,
                headers={"Authorization": owner})
            asked += 1
            seen.add(answer.status_code)
            told = f"{operation.label} answered {answer.status_code} {answer.text[:300]}\n{case.as_curl_command()[:2000]}"
            assert answer.status_code < 500, told
            assert str(answer.status_code) in documented(document, operation), told
            if answer.status_code >= 400 and answer.content:
                body = json.loads(answer.text)
                assert "Message" in body or "isSuccessful" in body, told

        one()

    for operation in built:
        run(operation)
    assert asked >= len(built), f"only {asked} requests"
    assert {200, 400, 404} <= seen, seen
    assert hub.alive() and hub.registry.get(there.id).status in (200, 404)


def entry(document, operation):
    return document["paths"][operation.path][operation.method.lower()]


def is_built(document, operation):
    return any(status.startswith("2") for status in entry(document, operation)["responses"])


def documented(document, operation):
    return entry(document, operation)["responses"]


def aim(case, device):
    """At identities that exist, which no method waits for: then more than the id is looked at."""
    case.path_parameters = case.path_parameters or {}
    for name, value in {"deviceId": device, "moduleId": "m"}.items():
        if name in case.path_parameters:
            case.path_parameters[name] = value
    if isinstance(case.body, dict) and "connectTimeoutInSeconds" in case.body:
        case.body["connectTimeoutInSeconds"] = 0
    if isinstance(case.query, dict) and "connectTimeoutInSeconds" in case.query:
        case.query["connectTimeoutInSeconds"] = 0
