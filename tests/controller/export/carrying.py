"""Bytes from one connection to another, as they come."""

from __future__ import annotations

import socket
from contextlib import suppress


def carry(one: socket.socket, other: socket.socket) -> None:
    """Until the first ends; then the other does."""
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.close()
