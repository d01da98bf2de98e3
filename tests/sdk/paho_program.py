"""A device program on plain paho-mqtt, with every topic written by hand as the reference gives it."""

import itertools
import json
import queue
import threading
import time
import urllib.parse

import paho.mqtt.client as paho

from agent import Inbox
from messages import bag
from python_program import method_answer
from waiting import LIMIT

SYSTEM = {
    "$.mid": "messageId", "$.cid": "correlationId", "$.uid": "userId", "$.ct": "contentType",
    "$.ce": "contentEncoding", "$.exp": "expiryTimeUtc", "$.to": "to", "iothub-ack": "ack",
}


def parse_bag(text):
    """(system, application) properties of a C2D topic; a name alone has None."""
    system, app = {}, {}
    for pair in text.split("&") if text else []:
        name, *value = (urllib.parse.unquote(part) for part in pair.split("=", 1))
        (system if name in SYSTEM else app)[SYSTEM.get(name, name)] = value[0] if value else None
    return system, app


class PahoProgram:
    """One connection. Keeps what came: `log` holds (topic, payload, qos, dup) of every PUBLISH in order."""

    def __init__(self, kind, identity, _agent=None, clean=True, keep_alive=60, qos=1, acknowledge=True):
        self.hub = identity.hub
        self.id = identity.id
        self.qos = qos
        self.rids = itertools.count(1)
        self.answers = queue.Queue()
        self.log = []
        self.raw = Inbox(f"C2D message of {kind.name}")
        self.messages = self
        self.desired = Inbox(f"desired notification of {kind.name}")
        self.calls = Inbox(f"method call of {kind.name}")
        self.connected = threading.Event()
        self.subscribed = queue.Queue()
        self.gone = threading.Event()
        self.code = self.session_present = None
        websocket = kind.wire.endswith("-ws")
        self.client = paho.Client(
            identity.id, clean_session=clean, protocol=paho.MQTTv311, transport="websockets" if websocket else "tcp",
            reconnect_on_failure=False)
        if websocket:
            self.client.ws_set_options(path="/$iothub/websocket")
        if not acknowledge:
            # paho acknowledges as soon as `on_message` returns; this client is to receive and stay silent.
            self.client._send_puback = lambda mid: paho.MQTT_ERR_SUCCESS
        self.client.tls_set(self.hub.ca)
        self.client.username_pw_set(identity.user, identity.token())
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_subscribe = lambda _client, _data, _mid, granted: self.subscribed.put(list(granted))
        self.client.on_message = self.on_message
        self.client.connect("localhost", 443 if websocket else 8883, keep_alive)
        self.client.loop_start()
        assert self.connected.wait(LIMIT), "no CONNACK"
        if self.code:
            self.client.loop_stop()
        assert self.code == 0, f"CONNACK {self.code}"
        self.answer = None

    def on_connect(self, _client, _data, flags, code):
        self.code, self.session_present = code, flags["session present"]
        self.connected.set()

    def on_message(self, _client, _data, message):
        topic, payload = message.topic, message.payload
        self.log.append((topic, payload, message.qos, message.dup))
        if topic.startswith("$iothub/twin/res/"):
            self.answers.put((topic, payload))
        elif topic.startswith("$iothub/twin/PATCH/properties/desired/"):
            patch = json.loads(payload)
            assert topic.endswith(f"/?$version={patch['$version']}"), topic
            self.desired.put(patch)
        elif topic.startswith("$iothub/methods/POST/"):
            self.on_method(topic, payload)
        else:
            self.raw.put(message)

    def on_method(self, topic, payload):
        name, rid = topic.removeprefix("$iothub/methods/POST/").split("/?$rid=")
        payload = json.loads(payload) if payload else None
        self.calls.put({"name": name, "payload": payload})
        answer = method_answer(name, payload)
        if answer:
            self.client.publish(f"$iothub/methods/res/{answer[0]}/?$rid={rid}", json.dumps(answer[1]), 1)

    def subscribe(self, *filters, qos=None):
        """The granted QoS of each filter."""
        self.client.subscribe([(one, self.qos if qos is None else qos) for one in filters])
        return self.subscribed.get(timeout=LIMIT)

    def send(self, message):
        sent = self.client.publish(f"devices/{self.id}/messages/events/{bag(message)}", message["body"], 1)
        self.finish(sent)

    def finish(self, sent):
        """Waits for the PUBACK; fails when the connection ends instead."""
        end = time.monotonic() + LIMIT
        while not sent.is_published():
            assert not self.gone.is_set(), "closed before the PUBACK"
            assert time.monotonic() < end, "no PUBACK"
            time.sleep(0.002)

    def listen(self):
        assert self.subscribe(f"devices/{self.id}/messages/devicebound/#") == [self.qos]

    def take(self, limit=LIMIT):
        found = self.raw.take(limit)
        prefix = f"devices/{self.id}/messages/devicebound/"
        assert found.topic.startswith(prefix + "%24.to="), found.topic
        system, app = parse_bag(found.topic.removeprefix(prefix))
        return {"body": found.payload, "app": app, "qos": found.qos, "dup": found.dup, "mid": found.mid, **system}

    def empty(self):
        return self.raw.empty()

    def settle(self, message, outcome="complete"):
        # paho has acknowledged the message by itself.
        assert outcome == "complete"

    def request(self, topic, payload):
        """(status, version or None, body) of a twin request."""
        rid = f"{next(self.rids)}"
        self.client.publish(f"{topic}/?$rid={rid}", payload, 0)
        topic, body = self.answers.get(timeout=LIMIT)
        status, rest = topic.removeprefix("$iothub/twin/res/").split("/?$rid=")
        got, _, version = rest.partition("&$version=")
        assert got == rid, f"answer for {got}, asked was {rid}"
        return int(status), int(version) if version else None, body

    def twin(self):
        self.subscribe("$iothub/twin/res/#", qos=0)
        status, _, body = self.request("$iothub/twin/GET", "")
        assert status == 200, body
        return json.loads(body)

    def report(self, patch):
        """Returns the new version."""
        self.subscribe("$iothub/twin/res/#", qos=0)
        status, version, body = self.request("$iothub/twin/PATCH/properties/reported", json.dumps(patch))
        assert (status, body) == (204, b""), (status, body)
        return version

    def watch(self):
        assert self.subscribe("$iothub/twin/PATCH/properties/desired/#", qos=0) == [0]

    def answer_methods(self):
        assert self.subscribe("$iothub/methods/POST/#", qos=0) == [0]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self):
        """Ends the connection without DISCONNECT."""
        self.client.loop_stop(force=True)
        self.client._sock_close()
