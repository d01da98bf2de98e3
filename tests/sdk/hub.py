"""One hub process: started as the run contract says, found by its files, stopped by its process id."""

import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import sas
from registry import Registry
from waiting import until

ADMIN = "http://127.0.0.1:9600"


class Hub:
    """A hub on the SDKs' own ports with its data in `data`."""

    hostname = "localhost"

    def __init__(self, data, log, *flags, env=None):
        self.data = Path(data)
        self.log = Path(log)
        self.flags = flags
        self.env = env or {}
        self.process = None

    def start(self, wait=True):
        """Starts the process and, unless told otherwise, waits until it is ready."""
        assert not self.alive(), "already running"
        assert admin("/health/live")[0] == 0, "another hub has the ports"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.environ["IRONHUB_BIN"], "serve", "--data-dir", self.data, "--hostname", self.hostname, *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.data.parent,
                env={**os.environ, "RUST_BACKTRACE": "1", **self.env},
            )
        if wait:
            until(self.ready, lambda: f"the hub is ready; its log:\n{self.tail()}")
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        if not self.alive():
            raise AssertionError(f"the hub ended with {self.process.returncode}; its log:\n{self.tail()}")
        return admin("/health/ready")[0] == 200

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        """kill -9: no goodbye, no flush."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def terminate(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the hub did not end within 60 s of SIGTERM; its log:\n{self.tail()}") from None

    def stop(self):
        """Teardown: ends the process if it still runs."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def ca(self):
        return str(self.data / "ca.pem")

    @property
    def settings(self):
        """hub.env as a dictionary."""
        lines = (self.data / "hub.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    @property
    def service(self):
        return self.settings["IRONHUB_SERVICE_CONNECTION_STRING"]

    @property
    def events(self):
        return self.settings["IRONHUB_EVENTHUB_CONNECTION_STRING"]

    @property
    def storage(self):
        return self.settings["IRONHUB_STORAGE_CONNECTION_STRING"]

    @property
    def registry(self):
        parts = sas.parse(self.service)
        return Registry(self.ca, parts["SharedAccessKeyName"], parts["SharedAccessKey"])

    def device(self, device_id, **fields):
        """Creates a device and returns it."""
        return Device(self, self.registry.create(device_id, **fields))


class Device:
    """A registered device with what its clients need."""

    module = None

    def __init__(self, hub, record):
        self.hub = hub
        self.record = record
        self.id = record["deviceId"]
        keys = record["authentication"]["symmetricKey"]
        self.primary = keys["primaryKey"]
        self.secondary = keys["secondaryKey"]

    def add_module(self, module_id):
        """Creates a module of this device and returns it."""
        return Module(self.hub, self.hub.registry.create_module(self.id, module_id))

    @property
    def connection_string(self):
        return f"HostName=localhost;DeviceId={self.id};SharedAccessKey={self.primary}"

    @property
    def user(self):
        return f"localhost/{self.id}/?api-version=2021-04-12"

    @property
    def topic(self):
        return f"devices/{self.id}/messages/events/"

    def token(self, key=None, **options):
        return sas.token(f"localhost/devices/{self.id}", key or self.primary, **options)


class Module(Device):
    """A registered module. `id` is its device's, as everywhere on the wire."""

    def __init__(self, hub, record):
        super().__init__(hub, record)
        self.module = record["moduleId"]

    @property
    def connection_string(self):
        return f"HostName=localhost;DeviceId={self.id};ModuleId={self.module};SharedAccessKey={self.primary}"

    @property
    def user(self):
        return f"localhost/{self.id}/{self.module}/?api-version=2021-04-12"

    @property
    def topic(self):
        return f"devices/{self.id}/modules/{self.module}/messages/events/"

    def token(self, key=None, **options):
        return sas.token(f"localhost/devices/{self.id}/modules/{self.module}", key or self.primary, **options)


def admin(path):
    """(status, text) of the admin listener; status 0 while nothing listens."""
    try:
        with urllib.request.urlopen(ADMIN + path, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""
