"""Health: the two probes that need no token, the metrics, and the API's own description."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from api import reference
from api.auth import Ctl, Reader, WholeCtl
from api.health_models import Health, Live, Ready
from api.metrics import CONTENT_TYPE, Metrics

router = APIRouter(tags=["health"])
api_router = APIRouter(tags=["health"])

_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Prometheus text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A page without scripts", "content": {"text/html": {"schema": {"type": "string"}}}}
}
_DOCUMENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}
}


@router.get("/livez", summary="Whether the process answers")
async def livez() -> Live:
    return Live()


@router.get("/readyz", summary="Whether the process does its work", responses={503: {"model": Ready}})
def readyz(controller: WholeCtl, response: Response) -> Ready:
    """A firewall that is down is the fleet's health, not this process's: see the devices."""
    ready = Ready.of(controller.health())
    response.status_code = 200 if ready.ready else 503
    return ready


@router.get("/metrics", summary="Prometheus metrics", response_class=Response, responses=_TEXT)
def metrics(request: Request, caller: Reader) -> Response:
    """Computed when asked for."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE)


@api_router.get("/health", summary="Whether the process does its work, and what is wrong")
def health(controller: Ctl, caller: Reader, request: Request) -> Health:
    return Health.of(controller.health(), version=request.app.version)


@api_router.get("/openapi.json", summary="This document", response_class=JSONResponse, responses=_DOCUMENT)
def openapi(request: Request, caller: Reader) -> Response:
    return JSONResponse(request.app.openapi())


@api_router.get("/docs", summary="This document as a page", response_class=HTMLResponse, responses=_PAGE)
def docs(request: Request, caller: Reader) -> Response:
    return HTMLResponse(
        reference.page(request.app.openapi()), headers={"Content-Security-Policy": reference.PAGE_POLICY}
    )
