"""How a command gets to whom it asks, and under whose name it acts. What is heavy is imported here, when needed."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from controller.service import Controller
    from controller.settings import Settings
    from controller.views import Selection

P = ParamSpec("P")
R = TypeVar("R")

URL: Final = "TOKGATE_URL"
_LOGIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)


def actor() -> str:
    """``cli:<unix user>``, for the audit log; behind sudo it is the person, not root."""
    user = os.getuid()
    person = os.environ.get("SUDO_USER", "") if user == 0 else ""
    if _LOGIN.fullmatch(person):
        return f"cli:{person}"
    try:
        return f"cli:{pwd.getpwuid(user).pw_name}"
    except KeyError:  # a container may run as a number that has no name
        return f"cli:uid-{user}"


def settings() -> Settings:
    """The settings, with the log quiet unless a level was asked for: a command's answer is what it prints.

    Raises ``ConfigError``; ``OnlyHere``: another machine is meant, and these would be of this one.
    """
    refuse_elsewhere("it works on the settings and the store of this machine")
    from controller.log import set_up_logging
    from controller.settings import load_settings

    found = load_settings()
    asked = "log_level" in found.model_fields_set
    set_up_logging(level=found.log_level if asked else "critical", log_format=found.log_format)
    return found


@contextmanager
def controller() -> Iterator[Controller]:
    """The controller of this installation. Raises ``ConfigError``, ``StoreError``, ``OnlyHere``."""
    found = settings()
    from controller.service import Controller

    with Controller.open(found) as opened:
        yield opened


@contextmanager
def counterpart() -> Iterator[Counterpart]:
    """Whom a command asks: the controller of this installation, or the server of ``TOKGATE_URL``.

    Raises ``ConfigError``, ``StoreError``, and what the server refuses as the error that it names.
    """
    if url := os.environ.get(URL):
        from api.cli import remote

        with remote.counterpart(url) as asked:
            yield asked
        return
    from api.cli.counterpart import Counterpart

    with controller() as opened:
        yield Counterpart(opened, actor())


def is_elsewhere() -> bool:
    """Whether another machine is meant."""
    return bool(os.environ.get(URL))


def refuse_elsewhere(why: str) -> None:
    """Raises ``OnlyHere`` when another machine is meant: what can only be done here must not be done here silently."""
    if is_elsewhere():
        from api.cli.errors import OnlyHere

        raise OnlyHere(
            f"{URL} is set, and this is not done over the API: {why}",
            hint=f"log in to the machine that is meant; or `env -u {URL} tokgate …` for this one",
        )


def only_here(why: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A command that is refused, with the reason, when another machine is meant."""

    def mark(command: Callable[P, R]) -> Callable[P, R]:
        @wraps(command)
        def refusing(*args: P.args, **kwargs: P.kwargs) -> R:
            refuse_elsewhere(why)
            return command(*args, **kwargs)

        return refusing

    return mark


def selection(sites: list[str] | None, devices: list[str] | None) -> Selection:
    """What ``--site`` and ``--device`` name; everything when both are left out."""
    from controller.views import Selection

    return Selection(sites=tuple(sites or ()), devices=tuple(devices or ()))
