"""The acceptance matrix: which feature was tried with which client over which transport, and what came of it.

A test says what it tries with `@pytest.mark.feature("name", client=…, transport=…)`; tests with a parameter `kind`
take the client and the transport from it. The table is written as Markdown to the file that IRONHUB_MATRIX names.
"""

import os
from collections import defaultdict

import pytest

TRANSPORTS = ["MQTT", "MQTT-WS", "AMQP", "AMQP-WS", "HTTPS"]


def pytest_configure(config):
    config.addinivalue_line("markers", "feature(name, client, transport): what of the acceptance matrix a test tries")
    if os.environ.get("IRONHUB_MATRIX"):
        config.pluginmanager.register(Matrix(os.environ["IRONHUB_MATRIX"]), "acceptance-matrix")


def cells(item):
    """(feature, client, transport) of each cell that a test belongs to."""
    kind = getattr(item, "callspec", None) and item.callspec.params.get("kind")
    for mark in item.iter_markers("feature"):
        client = mark.kwargs.get("client") or (kind and kind.client)
        transports = mark.kwargs.get("transport") or (kind and kind.transport)
        assert client and transports, f"{item.nodeid}: the feature mark needs a client and a transport"
        for transport in [transports] if isinstance(transports, str) else transports:
            assert transport in TRANSPORTS, f"{item.nodeid}: no transport {transport}"
            yield mark.args[0], client, transport


class Matrix:
    def __init__(self, file):
        self.file = file
        self.cells = {}
        self.counts = defaultdict(lambda: {"passed": 0, "failed": 0, "skipped": 0})

    def pytest_collection_modifyitems(self, items):
        for item in items:
            self.cells[item.nodeid] = list(cells(item))

    def pytest_runtest_logreport(self, report):
        # A test counts once: by its call, or by its setup when that already went wrong.
        if report.when == "call" or (report.when == "setup" and not report.passed):
            for cell in self.cells.get(report.nodeid, []):
                self.counts[cell][report.outcome] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(self.table())

    def table(self):
        rows = sorted({(feature, client) for feature, client, _ in self.counts})
        lines = [f"| feature | client | {' | '.join(TRANSPORTS)} |", f"| --- | --- |{' --- |' * len(TRANSPORTS)}"]
        for feature, client in rows:
            shown = [cell(self.counts.get((feature, client, transport))) for transport in TRANSPORTS]
            lines.append(f"| {feature} | {client} | {' | '.join(shown)} |")
        return "\n".join(lines) + "\n"


def cell(count):
    """`3 passed`, `FAILED 1 of 3`, or nothing where nothing was tried."""
    if count is None:
        return ""
    tried = count["passed"] + count["failed"]
    if count["failed"]:
        return f"FAILED {count['failed']} of {tried}"
    return f"{count['passed']} passed" if tried else "skipped"
