"""A web server behind the lab's internet: real TLS on TCP 443, and QUIC's Version Negotiation on UDP 443.

Runs on its own inside a namespace: ``python -I -S tls_and_quic.py CERTIFICATE KEY ADDRESS…``. Standard library only.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from typing import Any


class Negotiates(asyncio.DatagramProtocol):
    """Answers a packet of a version that it does not speak with those that it does (RFC 9000, 6; RFC 8999, 6)."""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if len(data) < 1_200 or not data[0] & 0x80 or data[1:5] == (1).to_bytes(4, "big"):
            return
        theirs, rest = data[6 : 6 + data[5]], data[6 + data[5] :]
        ours = rest[1 : 1 + rest[0]]
        head = b"\x80" + bytes(4) + bytes([len(ours)]) + ours + bytes([len(theirs)]) + theirs
        self.transport.sendto(head + (1).to_bytes(4, "big"), addr)


async def serve(certificate: str, key: str, addresses: list[str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    for address in addresses:
        await asyncio.start_server(lambda _, writer: writer.close(), address, 443, ssl=context)
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, 443))
        await loop.create_datagram_endpoint(Negotiates, sock=made)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3:]))
