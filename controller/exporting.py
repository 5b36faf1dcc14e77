"""The threads that send exports. One for each receiver, in the process that runs the schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import structlog

from controller.export.exporter import Exporter, ExportView
from controller.export.record import here
from controller.export.syslog_wire import SyslogWire
from controller.export.webhook_wire import WebhookWire
from controller.export.wire import Wire
from controller.inventory import Inventory
from controller.inventory.exports import Export, SyslogExport, WebhookExport
from controller.privacy_desk import PrivacyDesk
from controller.settings import Settings
from controller.store import Store
from core.clock import Clock

log = structlog.get_logger()

POLL_SECONDS: Final = 1.0
SOON_SECONDS: Final = 0.25
"""While something is under way that is not confirmed."""


class Exporting:
    """``start`` and ``stop`` are the schedule's."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        clock: Clock,
        settings: Settings,
        *,
        privacy: PrivacyDesk,
        may_run: Callable[[], bool] = lambda: True,
    ) -> None:
        """``privacy``: the controller's own, so that a key that is destroyed is gone here too. ``may_run`` is asked
        before each turn."""
        origin = here()
        self.exporters = {
            name: Exporter(
                name,
                config,
                store=store,
                folder=spool_folder(settings.data_dir, name),
                clock=clock,
                origin=origin,
                wire=wire_of(config, clock, settings),
                privacy=privacy,
            )
            for name, config in sorted(inventory.exports.items())
        }
        self._may_run = may_run
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for name, exporter in self.exporters.items():
            thread = threading.Thread(target=self._run, args=(exporter,), name=f"export-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """What is under way ends; what waits is sent after the next start."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def views(self) -> Mapping[str, ExportView]:
        return {name: exporter.view for name, exporter in self.exporters.items()}

    def _run(self, exporter: Exporter) -> None:
        while not self._stop.is_set():
            more = False
            try:
                more = self._may_run() and exporter.turn()
            except Exception as exc:  # the top of the thread: told, and tried again
                log.exception("export.broken", export=exporter.view.name, error=str(exc))
            if not more:
                self._stop.wait(SOON_SECONDS if exporter.view.waiting else POLL_SECONDS)
        exporter.close()


def wire_of(config: Export, clock: Clock, settings: Settings) -> Wire:
    match config:
        case SyslogExport():
            return SyslogWire(config, clock)
        case WebhookExport():
            return WebhookWire(config, clock, allowed=tuple(ip_network(text) for text in settings.webhook_networks))
        case _:
            from controller.export.kafka_wire import KafkaWire  # an extra: most have no such broker

            return KafkaWire(config)


def spool_folder(data_dir: Path, name: str) -> Path:
    """Where what waits for a receiver lies."""
    return data_dir / "exports" / name


__all__ = ["Exporting", "spool_folder", "wire_of"]
