"""The emulators' own tests, run once more on boxes that are all in one position of a switch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


def failing(files: Iterable[str], *, variable: str, position: str) -> set[str]:
    """The tests of these files that fail where the environment's ``variable`` names the position."""
    paths = [str(HERE / f"{name}.py") for name in files]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rf", "-p", "no:cacheprovider", *paths],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, variable: position},
    )
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    return {line.split("::")[1].split(" - ")[0].split("[")[0] for line in lines}
