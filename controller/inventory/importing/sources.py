"""Which sources there are, and how each is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from controller.inventory.importing.ansible import parse_ansible
from controller.inventory.importing.csv_file import parse_csv
from controller.inventory.importing.errors import SourceFailed
from controller.inventory.importing.model import MAX_DEVICES, Said
from controller.inventory.importing.nautobot import read_nautobot
from controller.inventory.importing.netbox import read_netbox
from controller.inventory.importing.nornir import parse_nornir
from controller.model import ImportKind
from core.secret import SecretRef

MAX_BYTES: Final = 64 * 1024 * 1024


def read_source(
    kind: ImportKind, place: str, *, token: SecretRef | None, filters: Mapping[str, str], ca_file: str | None
) -> Said:
    """What the source at ``place``, an address or a file, says. Raises ``SourceFailed``, ``SecretUnavailable``."""
    try:
        return _bounded(_read(kind, place, token=token, filters=filters, ca_file=ca_file))
    except SourceFailed as exc:
        raise type(exc)(exc.message, hint=exc.hint, place=f"{kind} {_bare(place)}") from exc


def _bounded(found: Said) -> Said:
    if len(found.devices) > MAX_DEVICES:
        raise SourceFailed(f"more than {MAX_DEVICES} devices", hint="is it the right source? --filter takes fewer")
    return found


def _read(
    kind: ImportKind, place: str, *, token: SecretRef | None, filters: Mapping[str, str], ca_file: str | None
) -> Said:
    match kind:
        case ImportKind.NETBOX:
            return read_netbox(place, token, filters=filters, ca_file=ca_file)
        case ImportKind.NAUTOBOT:
            return read_nautobot(place, token, filters=filters, ca_file=ca_file)
        case ImportKind.ANSIBLE:
            return parse_ansible(_text(Path(place)))
        case ImportKind.CSV:
            return parse_csv(_text(Path(place)))
        case ImportKind.NORNIR:
            hosts = Path(place) / "hosts.yaml" if Path(place).is_dir() else Path(place)
            beside = (hosts.with_name(f"{name}.yaml") for name in ("groups", "defaults"))
            return parse_nornir(_text(hosts), *(_text(file) if file.exists() else "" for file in beside))


def _bare(place: str) -> str:
    """Without what stands before an ``@``: it may be a password."""
    scheme, found, rest = place.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found else place


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise SourceFailed(f"cannot be read: {exc.strerror}", hint="name a file") from exc
    if len(raw) > MAX_BYTES:
        raise SourceFailed(f"larger than {MAX_BYTES // 1024 // 1024} MiB", hint="is it the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise SourceFailed("not UTF-8 text", hint="save it as UTF-8") from exc
