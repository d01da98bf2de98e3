"""Drives the Java SDKs: one JVM, requests and happenings as JSON lines (java/src/Driver.java)."""

import itertools
import json
import os
import queue
import subprocess
import threading

import pytest

import sas
from hub import Hub
from java_objects import Class, Object, shown
from registry import Registry
from waiting import LIMIT, until

NEEDS_JAVA = pytest.mark.skipif(
    not os.environ.get("IRONHUB_SDK_JAVA"), reason="no Java SDKs: a JDK, Maven and Maven Central are needed")


# Java's SDKs take no host name without a dot.
HOSTNAME = "127.0.0.1"


class JavaHub(Hub):
    """A hub under a name that Java accepts."""

    hostname = HOSTNAME

    @property
    def registry(self):
        parts = sas.parse(self.service)
        return JavaRegistry(self.ca, parts["SharedAccessKeyName"], parts["SharedAccessKey"])


class JavaRegistry(Registry):
    """The registry, asked with tokens for that name."""

    def request(self, method, path, body=None, headers=None, authorization=None):
        if authorization is None:
            authorization = sas.token(HOSTNAME, self.key, self.policy)
        return super().request(method, path, body, headers, authorization)


def connection_string(device):
    """The device's, with that host name."""
    return device.connection_string.replace("HostName=localhost;", f"HostName={HOSTNAME};")


class JavaError(Exception):
    """What the SDK threw; `type` is the class of the `exception`."""

    def __init__(self, answer, java):
        super().__init__(f"{answer['type']}: {answer['error']}")
        self.type = answer["type"]
        self.exception = Object(java, answer["exception"]) if "exception" in answer else None


def refused(kind, code, call, *arguments):
    """The call throws this exception of the service SDK; the hub's own code is in its message."""
    with pytest.raises(JavaError) as raised:
        call(*arguments)
    assert raised.value.type == f"IotHub{kind}Exception", raised.value
    assert f"ErrorCode:{code};" in str(raised.value), raised.value


class Java:
    """The JVM with all clients that the tests of one file open."""

    def __init__(self, hub, directory):
        self.hub = hub
        self.log = directory / "java.log"
        root = os.environ["IRONHUB_SDK_JAVA"]
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(
                # A small heap: the machine runs the hub and the tests too.
                ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{root}/classes:{root}/jars/*", "Driver", hub.ca],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8",
            )
        self.numbers = itertools.count(1)
        self.answers = {}
        self.events = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "event" in said:
                self.events.append(said)
            else:
                self.answers[said["id"]].put(said)
        for answer in self.answers.values():
            answer.put({"type": "Ended", "error": f"the JVM ended; its log: {self.log}"})

    def begin(self, op, **fields):
        """Sends a request; the returned function waits for its answer."""
        number = next(self.numbers)
        answers = self.answers[number] = queue.Queue()
        self.process.stdin.write(json.dumps({"id": number, "op": op, **fields}) + "\n")
        self.process.stdin.flush()

        def wait(limit=2 * LIMIT):
            try:
                answer = answers.get(timeout=limit)
            except queue.Empty:
                raise AssertionError(f"{op} got no answer within {limit:.0f} s; the JVM's log: {self.log}") from None
            if "error" in answer:
                raise JavaError(answer, self)
            return answer["result"]

        return wait

    def ask(self, op, **fields):
        return self.begin(op, **fields)()

    @property
    def sdk(self):
        """The service SDK's package."""
        return Class(self, "com.microsoft.azure.sdk.iot.service")

    @property
    def azure(self):
        """The package of Azure's newer SDKs."""
        return Class(self, "com.azure")

    def called(self, name, count=1, method=None):
        """Waits for `count` calls of a callback; returns the arguments of each."""
        def found():
            return [said["args"] for said in list(self.events) if said["event"] == "callback" and said["name"] == name
                    and method in (None, said["method"])]

        until(lambda: len(found()) >= count, lambda: f"{count} calls of {name}; there were {len(found())}")
        return [shown(self, arguments) for arguments in found()]

    def event(self, kind, count=1, **fields):
        """Waits for `count` happenings of this kind with these fields; returns the last of them."""
        def found():
            return [said for said in list(self.events)
                    if said["event"] == kind and all(said[name] == value for name, value in fields.items())]

        until(lambda: len(found()) >= count,
              lambda: f"{count} times {kind} {fields} in Java; seen: {[e for e in self.events if e['event'] == kind]}")
        return found()[count - 1]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
