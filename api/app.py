"""The REST API as one ASGI application over one controller. It decides nothing: it parses, asks, and shows."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from ipaddress import ip_network
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute

from api import idempotency, problems, reference, sessions
from api.auth import GuessBrake
from api.conditional import Conditional, refuse_ignored
from api.dry_run import DryRun
from api.jobs import Jobs
from api.lanes import Lane
from api.limits import Limits
from api.live import Live
from api.metrics import Metrics
from api.oidc import OpenIdProvider
from api.proxies import Proxied
from api.routes import (
    audit,
    check,
    config,
    coverage,
    devices,
    drift,
    emergencies,
    episodes,
    events,
    evidence,
    exceptions,
    exports,
    feeds,
    health,
    intel,
    intel_bundles,
    intel_lists,
    jobs,
    me,
    packs,
    people,
    plans,
    policies,
    proofs,
    quarantine,
    reconciliation,
    reports,
    retention,
    runs,
    sites,
    snapshots,
    sources,
    tokens,
    unmaskings,
    webhooks,
)
from api.strict_query import refuse_unknown
from api.switchboard import Switchboard
from api.web import account, asking, blocked, fleet, home, pages, signin, static_files
from api.web import audit as audit_page
from api.web import devices as device_pages
from api.web import emergencies as emergency_pages
from api.web import episodes as episode_pages
from api.web import exceptions as exceptions_pages
from api.web import intelligence as intelligence_pages
from api.web import live as live_route
from api.web import policy as policy_pages
from api.web import proofs as proof_pages
from api.web import retention as retention_page
from api.web import runs as run_pages
from api.web import unmasking as unmasking_pages
from api.web import webhooks as webhook_pages
from controller.packs.shelf import Shelf
from controller.service import Controller

PREFIX = "/api/v1"
_NOUNS = (
    check,
    sites,
    policies,
    devices,
    snapshots,
    sources,
    intel,
    intel_lists,
    intel_bundles,
    plans,
    runs,
    jobs,
    feeds,
    drift,
    exceptions,
    emergencies,
    events,
    quarantine,
    coverage,
    proofs,
    episodes,
    evidence,
    exports,
    reports,
    packs,
    reconciliation,
    unmaskings,
    retention,
    tokens,
    people,
    me,
    audit,
    config,
    webhooks,
)


def create_app(controller: Controller) -> FastAPI:
    """The application. It does not own the controller: who opened it closes it, after the server has stopped."""
    app = Api(
        title="tokgate",
        version=version("tokgate"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.controller = controller
    app.state.brake = GuessBrake(controller.clock)
    access = controller.inventory.access
    app.state.provider = OpenIdProvider(access, access.provider, controller.clock) if access.provider else None
    app.state.asking = blocked.brake_for(controller)
    app.state.lane = Lane()
    app.state.sign_ins = Lane(busy="sign-ins are under way already")
    app.state.jobs = Jobs(controller.clock, app.state.lane)
    app.state.bundles = Lane(1, busy="bundle is being imported or exported already")
    app.state.packs = Lane(1, busy="evidence pack is being made already")
    app.state.shelf = Shelf(controller.settings.data_dir / "packs", controller.clock)
    app.state.uploads = Lane(2, busy="uploads of evidence are being read already")
    app.state.live = Live(controller.store)
    app.state.metrics = Metrics(controller, version=app.version)
    idempotency.install(app)
    app.add_middleware(Conditional)
    app.add_middleware(DryRun)
    app.add_middleware(Limits)
    proxies = tuple(ip_network(text) for text in controller.settings.trusted_proxies)
    app.add_middleware(Proxied, trusted=proxies)
    problems.install(app)
    sessions.install(app)
    pages.install(app)
    app.router.routes.extend(_routes())
    app.router.middleware_stack = Switchboard.before(app.router)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """All of ours, made once in a process: it takes a third of a second, and nothing of it is one controller's."""
    ours = APIRouter(dependencies=[Depends(refuse_ignored), Depends(refuse_unknown)])
    for noun in _NOUNS:
        ours.include_router(noun.router, prefix=PREFIX)
    ours.include_router(feeds.groups, prefix=PREFIX)
    ours.include_router(health.api_router, prefix=PREFIX)
    ours.include_router(health.router)
    ours.include_router(feeds.lists)
    ours.include_router(signin.router)
    ours.include_router(static_files.router)
    ours.include_router(home.router)
    ours.include_router(live_route.router)
    ours.include_router(fleet.router)
    ours.include_router(episode_pages.router)
    ours.include_router(blocked.router)
    ours.include_router(account.router)
    ours.include_router(asking.router)
    ours.include_router(exceptions_pages.router)
    ours.include_router(unmasking_pages.router)
    ours.include_router(policy_pages.router)
    ours.include_router(emergency_pages.router)
    ours.include_router(audit_page.router)
    ours.include_router(retention_page.router)
    ours.include_router(proof_pages.router)
    ours.include_router(intelligence_pages.router)
    ours.include_router(run_pages.router)
    ours.include_router(device_pages.router)
    ours.include_router(webhook_pages.router)
    return ours.routes


class Api(FastAPI):
    """FastAPI with our document; it is served by a route of ours, which asks for a token."""

    def openapi(self) -> dict[str, Any]:
        return reference.document(self)
