"""What tools send over HTTPS, as tools/*.json has it: verbs, paths, headers and bodies, request by request.

A request names the command or screen that sends it. `{name}` in its texts stands for what is known: `d`, the device's id,
`token`, and what earlier answers had (`keeps`: name and path; `changes` the same, and it must differ). `shows` are parts of
the answer's body by path; PRESENT is any value, ABSENT none. `until` is asked again for until the answer shows it. Before the
request, `device` and `edge` register the device and `queued` sends it a message; `locks` keeps the answer's ETag as `lock`.
`storage` goes to a blob, by its URL alone."""

import http.client
import json
import re
import ssl
from pathlib import Path

import sas
from waiting import until

HERE = Path(__file__).parent / "tools"
TOOLS = {file.stem: json.loads(file.read_text()) for file in sorted(HERE.glob("*.json"))}
SCENARIOS = [(tool, name) for tool, facts in TOOLS.items() for name in facts["scenarios"]]
ABSENT = "ABSENT"


def filled(value, known):
    """The value with what is known in its texts."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, dict):
        return {filled(name, known): filled(item, known) for name, item in value.items()}
    return value


def part(document, path):
    """What is at a path: members by name, elements by number, the whole at the empty path."""
    for step in filter(None, path.split(".")):
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return document


def document(text):
    """A body: JSON, or {"text"} of one that is not."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return {"text": text}


class Replay:
    """Sends the requests of one tool to a hub about one device."""

    def __init__(self, hub, tool, device_id):
        self.hub = hub
        self.facts = TOOLS[tool]
        self.context = ssl.create_default_context(cafile=hub.ca)
        parts = sas.parse(hub.service)
        self.known = {"d": device_id, "token": sas.token("localhost", parts["SharedAccessKey"], parts["SharedAccessKeyName"])}

    def run(self, scenario):
        for request in self.facts["scenarios"][scenario]:
            for kind in ("device", "edge"):
                if request.get(kind):
                    self.hub.registry.create(self.known["d"], capabilities={"iotEdge": kind == "edge"})
            if "queued" in request:
                sent = self.hub.registry.request("POST", f"/devices/{self.known['d']}/messages/deviceBound", request["queued"])
                assert sent.status == 204, sent
            wanted = filled(request.get("until", {}), self.known)
            said = {}

            def shown(request=request, wanted=wanted, said=said):
                said["last"] = self.send(request)
                return all(part(said["last"][2], path) == value for path, value in wanted.items())

            until(shown, lambda r=request, s=said: f"{r['command']}: {wanted}; it is {s['last']}")
            self.check(request, *said["last"])

    def send(self, request):
        """(status, headers, body) of one request."""
        method, path = filled(request["send"], self.known)
        body = request.get("raw", "")
        if "body" in request:
            body = json.dumps(filled(request["body"], self.known))
        headers = [*self.facts["headers"], *request.get("headers", []), ["Content-Length", str(len(body))]]
        connection = http.client.HTTPSConnection("localhost", 443, timeout=60, context=self.context)
        try:
            storage = request.get("storage")
            if not storage and "api-version=" not in path:
                path += f"{'&' if '?' in path else '?'}api-version={self.facts['api-version']}"
            connection.putrequest(method, path)
            if not storage:
                connection.putheader("Authorization", self.known["token"])
            for name, value in headers:
                connection.putheader(name, filled(value, self.known))
            connection.endheaders(body.encode())
            answer = connection.getresponse()
            return answer.status, answer.headers, document(answer.read().decode())
        finally:
            connection.close()

    def check(self, request, status, headers, body):
        about = f"{request['command']}: {status} {body}"
        allowed = request["status"]
        assert status in (allowed if isinstance(allowed, list) else [allowed]), about
        for name, value in request.get("header", {}).items():
            assert headers[name] == value, about
        if request.get("locks"):
            self.known["lock"] = headers["ETag"].strip('"')
        for path, expected in filled(request.get("shows", {}), self.known).items():
            found = part(body, path)
            assert found != ABSENT if expected == "PRESENT" else found == expected, f"{path} of {about}"
        for name, path in {**request.get("keeps", {}), **request.get("changes", {})}.items():
            found = part(body, path)
            assert isinstance(found, str) and found != ABSENT, f"{path} of {about}"
            assert name not in request.get("changes", {}) or found != self.known[name], about
            self.known[name] = found
