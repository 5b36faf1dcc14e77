"""What the configuration asks for and is not installed: the extras of the package, each with what needs it. Pure but
for looking what is installed.

A process that enforces goes on without them, so whoever only reads its log may miss it for long: `tokgate config check`
says it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from controller.inventory import Inventory
from controller.inventory.exports import KafkaExport
from controller.inventory.references import references
from controller.settings import Settings
from core.secret import SecretRef

MODULES: Final[Mapping[str, str]] = {
    "kafka": "confluent_kafka",
    "s3": "boto3",
    "pdf": "weasyprint",
    "keyring": "keyring",
    "mrt": "ftlbgp",
    "postgresql": "psycopg",
}
"""The extra, and the module that it brings."""
SYSTEM: Final[Mapping[str, str]] = {"pdf": ", and the system's Pango: apt install libpango-1.0-0 libpangoft2-1.0-0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """``places``: the keys that need the extra."""

    extra: str
    places: tuple[str, ...]

    @property
    def todo(self) -> str:
        return f"pip install 'tokgate[{self.extra}]'{SYSTEM.get(self.extra, '')}"


def missing(
    inventory: Inventory, settings: Settings, *, is_there: Callable[[str], bool] | None = None
) -> tuple[Needed, ...]:
    """By extra; ``is_there`` says whether a module can be imported, by default by looking for it."""
    there = is_there or (lambda module: find_spec(module) is not None)
    found = dict[str, list[str]]()
    for extra, place in _needed(inventory, settings):
        found.setdefault(extra, []).append(place)
    return tuple(
        Needed(extra=extra, places=tuple(places))
        for extra, places in sorted(found.items())
        if not there(MODULES[extra])
    )


def _needed(inventory: Inventory, settings: Settings) -> Iterator[tuple[str, str]]:
    for name, export in inventory.exports.items():
        if isinstance(export, KafkaExport):
            yield "kafka", f"exports.{name}"
    for name, report in inventory.reports.items():
        if report.form == "pdf":
            yield "pdf", f"reports.{name}"
        if any(target.s3 is not None for target in report.to):
            yield "s3", f"reports.{name}"
    yield from (("mrt", f"source {source.name}") for source in inventory.sources if source.kind == "mrt")
    yield from (("keyring", place) for place, ref in references(inventory) if ref.scheme == "keyring")
    for key, value in settings:
        if isinstance(value, SecretRef) and value.scheme == "keyring":
            yield "keyring", f"TOKGATE_{key.upper()}"
    if settings.address is not None:
        yield "postgresql", "TOKGATE_DATABASE"


__all__ = ["MODULES", "Needed", "missing"]
