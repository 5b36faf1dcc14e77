"""A page as PDF. WeasyPrint lays it out, an extra of the package; it needs the library Pango of the system."""

from __future__ import annotations

import logging
from typing import Any

from controller.errors import FormMissing

HINT = "pip install 'tokgate[pdf]', and the system's Pango: apt install libpango-1.0-0 libpangoft2-1.0-0"


def render(page: str) -> bytes:
    """Nothing is loaded from anywhere: what a page needs is in it. Raises ``FormMissing``."""
    make = maker()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it tells every property that is for screens only
    made: bytes = make(string=page, url_fetcher=_refuse).write_pdf()
    return made


def maker() -> Any:
    """What lays pages out; for who wants to know at once whether it is there. Raises ``FormMissing``."""
    try:
        from weasyprint import HTML  # half a second and 60 MB that only this needs
    except ImportError as exc:
        raise FormMissing("PDF needs WeasyPrint, which is not installed", hint=HINT) from exc
    except OSError as exc:  # it found no Pango
        raise FormMissing(f"PDF needs libraries of the system that are not there: {exc}"[:300], hint=HINT) from exc
    return HTML


def _refuse(url: str, *_: Any, **__: Any) -> dict[str, Any]:
    raise ValueError(f"a report loads nothing, not even {url[:80]}")
