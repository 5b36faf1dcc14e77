"""Commands that a package above this one brings, by the entry-point group ``tokgate.commands``.

``tokgate lab`` and ``tokgate demo`` are found this way, so the API never imports the lab. They are loaded only when
they are called or listed: a command that is not asked for costs nothing, and a broken one breaks no other.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
from typer.core import TyperGroup

from api.cli import opening
from api.cli.errors import CommandBroken, OnlyHere
from core.errors import TokgateError

GROUP: Final = "tokgate.commands"


@cache
def _found() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def load(point: EntryPoint) -> Any:
    """The command, made from a Typer application or from a function. Raises ``CommandBroken``."""
    try:
        brought = point.load()
    except (ImportError, AttributeError) as exc:
        raise CommandBroken(
            f"`{point.name}` cannot be loaded: {exc}", hint=f"reinstall what brings {point.value}"
        ) from exc
    application = brought if isinstance(brought, typer.Typer) else _application(brought)
    command = typer.main.get_command(application)
    command.name = point.name
    return command


def _loaded(point: EntryPoint) -> Any:
    """The command, or one that only says why it is not there."""
    try:
        opening.refuse_elsewhere("what comes from another package knows this machine alone")
        return load(point)
    except (CommandBroken, OnlyHere) as exc:
        return typer.main.get_command(_absent(exc))


def _absent(error: TokgateError) -> typer.Typer:
    application = typer.Typer(add_completion=False)

    @application.command(
        help=f"Not available: {error.message}",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def absent() -> None:
        raise error

    return application


def _application(function: Any) -> typer.Typer:
    application = typer.Typer(add_completion=False)
    application.command()(function)
    return application


class Commands(TyperGroup):
    """Our commands and those that others bring, in one alphabet."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted({*super().list_commands(ctx), *_found()})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        return _loaded(_found()[cmd_name]) if own is None and cmd_name in _found() else own
