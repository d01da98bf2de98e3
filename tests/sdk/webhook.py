"""A server that takes what the hub posts: it says no as often as it is told, and keeps what it was sent."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from waiting import until

SECRET = "a secret of the test's webhook"


class Webhook:
    """`answers` gives each request's status, `certificate` makes it an HTTPS server; `taken` are the events of the requests that got 200, in their order."""

    def __init__(self, answers=lambda number, events: 200, certificate=None):
        self.answers = answers
        self.scheme = "https" if certificate else "http"
        self.requests = []
        self.taken = []
        self.forged = []
        self.lock = threading.Lock()
        self.release = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate.files)
            # Each connection shakes hands in its own thread: a client that refuses must not stop the others.
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/events?source=hub"

    def handler(self):
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = webhook.take(self.path, self.headers, body)
                if status is None:
                    webhook.release.wait()
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def take(self, path, headers, body):
        """The status of a request; None for no answer at all."""
        events = json.loads(body)
        with self.lock:
            if not signed(headers, body):
                self.forged.append(dict(headers))
            self.requests.append((path, dict(headers), events))
            status = self.answers(len(self.requests) - 1, events)
            if status == 200:
                self.taken.extend(events)
            return status

    def got(self, count):
        """The events that were taken, each where it came first, once there are so many."""
        until(lambda: len(self.once()) >= count, lambda: f"{count} events; there are {len(self.once())}")
        return self.once()

    def once(self):
        found = {}
        with self.lock:
            for event in self.taken:
                found.setdefault((event["PartitionId"], event["SequenceNumber"]), event)
        return list(found.values())

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        assert not self.forged, f"requests that were not signed: {self.forged[:3]}"


def signed(headers, body):
    """Whether the hub signed it, as Standard Webhooks says, not long ago."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return recent and hmac.compare_digest(headers["webhook-signature"], expected)
