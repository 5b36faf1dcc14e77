"""Which indicators make a service. The first service is TikTok; another one is another entry in ``catalogue.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import ConfigError
from core.net import Network, aggregate
from ipsets import dataset


class Service(BaseModel):
    """What belongs to one service: apps, scopes of names, and the networks that are its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    apps: frozenset[str] = Field(min_length=1)
    scopes: frozenset[str] = frozenset({"tiktok", "cdn-alias"})
    owner_asns: frozenset[int] = frozenset()
    shared_asns: frozenset[int] = frozenset()
    include_shared: bool = False
    """Also enforce names that the service shares with other apps of its owner; why it is off stands in the data."""
    shared_apps: frozenset[str] = frozenset()
    surfaces: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Parts that work may need (ads manager, business API …), by name, for exceptions and reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All services, and the apps whose names no source brings into any of them."""

    services: Mapping[str, Service]
    refused_apps: Mapping[str, str]  # app -> why


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The shipped catalogue, or the one in ``path``. Raises ``ConfigError`` with the file and the key."""
    return _shipped() if path is None else _parse(str(path), path.read_text(encoding="utf-8"))


@cache
def _shipped() -> Catalogue:
    return _parse("catalogue.yaml", (files("ipsets") / "data" / "catalogue.yaml").read_text(encoding="utf-8"))


def _parse(place: str, text: str) -> Catalogue:
    try:
        loaded: dict[str, Any] = yaml.safe_load(text)
        services = {name: Service(name=name, **fields) for name, fields in loaded["services"].items()}
        refused = {str(app): str(why) for app, why in (loaded.get("refused_apps") or {}).items()}
    except (yaml.YAMLError, ValidationError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"not a catalogue: {exc}", place=place, hint="see ipsets/data/catalogue.yaml") from exc
    return Catalogue(services=services, refused_apps=refused)


@cache
def shared_cdn_ranges() -> tuple[Network, ...]:
    """The published ranges of content networks and clouds that others use too, aggregated."""
    return aggregate(row.network for row in dataset.cdn_ranges())
