"""Devices that are known by their certificate: by thumbprint, or by a CA that the hub was told of."""

import base64

import pytest

import eventhub
from certificates import Certificate
from on_each import on_each
from programs import KINDS, NODE
from python_program import PythonProgram

PYTHON = next(kind for kind in KINDS if kind.make is PythonProgram)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(hub, files):
    """A CA that the hub knows, and one that it does not know."""
    known, unknown = Certificate(files, "known-ca", ca=True), Certificate(files, "unknown-ca", ca=True)
    register(hub, "known", known)
    return known, unknown


def register(hub, name, certificate):
    answer = hub.registry.request("PUT", f"/certificates/{name}", {
        "properties": {"certificate": base64.b64encode(certificate.pem.encode()).decode(), "isVerified": True}})
    assert answer.status in (200, 201), answer


def by_thumbprint(hub, device_id, primary, secondary=None):
    return X509Device(hub, hub.registry.create(device_id, authentication={
        "type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": primary, "secondaryThumbprint": secondary}}))


def by_authority(hub, device_id):
    return X509Device(hub, hub.registry.create(device_id, authentication={"type": "certificateAuthority"}))


class X509Device:
    module = None

    def __init__(self, hub, record):
        self.hub = hub
        self.record = record
        self.id = record["deviceId"]
        self.connection_string = f"HostName=localhost;DeviceId={self.id};x509=true"


def open_with(start, kind, device, certificate):
    if kind.client == NODE:
        return start(kind, device, options={"cert": certificate.chain, "key": certificate.key_pem})
    return start(kind, device, certificate=certificate.files)


def works(hub, service, program, kind, device, bodies=(b"signed",)):
    """Telemetry, and where the transport has it, a twin."""
    for body in bodies:
        program.send({"body": body, "app": []})
    if "twin" in kind.features:
        program.report({"by": "certificate"})
        assert service.twin(device).properties.reported["by"] == "certificate"


def refused(start, kind, device, certificate):
    # Over HTTPS nothing is sent before the first request.
    with pytest.raises(Exception):  # noqa: B017 - each SDK has errors of its own
        open_with(start, kind, device, certificate).send({"body": b"never", "app": []})


@on_each("X.509: thumbprint", "x509")
def test_a_device_is_known_by_either_of_its_thumbprints(hub, service, events, files, start, kind):
    first = Certificate(files, f"first-{kind.name}", "anything")
    second = Certificate(files, f"second-{kind.name}", "anything")
    stranger = Certificate(files, f"stranger-{kind.name}", "anything")
    device = by_thumbprint(hub, f"thumb-{kind.name}", first.thumbprint("sha1"), second.thumbprint("sha256"))
    for certificate in (first, second):
        program = open_with(start, kind, device, certificate)
        works(hub, service, program, kind, device)
        program.close()
    refused(start, kind, device, stranger)
    found = events.of(device.id, 2)
    assert [eventhub.body(event) for event in found] == [b"signed"] * 2
    assert '"x509"' in found[0]["system"]["iothub-connection-auth-method"].replace(" ", "")


@on_each("X.509: CA", "x509")
def test_a_device_is_known_by_its_ca_and_its_name(hub, service, files, authority, start, kind):
    known, unknown = authority
    device = by_authority(hub, f"signed-{kind.name}")
    between = Certificate(files, f"between-{kind.name}", issuer=known, ca=True)
    for issuer in (known, between):
        certificate = Certificate(files, f"{device.id}-by-{issuer.files[0].split('/')[-1]}", device.id, issuer)
        program = open_with(start, kind, device, certificate)
        works(hub, service, program, kind, device)
        program.close()
    refused(start, kind, device, Certificate(files, f"other-{kind.name}", "somebody-else", known))
    refused(start, kind, device, Certificate(files, f"forged-{kind.name}", device.id, unknown))
    refused(start, kind, device, Certificate(files, f"expired-{kind.name}", device.id, known, days=-1))


def test_a_certificate_is_no_use_to_a_device_with_keys_nor_a_key_to_one_with_a_certificate(hub, files, start):
    certificate = Certificate(files, "own", "own")
    keyed = hub.device("keyed")
    refused(start, PYTHON, keyed, certificate)
    thumb = by_thumbprint(hub, "thumb-only", certificate.thumbprint(), certificate.thumbprint())
    thumb.connection_string = f"HostName=localhost;DeviceId=thumb-only;SharedAccessKey={keyed.primary}"
    with pytest.raises(Exception):  # noqa: B017
        start(PYTHON, thumb)


def test_the_service_sdk_makes_devices_with_certificates(hub, service, files, authority, start):
    own = Certificate(files, "by-python", "by-python")
    service.manager.create_device_with_x509("by-python", own.thumbprint(), own.thumbprint("sha256"), "enabled")
    service.manager.create_device_with_certificate_authority("by-python-ca", "enabled")
    assert service.manager.get_device("by-python").authentication.type == "selfSigned"
    signed = Certificate(files, "by-python-ca", "by-python-ca", authority[0])
    for device_id, certificate in (("by-python", own), ("by-python-ca", signed)):
        device = X509Device(hub, hub.registry.get(device_id).json)
        open_with(start, PYTHON, device, certificate).close()


def test_a_ca_can_be_read_and_removed(hub, files, start):
    ca = Certificate(files, "short-lived-ca", ca=True)
    register(hub, "short-lived", ca)
    device = by_authority(hub, "orphan")
    certificate = Certificate(files, "orphan", "orphan", ca)
    open_with(start, PYTHON, device, certificate).close()
    answer = hub.registry.request("GET", "/certificates/short-lived")
    assert answer.status == 200 and answer.json["properties"]["isVerified"] is True, answer
    assert answer.json["properties"]["thumbprint"] == ca.thumbprint()
    assert hub.registry.request("GET", "/certificates/absent").status == 404
    # Only the owner may say who is trusted.
    assert hub.registry.request("GET", "/certificates/short-lived", authorization="").status == 401
    assert hub.registry.request("DELETE", "/certificates/short-lived", headers={"If-Match": '"*"'}).status in (200, 204)
    refused(start, PYTHON, device, certificate)
