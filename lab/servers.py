"""The servers of the lab's internet: TCP 80 and 443 that answer, and UDP 443 that echoes, on many addresses.

Runs on its own inside the internet's namespace: ``python -I -S servers.py ADDRESS…``. Standard library only.
It speaks just enough HTTP that ``curl`` is content; there is no TLS, for the firewalls never look that deep.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any, Final

TCP_PORTS: Final = (80, 443)
QUIC_PORT: Final = 443


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every chunk with a small page, so a client can keep one connection busy for as long as it likes."""
    host = writer.get_extra_info("sockname")[0].removeprefix("::ffff:")
    body = f"served by {host}\n".encode()
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    try:
        while await reader.read(4096):
            writer.write(page)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class Echo(asyncio.DatagramProtocol):
    """Sends every datagram back to where it came from, as far as a QUIC server would before a handshake."""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.transport.sendto(data, addr)


def udp_socket(address: str) -> socket.socket:
    """Bound to the one address, so that the answer comes from where it was asked."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, QUIC_PORT))
    return made


async def serve(addresses: list[str]) -> None:
    """Listen until the process is ended; one line on stdout says that every port is open."""
    loop = asyncio.get_running_loop()
    for port in TCP_PORTS:
        await asyncio.start_server(answer, "::", port, family=socket.AF_INET6, backlog=512)
        await asyncio.start_server(answer, "0.0.0.0", port, family=socket.AF_INET, backlog=512)  # noqa: S104 a namespace of our own
    for address in addresses:
        await loop.create_datagram_endpoint(Echo, sock=udp_socket(address))
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
