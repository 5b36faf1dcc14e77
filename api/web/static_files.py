"""What pages load besides themselves: files of this package, under addresses that change with their content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from controller.errors import NotFound

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_FOREVER: Final = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@cache
def files() -> dict[str, tuple[bytes, str]]:
    """Each file by its path, with the beginning of its digest. A closed list: no path leads out of it."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES:
            body = path.read_bytes()
            found[path.relative_to(FOLDER).as_posix()] = (body, hashlib.sha256(body).hexdigest()[:12])
    return found


def static(name: str) -> str:
    """The address of a file."""
    return f"/static/{files()[name][1]}/{name}"


@router.get("/static/{digest}/{name:path}")
def static_file(digest: str, name: str) -> Response:
    """The file, for ever, if that is what it holds. Raises ``NotFound``."""
    known = files().get(name)
    if known is None or known[1] != digest:
        raise NotFound("no such file")
    headers = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
    return Response(known[0], media_type=_TYPES[Path(name).suffix], headers=headers)
