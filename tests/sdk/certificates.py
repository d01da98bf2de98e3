"""X.509 certificates for devices, and for servers that the hub calls, made as their owners would make them."""

import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.timezone.utc)


class Certificate:
    """A certificate and its key, written to `{directory}/{name}.pem` and `.key`; with `address` a server's."""

    def __init__(self, directory, name, common_name=None, issuer=None, ca=False, days=30, algorithm=ec.SECP256R1,
                 address=None):
        self.key = ec.generate_private_key(algorithm())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name or name)])
        builder = (
            x509.CertificateBuilder().subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=60)).not_valid_after(NOW + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            use = x509.ExtendedKeyUsageOID
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([use.SERVER_AUTH if address else use.CLIENT_AUTH]), critical=False)
        if address:
            names = [x509.IPAddress(ipaddress.ip_address(address))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.key_pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        # A device shows the certificates between its own and the registered one, too.
        self.chain = self.pem + (issuer.chain if issuer and issuer.issuer else "")
        self.issuer = issuer
        self.files = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
        for file, text in zip(self.files, (self.chain, self.key_pem), strict=True):
            with open(file, "w", encoding="ascii") as out:
                out.write(text)

    def thumbprint(self, algorithm="sha1"):
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return hashlib.new(algorithm, der).hexdigest().upper()
