"""One flow: what becomes of it, why, and whether that is proven."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Reader
from api.check_models import Check
from api.models import Instant, Name
from api.reference import answers
from ipsets.explain import MAX_LENGTH

router = APIRouter(tags=["check"])


@router.get("/check", summary="What becomes of one flow, and why", responses=answers(404))
def check(
    controller: Ctl,
    caller: Reader,
    src: Annotated[str, Query(min_length=1, max_length=MAX_LENGTH, description="one address", examples=["10.20.3.7"])],
    dst: Annotated[
        str,
        Query(min_length=1, max_length=MAX_LENGTH, description="one address or one name", examples=["www.tiktok.com"]),
    ],
    at: Annotated[Instant | None, Query(description="at another moment than now")] = None,
    site: Annotated[
        Name | None, Query(description="the site; found by its source networks when left out", examples=["berlin"])
    ] = None,
) -> Check:
    """By the rules that the devices of the site should hold, and by what was last read back there. No device is asked.
    Where one was not read, or cannot hold the entry, the verdict is `unknown`."""
    return Check.of(controller.flows.check(src, dst, at=at, site=site))
