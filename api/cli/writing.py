"""Files that a command writes where it is told to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from api.cli.errors import FileTrouble


@contextlib.contextmanager
def whole(file: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """What the block writes is there when it ends, whole or not at all. Raises ``FileTrouble``.

    ``private``: nobody else may read it.
    """
    draft = file.with_name(f".{file.name}.new")
    try:
        with draft.open("wb") as stream:
            if private:
                draft.chmod(0o600)
            yield stream
        draft.replace(file)
    except OSError as exc:
        with contextlib.suppress(OSError):  # the draft may not even be there; what went wrong is told below
            draft.unlink()
        raise FileTrouble(f"{file} cannot be written: {exc.strerror}", hint="name a file in a folder of yours") from exc
