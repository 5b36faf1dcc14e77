"""One server after another in one process: the next has the inventory and the certificate that the files then hold.

Asked for by SIGHUP or by the schedule. What the files say is checked first; what is wrong is told, and everything stays
as it is (I2).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog

from api.server import Server, Tls, tls_context
from controller.evidence.listening import tls_context as syslog_context
from controller.inventory import load_inventory
from core.errors import ConfigError

log = structlog.get_logger()


class Rounds:
    """The servers of one process. ``goes_on`` says whether another one is to begin."""

    def __init__(self, inventory: Path, tls: Tls | None) -> None:
        self._inventory = inventory
        self._tls = tls
        self._server: Server | None = None
        self._again = True
        self._ended = False

    def goes_on(self) -> bool:
        told = self._server is not None and self._server.was_told_to_end
        return self._again and not (self._ended or told)

    @property
    def is_first(self) -> bool:
        """Whether none has served so far."""
        return self._server is None

    def begin(self, server: Server) -> None:
        """This one serves now; it ends at once when the end was asked for meanwhile."""
        self._again = False
        self._server = server
        server.should_exit = self._ended

    def ask(self) -> None:
        """End the server that runs, and begin another one, if the files are good."""
        try:
            for listener in load_inventory(self._inventory).evidence.listen:
                if listener.over == "tls":
                    syslog_context(listener)
            if self._tls is not None:
                tls_context(self._tls)
        except ConfigError as exc:
            log.warning("serve.reload_refused", code=exc.code, error=str(exc), hint="what was in force stays")
            return
        self._again = True
        if self._server is not None:
            self._server.should_exit = True

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGHUP asks; SIGTERM and SIGINT are minded between two servers too, which mind them while they run.

        For the main thread.
        """
        wanted = {signal.SIGHUP: self._hung_up, signal.SIGTERM: self._end, signal.SIGINT: self._end}
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        """The main thread is not kept waiting by a check of files."""
        threading.Thread(target=self.ask, name="reload", daemon=True).start()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ended = True
        if self._server is not None:
            self._server.should_exit = True
