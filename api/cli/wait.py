"""Long work says that it is still at it: on a terminal, on stderr, and only once it has taken two seconds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.25


@contextmanager
def working(what: str, *, total: int | None = None, done: Callable[[], int] | None = None) -> Iterator[None]:
    """Show a bar while the block runs. ``done`` says how many of ``total`` are finished; else the bar only moves."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    bar = threading.Thread(target=_show, args=(what, total, done, over), name="progress", daemon=True)
    bar.start()
    try:
        yield
    finally:
        over.set()
        bar.join()


def _show(what: str, total: int | None, done: Callable[[], int] | None, over: threading.Event) -> None:
    if over.wait(PATIENCE_SECONDS):
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from api.cli.show import to_stderr

    counting = [MofNCompleteColumn()] if done is not None else []
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), *counting, TimeElapsedColumn())
    with Progress(*columns, console=to_stderr(), transient=True) as progress:
        task = progress.add_task(what, total=total if done is not None else None)
        while not over.wait(_LOOK_SECONDS):
            if done is not None:
                progress.update(task, completed=done())
