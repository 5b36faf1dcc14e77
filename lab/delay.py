"""A line with a delay: a TCP proxy on the loopback that hands everything on so much later, in both directions.

For measurements, since not every kernel has netem. Nothing is slowed down beyond the delay: bytes that come close
together leave close together, as on a long line with room.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"


@contextlib.contextmanager
def delayed(host: str, port: int, round_trip: timedelta) -> Iterator[int]:
    """The port on the loopback where ``host`` is reached, half of ``round_trip`` away in each direction."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="delay", daemon=True)
    thread.start()
    line = _Line(host=host, port=port, seconds=round_trip.total_seconds() / 2)
    try:
        try:
            yield _wait(loop, line.open())
        finally:
            _wait(loop, line.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, loop).result(30)


@dataclass(slots=True)
class _Line:
    host: str
    port: int
    seconds: float
    server: asyncio.Server | None = None

    async def open(self) -> int:
        self.server = await asyncio.start_server(self._carry, LOOPBACK, 0)
        return int(self.server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self.server is not None:
            self.server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection(self.host, self.port)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(self._one_way(near, there), self._one_way(far, back))
        for writer in (there, back):
            writer.close()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Each piece leaves so long after it came, whatever else is under way."""
        loop = asyncio.get_running_loop()
        while data := await reader.read(65_536):
            loop.call_later(self.seconds, _write, writer, data)
        await asyncio.sleep(self.seconds)
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
