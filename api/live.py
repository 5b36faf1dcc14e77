"""What pages that are open are told of, as server-sent events: that something changed, never what; they ask again.

One look at the store every two seconds serves every stream, and none is taken while there is no stream. A stream holds
the topics that it has not told yet and nothing else, so who reads slowly costs no memory. It ends when its session ends
or may see something else than before, and when the server stops. Everything here runs on the server's own loop, but
for the looks, which run on a thread.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import Overloaded
from controller.changes import Changes, Marks, Topic, about, anything, joined
from controller.errors import StoreError
from controller.store import Store
from core.ids import SessionId, SiteName

log = structlog.get_logger()

LOOK_SECONDS: Final = 2.0
BEAT_SECONDS: Final = 15.0
"""A proxy that closes what is silent sees something; and a session that is over by itself is noticed."""
PACE_SECONDS: Final = 5.0
"""So far apart a topic is told again: a fleet in which something moves all the time is not asked for all the time."""
SEND_SECONDS: Final = 30.0
MAX_STREAMS: Final = 100
MAX_OF_SESSION: Final = 3
"""Browsers open six connections to a server, and streams must not take them all from the pages."""
RETRY_MILLISECONDS: Final = 3000
AGAIN: Final = "again"


@dataclass(slots=True, eq=False)
class Stream:
    """One page that listens."""

    session: SessionId
    sites: frozenset[SiteName] | None  # what it is about
    still: Callable[[], Awaitable[bool]]  # whether it may still listen
    is_limited: bool = False  # whoever listens may see no other site, and learns nothing of how much moves there
    waiting: Changes = field(default_factory=dict)
    told_at: dict[Topic, float] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_doubted: bool = False
    is_over: bool = False

    def tell(self, changes: Changes) -> None:
        found = about(changes, self.sites)
        if found:
            self.waiting = joined(self.waiting, found)
            self.woken.set()

    def doubt(self) -> None:
        """The session may have ended."""
        self.is_doubted = True
        self.woken.set()

    def end(self) -> None:
        self.is_over = True
        self.woken.set()

    def due(self, now: float) -> Mapping[Topic, frozenset[SiteName] | None]:
        """What may be told now; it is not waiting any more."""
        found = {t: s for t, s in self.waiting.items() if now - self.told_at.get(t, -PACE_SECONDS) >= PACE_SECONDS}
        self.waiting = {topic: sites for topic, sites in self.waiting.items() if topic not in found}
        self.told_at |= dict.fromkeys(found, now)
        return found

    def patience(self, now: float) -> float:
        """Until when there is something to do anyhow, in seconds."""
        soon = [self.told_at.get(topic, now) + PACE_SECONDS - now for topic in self.waiting]
        return max(0.0, min([BEAT_SECONDS, *soon]))


class Live:
    """All streams of one server."""

    def __init__(self, store: Store, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._look_seconds = look_seconds
        self._streams: set[Stream] = set()
        self._watching: asyncio.Task[None] | None = None
        self._marks: Marks | None = None
        self._is_over = False

    @property
    def count(self) -> int:
        return len(self._streams)

    async def join(self, stream: Stream, *, seen: str = "") -> None:
        """From now on it is told of changes, and of those since ``seen``, its ``Last-Event-ID``. Raises ``Overloaded``,
        ``StoreError``."""
        self._refuse_too_many(stream)
        self._streams.add(stream)
        try:
            if self._marks is None:
                self._marks = await run_in_threadpool(self._store.marks)
            before = Marks.parse(seen)
            if stream.is_limited:
                stream.tell(anything(stream.sites or frozenset()) if seen else {})
            elif before is not None:
                stream.tell(await run_in_threadpool(self._store.changes, before, self._marks))
        except BaseException:
            self.leave(stream)
            raise
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    def leave(self, stream: Stream) -> None:
        """Nobody listens there any more; without anybody nobody looks."""
        self._streams.discard(stream)
        if not self._streams:
            self._marks = None
            if self._watching is not None:
                self._watching.cancel()
                self._watching = None

    def end(self) -> None:
        """The server stops: every stream ends at once, and none begins."""
        self._is_over = True
        for stream in self._streams:
            stream.end()

    def _refuse_too_many(self, stream: Stream) -> None:
        ours = sum(other.session == stream.session for other in self._streams)
        if self._is_over or len(self._streams) >= MAX_STREAMS or ours >= MAX_OF_SESSION:
            raise Overloaded("as many pages are told of changes as may be", hint="this one asks by itself")

    # --- looking --------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        fails = False
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                await self._look()
                fails = False
            except StoreError as exc:
                if not fails:
                    log.warning("live.no_look", error=str(exc))
                fails = True

    async def _look(self) -> None:
        before = self._marks
        if before is None:
            return
        marks, changes, is_signed_out = await run_in_threadpool(self._looked, before)
        self._marks = marks
        for stream in tuple(self._streams):
            stream.tell(changes)
            if is_signed_out:
                stream.doubt()

    def _looked(self, before: Marks) -> tuple[Marks, Changes, bool]:
        marks = self._store.marks()
        is_signed_out = marks.audit != before.audit and self._store.signed_out_since(before.audit)
        return marks, self._store.changes(before, marks) if marks != before else {}, is_signed_out

    # --- telling --------------------------------------------------------------------------------------------------

    async def told(self, stream: Stream) -> AsyncIterator[str]:
        """What that stream says, until it ends."""
        yield f"retry: {RETRY_MILLISECONDS}\nid: {self._mark(stream)}\n\n"
        clock = asyncio.get_running_loop()
        while not stream.is_over:
            is_beat = not await _within(stream.patience(clock.time()), stream.woken)
            stream.woken.clear()
            if (stream.is_doubted or (is_beat and not stream.waiting)) and not await stream.still():
                return
            stream.is_doubted = False
            if is_beat and not stream.waiting:
                yield ": still here\n\n"
                continue
            due = stream.due(clock.time())
            if due:
                yield "".join(_event(topic, sites) for topic, sites in due.items()) + self._place(stream)

    def _place(self, stream: Stream) -> str:
        """Where to go on from; not said while something is still to be told."""
        return "" if stream.waiting else f"id: {self._mark(stream)}\n\n"

    def _mark(self, stream: Stream) -> str:
        """To come again with. The numbers tell how much moves in the whole store, and so not to everybody."""
        return AGAIN if stream.is_limited else str(self._marks)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether it came in that time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _event(topic: Topic, sites: frozenset[SiteName] | None) -> str:
    said = json.dumps({"sites": None if sites is None else sorted(sites)})
    return f"event: {topic.value}\ndata: {said}\n\n"


class LiveResponse(Response):
    """A stream as an answer: it ends with its reader, and with one that takes nothing for half a minute."""

    def __init__(self, live: Live, stream: Stream) -> None:
        super().__init__(media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._live = live
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hang_up = asyncio.create_task(_hang_up(receive, self._stream))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for text in self._live.told(self._stream):
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            hang_up.cancel()
            self._live.leave(self._stream)


async def _hang_up(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()
