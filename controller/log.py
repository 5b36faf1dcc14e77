"""The log: events with fields on standard error, JSON unless a person watches. Called once, when a command starts.

Libraries' own messages come the same way. Tracebacks show no local variables, and a value can neither start a line of
its own nor move a cursor: device text and names end up here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import Processor

from core.secret import HIDDEN, without_tokens

Level = Literal["debug", "info", "warning", "error", "critical"]
Format = Literal["auto", "console", "json"]

QUIET: Final = ("alembic", "apscheduler", "asyncio", "httpcore", "httpx", "uvicorn.access")
"""Libraries whose ordinary messages say nothing to an operator; their warnings are kept."""

SILENT: Final = ("paramiko",)
"""Libraries that log a traceback for what they also raise: a firewall that hangs up is told once, as our own error."""

_SECRET_KEYS: Final = frozenset({"password", "passphrase", "secret", "token_text", "authorization", "private_key"})


def set_up_logging(*, level: Level = "info", log_format: Format = "auto", stream: TextIO | None = None) -> None:
    """Send every event to ``stream`` (standard error when left out) in the chosen form."""
    out = stream or sys.stderr
    as_console = log_format == "console" or (log_format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _route(out, level, _formatter(shared, as_console=as_console, colors=as_console and out.isatty()))


def _formatter(shared: list[Processor], *, as_console: bool, colors: bool) -> logging.Formatter:
    last: list[Processor] = [structlog.processors.JSONRenderer(sort_keys=True, default=str, ensure_ascii=True)]
    if as_console:
        plain = structlog.dev.plain_traceback
        last = [one_line, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), without_colors],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _route(out: TextIO, level: Level, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A field that is named like a secret is never written, whoever put it there; nor is a token of ours in a text."""
    for key in _SECRET_KEYS & event.keys():
        event[key] = HIDDEN
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = without_tokens(value)
    return event


def without_colors(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """uvicorn says everything a second time, for a terminal."""
    event.pop("color_message", None)
    return event


def one_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Everything but a traceback in one line of printable characters."""
    for key, value in event.items():
        if key not in ("exception", "stack") and isinstance(value, str) and not value.isprintable():
            event[key] = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return event
