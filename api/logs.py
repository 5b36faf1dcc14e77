"""Logs as events with fields, on stderr: readable on a terminal, one JSON object a line elsewhere.

The libraries' own loggers go the same way from WARNING on: paramiko and uvicorn say little that our events do not say
better. A command that ends by itself is quiet unless ``TOKGATE_LOG_LEVEL`` is set: its answer is what it prints.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import Any, Final

import structlog
from structlog.typing import Processor

from controller.settings import Settings

_LIBRARIES: Final = ("paramiko", "netmiko", "uvicorn", "apscheduler", "alembic", "sqlalchemy", "httpx", "httpcore")


def configure(settings: Settings, *, quiet: bool = False) -> None:
    """Set up logging for this process. ``quiet``: only errors, unless a level was asked for."""
    asked = "log_level" in settings.model_fields_set
    level = logging.getLevelName(settings.log_level.upper() if asked or not quiet else "CRITICAL")
    shared = _shared()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    renderer = _renderer(settings)
    finish: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=finish))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(settings: Settings) -> list[Processor]:
    on_terminal = sys.stderr.isatty()
    if settings.log_format == "json" or (settings.log_format == "auto" and not on_terminal):
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=_text)]
    return [_one_line, structlog.dev.ConsoleRenderer(colors=on_terminal)]


def _one_line(logger: object, method: str, event: Any) -> Any:
    """What a device said may hold control characters; a terminal would obey them."""
    return {key: _printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def _text(value: object) -> str:
    return str(value)
