"""node/agent.mjs as a process: requests and answers in lines of JSON, and what its clients are told meanwhile."""

import itertools
import json
import queue
import subprocess
import threading
from collections import defaultdict

from node_client import command, environment
from waiting import LIMIT


class NodeError(Exception):
    """What an SDK refused: `name` is its error class."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name


class Inbox:
    """Happenings of one kind in their order; `take` waits for the next."""

    def __init__(self, what):
        self.what = what
        self.items = queue.Queue()

    def put(self, item):
        self.items.put(item)

    def take(self, limit=LIMIT):
        try:
            return self.items.get(timeout=limit)
        except queue.Empty:
            raise AssertionError(f"no {self.what} within {limit:.0f} s") from None

    def empty(self):
        return self.items.empty()


class Agent:
    """One Node process for all Node clients of a test. `inbox(client, event)` holds what a client was told."""

    def __init__(self, hub):
        self.log = open(hub.data.parent / "agent.log", "ab")
        self.process = subprocess.Popen(
            command("agent.mjs"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=environment(hub),
        )
        self.numbers = itertools.count(1)
        self.answers = defaultdict(queue.Queue)
        self.inboxes = {}
        self.lock = threading.Lock()
        self.unhandled = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "id" in said:
                self.answers[said["id"]].put(said)
            elif said["event"] == "unhandled":
                self.unhandled.append(said["message"])
            else:
                self.inbox(said["client"], said["event"]).put(said)

    def inbox(self, client, event):
        with self.lock:
            return self.inboxes.setdefault((client, event), Inbox(f"{event} of {client}"))

    def ask(self, op, limit=LIMIT, **request):
        """The result of an operation; raises NodeError with what the SDK said."""
        number = next(self.numbers)
        with self.lock:
            self.process.stdin.write(json.dumps({"id": number, "op": op, **request}) + "\n")
            self.process.stdin.flush()
        try:
            said = self.answers[number].get(timeout=limit)
        except queue.Empty:
            raise AssertionError(f"Node did not answer {op} within {limit:.0f} s; {self.unhandled}") from None
        finally:
            self.answers.pop(number, None)
        if "error" in said:
            raise NodeError(said["error"], said["message"])
        return said["result"]

    def name(self, kind):
        return f"{kind}-{next(self.numbers)}"

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        self.log.close()
