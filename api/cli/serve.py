"""``tokgate serve``: the schedule and the REST API, until it is told to stop. Stopping changes nothing on a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening

if TYPE_CHECKING:
    import socket

    from api.reloading import Rounds
    from api.server import Bind
    from controller.locks import ServeLease
    from controller.settings import Settings


@opening.only_here("a server is started on its own machine")
def serve(
    host: Annotated[str | None, typer.Option("--host", help="Listen here; 127.0.0.1 unless TOKGATE_API_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="8480 unless TOKGATE_API_PORT; 0: a free one.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")] = None,
) -> None:
    """Keep the loop going and serve the API: resolve, sync, poll counters, end exceptions, all by themselves.

    Ctrl-C or SIGTERM ends it, once the devices that were begun are done; what is enforced stays enforced. SIGHUP
    has it take up the inventory and the certificate anew, if they are good. One process may serve a store.
    """
    from controller.log import set_up_logging
    from controller.settings import load_settings

    given = {"api_host": host, "api_port": port, "tls_cert": tls_cert, "tls_key": tls_key}
    settings = load_settings(**{key: value for key, value in given.items() if value is not None})
    set_up_logging(level=settings.log_level, log_format=settings.log_format)
    _serve(settings)


def _serve(settings: Settings) -> None:
    import structlog

    from api import certificates, server
    from api.reloading import Rounds
    from controller.locks import ServeLease
    from controller.store.database import locks_of
    from core.clock import SystemClock
    from core.net import is_loopback

    log = structlog.get_logger()
    bind = _bind(settings)
    if bind.tls is not None:
        certificates.check(bind.tls.certificate, SystemClock().now())
    if bind.tls is None and not is_loopback(bind.host):
        log.warning("serve.plain", host=bind.host, hint="tokens cross the network readable; give --tls-cert, --tls-key")
    rounds = Rounds(settings.inventory, bind.tls)
    over = str(settings.address or settings.data_dir)
    with (
        locks_of(settings.data_dir, settings.address) as locks,
        ServeLease(locks, over=over) as lease,
        server.listening(bind) as opened,
        rounds.signals(),
    ):
        while rounds.goes_on():
            _serve_once(settings, bind, opened, rounds, lease)
    log.info("serve.stopped")


def _serve_once(settings: Settings, bind: Bind, opened: socket.socket, rounds: Rounds, lease: ServeLease) -> None:
    """Until the end, or until another inventory or certificate is to be taken up."""
    import structlog

    from api import server
    from api.app import create_app
    from controller.schedule import Scheduler
    from controller.service import Controller

    log = structlog.get_logger()
    with Controller.open(settings) as controller, controller.receiving.listening(or_go_on=not rounds.is_first):
        made = server.build_server(create_app(controller), bind)
        rounds.begin(made)
        scheduler = Scheduler(controller, reload=rounds.ask, may_run=lease.is_held)
        scheduler.start()
        log.info("serve.started", host=bind.host, port=opened.getsockname()[1], tls=bind.tls is not None)
        try:
            server.run(made, bind, opened)
        finally:
            log.info("serve.stopping")
            controller.wind_up()
            scheduler.stop()


def _bind(settings: Settings) -> Bind:
    from api.server import Bind, Tls

    tls = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        tls = Tls(certificate=settings.tls_cert, key=settings.tls_key)
    return Bind(host=settings.api_host, port=settings.api_port, tls=tls)
