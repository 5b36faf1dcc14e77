"""How a command gets to the controller, and under whose name it acts. What is heavy is imported here, when needed."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from controller.service import Controller
    from controller.settings import Settings
    from controller.views import Selection

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

    Raises ``ConfigError``.
    """
    from controller.log import set_up_logging
    from controller.settings import load_settings

    found = load_settings()
    asked = "log_level" in found.model_fields_set
    set_up_logging(level=found.log_level if asked else "critical", log_format=found.log_format)
    return found


@contextmanager
def controller() -> Iterator[Controller]:
    """The controller of this installation, or that of ``TOKGATE_URL``. Raises ``ConfigError``, ``StoreError``."""
    if url := os.environ.get("TOKGATE_URL"):
        from api.cli import remote

        with remote.controller(url) as elsewhere:
            yield elsewhere
        return
    found = settings()
    from controller.service import Controller

    with Controller.open(found) as opened:
        yield opened


def selection(sites: list[str] | None, devices: list[str] | None) -> Selection:
    """What ``--site`` and ``--device`` name; everything when both are left out."""
    from controller.views import Selection

    return Selection(sites=tuple(sites or ()), devices=tuple(devices or ()))
