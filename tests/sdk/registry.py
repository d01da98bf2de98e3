"""The registry over HTTPS, as the service SDKs call it."""

import http.client
import json
import ssl
import urllib.parse

import sas

API = "api-version=2021-04-12"


class Answer:
    """What came back: status, headers, and the body as JSON when there is one."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.text}"


class Registry:
    """Requests with a token of the policy. Each opens its own connection, as the Python service SDK does."""

    def __init__(self, ca, policy, key):
        self.context = ssl.create_default_context(cafile=ca)
        self.policy = policy
        self.key = key

    def request(self, method, path, body=None, headers=None, authorization=None):
        """Sends one request; `authorization` replaces the policy's token, "" leaves the header out."""
        if authorization is None:
            authorization = sas.token("localhost", self.key, self.policy)
        headers = {"Accept": "application/json", **(headers or {})}
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
        separator = "&" if "?" in path else "?"
        connection = http.client.HTTPSConnection("localhost", 443, timeout=60, context=self.context)
        try:
            connection.request(method, f"{path}{separator}{API}", body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def path(self, device_id):
        return "/devices/" + urllib.parse.quote(device_id, safe="")

    def create(self, device_id, **fields):
        answer = self.request("PUT", self.path(device_id), {"deviceId": device_id, **fields})
        assert answer.status == 200, f"creating {device_id}: {answer}"
        return answer.json

    def get(self, device_id):
        return self.request("GET", self.path(device_id))

    def update(self, record, etag="*", **changes):
        body = {**record, **changes}
        return self.request("PUT", self.path(record["deviceId"]), body, {"If-Match": f'"{etag}"'})

    def delete(self, device_id, etag="*"):
        return self.request("DELETE", self.path(device_id), headers={"If-Match": f'"{etag}"'})

    def create_module(self, device_id, module_id, **fields):
        body = {"deviceId": device_id, "moduleId": module_id, **fields}
        answer = self.request("PUT", f"{self.path(device_id)}/modules/{module_id}", body)
        assert answer.status in (200, 201), f"creating {device_id}/{module_id}: {answer}"
        return answer.json

    def twin(self, identity):
        answer = self.request("GET", twin_path(identity))
        assert answer.status == 200, answer
        return answer.json

    def update_twin(self, identity, patch, etag="*"):
        """Patches `{"tags": …, "properties": {"desired": …}}`; returns the whole twin."""
        answer = self.request("PATCH", twin_path(identity), patch, {"If-Match": f'"{etag}"'})
        assert answer.status == 200, answer
        return answer.json

    def invoke(self, identity, name, payload=None, response=30, connect=0):
        """The answer to a direct method, whatever it is."""
        body = {
            "methodName": name, "payload": payload, "responseTimeoutInSeconds": response,
            "connectTimeoutInSeconds": connect,
        }
        return self.request("POST", twin_path(identity) + "/methods", body)

    def queued(self, device_id):
        """C2D messages that wait in a device's queue or are locked."""
        return self.get(device_id).json["cloudToDeviceMessageCount"]


def twin_path(identity):
    path = "/twins/" + urllib.parse.quote(identity.id, safe="")
    return path + (f"/modules/{identity.module}" if identity.module else "")
