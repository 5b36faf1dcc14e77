"""A table: a line for each device, with a head that names the columns. Unknown columns are left alone."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import replace
from itertools import islice
from typing import Final

from controller.inventory.importing.errors import SourceFailed
from controller.inventory.importing.model import MAX_DEVICES, SECRETS, Said, SaidDevice, SaidSite

_NEEDED: Final = ("name", "host", "platform")
_FIELD_LIMIT: Final = 131_072  # characters; the module's own limit


def parse_csv(text: str) -> Said:
    """Columns: name, host, platform (or vendor), site, port, username, time_zone, site_title, prefixes as
    ``role=10.0.0.0/24 role=…``. Raises ``SourceFailed``."""
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        rows = list(islice(reader, MAX_DEVICES + 1))
    except csv.Error as exc:
        raise SourceFailed(f"not CSV: {exc}", hint="save it as comma-separated UTF-8") from exc
    if len(rows) > MAX_DEVICES:
        raise SourceFailed(f"more than {MAX_DEVICES} lines", hint="is it the right file? split it if it is")
    if not rows:
        raise SourceFailed("no device in it", hint="the first line names the columns: name,host,platform,site")
    heads = {str(head).strip().lower(): head for head in rows[0] if head is not None}
    missing = [name for name in _NEEDED if name not in heads and not (name == "platform" and "vendor" in heads)]
    if missing:
        raise SourceFailed(f"no column {', '.join(missing)}", hint="the first line names the columns")

    def cell(row: dict[str, str], name: str) -> str:
        return str(row.get(heads.get(name, ""), "") or "").strip()

    sites: dict[str, SaidSite] = {}
    networks: dict[str, list[tuple[str, str]]] = defaultdict(list)
    devices = []
    for row in rows:
        name = cell(row, "site")
        before = sites.get(name, SaidSite(name=name))
        networks[name] += ((r, p) for r, _, p in (part.partition("=") for part in cell(row, "prefixes").split()))
        sites[name] = SaidSite(
            name=name,
            title=before.title or cell(row, "site_title"),
            time_zone=before.time_zone or cell(row, "time_zone"),
        )
        devices.append(
            SaidDevice(
                name=cell(row, "name"),
                site=name,
                host=cell(row, "host"),
                port=cell(row, "port"),
                platforms=tuple(filter(None, (cell(row, "vendor"), cell(row, "platform")))),
                username=cell(row, "username"),
                secrets={key: value for key in SECRETS if (value := cell(row, key))},
            )
        )
    found = (replace(site, networks=tuple(networks[site.name])) for site in sites.values() if site.name)
    return Said(sites=tuple(found), devices=tuple(devices))
