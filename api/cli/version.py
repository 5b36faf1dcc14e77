"""``tokgate version``."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of

from api.cli.show import say


def version() -> None:
    """Say which version this is."""
    say(f"tokgate {version_of('tokgate')} (Python {platform.python_version()})")
