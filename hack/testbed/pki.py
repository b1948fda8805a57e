"""Keys of one control plane: a certificate authority, server and client certificates, signing key.

Made anew for every control plane and thrown away with it, so nothing here is a secret that anyone
would have to keep. Elliptic curve keys, since one is generated in well under a millisecond.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=30)
"""Longer than anyone keeps a test bed up, short enough to be useless when found later."""

LOOPBACK_NAMES: list[x509.GeneralName] = [
    x509.DNSName("localhost"),
    x509.DNSName("kubernetes.default.svc"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
]


class Authority:
    """A certificate authority in a directory: `ca.crt`, and a `<name>.crt`, `<name>.key` per call."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.certificate_file = directory / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("ninefold-testbed-ca")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(self._name, self._key.public_key())
        self._write_certificate(
            self.certificate_file,
            builder.add_extension(constraints, critical=True).add_extension(
                _key_usage(signs_certificates=True), critical=True
            ),
        )

    def server(self, name: str) -> tuple[Path, Path]:
        """Certificate and key for a server on the loopback interface."""
        return self._issue(name, _name(name), ExtendedKeyUsageOID.SERVER_AUTH, LOOPBACK_NAMES)

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """Certificate and key that Kubernetes reads as this user in these groups."""
        return self._issue(name, _name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def signing_key(self, name: str) -> Path:
        """A bare private key; the API server signs service-account tokens with it."""
        return self._write_key(name, ec.generate_private_key(ec.SECP256R1()))

    def _issue(
        self,
        name: str,
        subject: x509.Name,
        purpose: x509.ObjectIdentifier,
        addresses: list[x509.GeneralName],
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        certificate = self._write_certificate(self.directory / f"{name}.crt", builder)
        return certificate, self._write_key(name, key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        """What every certificate has; the key identifiers because Python 3.13 checks for them."""
        now = datetime.datetime.now(datetime.UTC)
        authority = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        )

    def _write_certificate(self, path: Path, builder: x509.CertificateBuilder) -> Path:
        signed = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return path

    def _write_key(self, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
        """In the older SEC 1 form: the API server reads public halves out of no other."""
        path = self.directory / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return path


def _name(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    """Kubernetes reads the common name as the user and each organization as one group."""
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
