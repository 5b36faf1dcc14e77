"""An authority of the tests' own, and certificates of resolvers: good, expired, for another name, by nobody."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "dns.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """All by one authority but ``nobodys``, which signed itself."""

    authority: Path
    good: Pair
    expired: Pair
    other_name: Pair
    nobodys: Pair


def make(folder: Path) -> Certificates:
    key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("tests' authority", key, by=None, names=(), is_authority=True)
    authority = folder / "authority.pem"
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    own = (x509.DNSName(NAME), x509.IPAddress(IPv4Address("127.0.0.1")))
    return Certificates(
        authority=authority,
        good=_pair(folder, "good", by=(root, key), names=own),
        expired=_pair(folder, "expired", by=(root, key), names=own, ends=-1),
        other_name=_pair(folder, "other", by=(root, key), names=(x509.DNSName("another.test"),)),
        nobodys=_pair(folder, "nobodys", by=None, names=own),
    )


Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _pair(folder: Path, name: str, *, by: Signer | None, names: tuple[x509.GeneralName, ...], ends: int = 30) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key, by=by, names=names, ends=ends)
    pair = Pair(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, encryption_algorithm=serialization.NoEncryption())
    )
    return pair


def _certificate(
    common: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    by: Signer | None,
    names: tuple[x509.GeneralName, ...],
    ends: int = 30,
    is_authority: bool = False,
) -> x509.Certificate:
    """``ends`` in days from now; it began sixty days ago. Signed by itself when ``by`` nobody."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    signer, signing_key = (by[0].subject, by[1]) if by else (subject, key)
    today = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=60))
        .not_valid_after(today + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return built.sign(signing_key, hashes.SHA256())
