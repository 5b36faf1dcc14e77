"""What is wrong when TLS with a receiver fails: which certificate, of which host, and what to do about it.

When a certificate is refused, the standard library does not say which one: it is looked at again over a connection of
its own, on which nothing is sent.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from controller.export.record import clean

SECONDS: Final = 5.0
NAMES: Final = 4
"""Of a certificate, that are shown."""
_EXPIRED, _EARLY = 10, 9
_NAMES_DIFFER: Final = (62, 64)
_NO_ISSUER: Final = (18, 19, 20, 21)
_REASONS: Final = {
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS: is it the right port?",
    "HTTP_REQUEST": "what answers there speaks plain HTTP: is it the right port?",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS from 1.2 on",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no TLS from 1.2 on",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks who we are: a certificate of ours is needed",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know who signed our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not take our certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the two sides have nothing in common, or it asks for a certificate of ours",
}


def broken(exc: ssl.SSLError) -> str:
    """What broke, without looking at anything."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"TLS: {exc.verify_message}"
    reason = exc.reason or type(exc).__name__
    said = reason.lower().replace("_", " ")
    return f"TLS: {said}: {_REASONS[reason]}" if reason in _REASONS else f"TLS: {said}"


def refused(
    exc: ssl.SSLError, *, host: str, address: str, port: int, name: str, authorities: str, renamed: str = "the address"
) -> str:
    """As ``broken``; of a certificate that was refused, what it is and what to do.

    ``name``: whom we meant. ``authorities``: where those who sign for receivers are said; ``renamed``: where a name is.
    """
    said = broken(exc)
    if not isinstance(exc, ssl.SSLCertVerificationError):
        return said
    found = _shown(address, port, name)
    if found is None:
        return said
    return f"{said}: {host} on port {port} shows {_described(found)}; {_todo(exc, found, name, authorities, renamed)}"


def _shown(address: str, port: int, name: str) -> x509.Certificate | None:
    """What the other side shows to whoever asks; None when it cannot be had again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is only looked at, and nothing is sent
    with (
        suppress(OSError, ValueError),
        socket.create_connection((address, port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as opened,
    ):
        data = opened.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(data) if data else None
    return None


def _described(found: x509.Certificate) -> str:
    until = f"{found.not_valid_after_utc:%Y-%m-%d}"
    return f"the certificate of {_common(found.subject)}, signed by {_common(found.issuer)}, good until {until}"


def _todo(exc: ssl.SSLCertVerificationError, found: x509.Certificate, name: str, authorities: str, renamed: str) -> str:
    match exc.verify_code:
        case code if code == _EXPIRED:
            return "it has to be renewed there; or is the clock of this machine ahead?"
        case code if code == _EARLY:
            return (
                f"it holds from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: is the clock of this machine behind?"
            )
        case code if code in _NAMES_DIFFER:
            names = _names(found)
            return (
                f"it is for {names}, not for {name}: put one of its names into {renamed}" if names else "it names none"
            )
        case code if code in _NO_ISSUER:
            return f"if that is the right one, put the certificate of {_common(found.issuer)} into {authorities}"
    return "ask whoever runs it"


def _names(found: x509.Certificate) -> str:
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    names = [*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))]
    return ", ".join(clean(text) for text in names[:NAMES]) + (" …" if len(names) > NAMES else "")


def _common(name: x509.Name) -> str:
    """The name that a person knows it by."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return repr(clean(str(common[0].value) if common else name.rfc4514_string()))


__all__ = ["broken", "refused"]
