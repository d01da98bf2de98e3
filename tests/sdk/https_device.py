"""A device on plain HTTPS, request by request."""

import http.client
import ssl
import urllib.parse


class HttpsDevice:
    """One connection, kept open."""

    def __init__(self, identity):
        self.identity = identity
        path = "/devices/" + urllib.parse.quote(identity.id, safe="")
        self.path = path + (f"/modules/{identity.module}" if identity.module else "")
        self.connection = http.client.HTTPSConnection(
            "localhost", 443, timeout=60, context=ssl.create_default_context(cafile=identity.hub.ca))

    def request(self, method, path, body=None, query="", **headers):
        """(status, headers, body)."""
        headers = {"Authorization": self.identity.token(), **headers}
        self.connection.request(method, f"{self.path}{path}?api-version=2021-04-12{query}", body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def send(self, body, **headers):
        status, _, said = self.request("POST", "/messages/events", body, **headers)
        assert (status, said) == (204, b""), (status, said)

    def take(self):
        """(lock token, headers, body) of the next C2D message, None when there is none."""
        status, headers, body = self.request("GET", "/messages/devicebound")
        if status == 204:
            return None
        assert status == 200, body
        lock = headers["ETag"]
        assert lock[0] == lock[-1] == '"', lock
        return lock[1:-1], headers, body

    def settle(self, lock, outcome="complete"):
        path = f"/messages/devicebound/{lock}"
        if outcome == "abandon":
            answer = self.request("POST", path + "/abandon")
        else:
            answer = self.request("DELETE", path, query="&reject" if outcome == "reject" else "")
        assert (answer[0], answer[2]) == (204, b""), answer

    def close(self):
        self.connection.close()
