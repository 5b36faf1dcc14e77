"""The way to a receiver: what is given to it, and what of that it has for certain. One thread uses each.

``send`` gives a batch on; ``confirmed`` says up to which entry all was taken. Whatever goes wrong is ``Down`` (the
receiver: everything that is not confirmed is sent again) or ``Refused`` (the message itself).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from controller import tls_words
from controller.export.spool import Entry
from core.secret import SecretRef

CONNECT_SECONDS: Final = 5.0
DEADLINE_SECONDS: Final = 15.0


class Down(Exception):
    """Nobody takes it now. ``wait``: as long as the receiver asked for."""

    def __init__(self, why: str, *, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Refused(Exception):
    """The receiver answers, and does not take this."""


class Wire(Protocol):
    batch: int
    """So many entries are given at once, at most."""

    def send(self, batch: Sequence[Entry]) -> None:
        """Give these on, in order. Raises ``Down``, ``Refused``, ``SecretUnavailable``: none of them is confirmed."""

    def confirmed(self) -> Entry | None:
        """The last entry up to which everything was taken; None: nothing more than before. Raises ``Down``."""

    def end(self) -> Entry | None:
        """Let the receiver take what is under way, for seconds at most, and hang up. As ``confirmed``."""

    def drop(self) -> None:
        """Hang up at once."""


def tls_context(*, authorities: Path | None, certificate: Path | None, key: SecretRef | None) -> ssl.SSLContext:
    """TLS 1.2 or later, the certificate checked against the name, by the system's authorities and these.

    Raises ``Down`` when a file is not what it should be, ``SecretUnavailable``.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as exc:
            raise Down(f"ca_file: {authorities} holds no authorities: {words(exc)}") from exc
    if certificate is not None and key is not None:
        _own_certificate(context, certificate, key)
    return context


def _own_certificate(context: ssl.SSLContext, certificate: Path, key: SecretRef) -> None:
    """OpenSSL reads a key from a file alone: this one has no name and is in memory."""
    secret = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        os.write(secret, key.resolve().reveal().encode())
        context.load_cert_chain(certificate, f"/proc/self/fd/{secret}")
    except (OSError, ssl.SSLError) as exc:
        raise Down(f"client_cert, client_key: not a certificate and its key: {words(exc)}") from exc
    finally:
        os.close(secret)


def words(exc: Exception) -> str:
    """What went wrong, without what may be secret."""
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, ssl.SSLError):
        return tls_words.broken(exc)
    return (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__


__all__ = ["CONNECT_SECONDS", "DEADLINE_SECONDS", "Down", "Refused", "Wire", "tls_context", "words"]
