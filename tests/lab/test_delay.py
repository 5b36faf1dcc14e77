"""The slow line of the lab: everything arrives, whole and in order, and not before its time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lab.delay import delayed


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says what it is told, and ends when it is told nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                while data := peer.recv(65_536):
                    peer.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=5)


def test_all_of_it_arrives_in_order_after_the_round_trip(echo: int) -> None:
    sent = b"".join(b"%d\n" % number for number in range(20_000))
    with (
        delayed("127.0.0.1", echo, timedelta(milliseconds=200)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        began = time.monotonic()
        threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR))).start()
        received = client.recv(65_536)
        first = time.monotonic() - began
        while data := client.recv(65_536):
            received += data
    assert received == sent
    assert first >= 0.2
