"""Which indicators make a service. The first service is TikTok; another one is another entry in ``catalogue.yaml``.

A policy may also choose one app, or everything of one owner: those are services too, made when a policy names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.net import Network, aggregate
from ipsets import dataset, rulebook
from ipsets.model import Dedication
from ipsets.owners import Owners, shipped_owners

APP: Final = "app-"
OWNER: Final = "owner-"
"""What the services of one app, and of one owner, are called by: ``app-capcut``, ``owner-bytedance``."""


class Service(BaseModel):
    """What belongs to one service: apps, scopes of names, and the networks that are its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    apps: frozenset[str]
    scopes: frozenset[str] = frozenset({"tiktok", "cdn-alias"})
    owner_asns: frozenset[int] = frozenset()
    shared_asns: frozenset[int] = frozenset()
    include_shared: bool = False
    """Also enforce names that the service shares with other apps of its owner; why it is off stands in the data."""
    shared_apps: frozenset[str] = frozenset()
    owner: str = ""
    """Everything of this owner: by who originates an address (its ``owner_asns``), and by the apps for names."""
    surfaces: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Parts that work may need (ads manager, business API …), by name, for exceptions and reports."""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self.apps and not self.owner:
            raise ValueError("a service has at least one app")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """What a network (AS) originates: of which app, and whether of it alone."""

    app: str
    dedication: Dedication


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All services, what else a policy may choose, and the apps whose names no source brings into any of them."""

    services: Mapping[str, Service]
    refused_apps: Mapping[str, str]  # app -> why
    apps: Mapping[str, str] = field(default_factory=dict)  # further apps -> title
    owners: Owners = field(default_factory=shipped_owners)
    asns: Mapping[int, Whose] = field(default_factory=dict)
    """Networks that the shipped data does not know, because they are of services of the user's own."""

    @property
    def single_apps(self) -> Mapping[str, str]:
        """Every app that a policy may choose, and its title."""
        return {app: service.title for service in self.services.values() for app in service.apps} | dict(self.apps)

    @property
    def shared_apps(self) -> frozenset[str]:
        """What several apps share: no app of its own."""
        return frozenset(app for service in self.services.values() for app in service.shared_apps)

    @property
    def single_owners(self) -> tuple[str, ...]:
        """Every owner that a policy may choose."""
        return tuple(name for name, owner in self.owners.known.items() if not owner.refused)

    def refusal_of_app(self, app: str) -> str | None:
        """Why a policy may not choose this app although it is known."""
        if app in self.shared_apps and app not in self.single_apps:
            return f"{app} is what several apps share, and no app; `owners` chooses it with them"
        return self.refused_apps.get(app)

    def refusal_of_owner(self, owner: str) -> str | None:
        """Why a policy may not choose this owner although it is known."""
        found = self.owners.known.get(owner)
        return found.refused or None if found else None

    def service_of_app(self, app: str) -> str:
        """The service that is this app: one that consists of it alone, else one made for it."""
        alone = (name for name, service in self.services.items() if service.apps == {app} and not service.owner)
        return next(alone, f"{APP}{app}")

    @staticmethod
    def service_of_owner(owner: str) -> str:
        return f"{OWNER}{owner}"

    def choosing(self, *, apps: Iterable[str], owners: Iterable[str]) -> Catalogue:
        """The same with a service for each of these, where none is yet. They must be known ones."""
        made = [self._of_app(app) for app in apps] + [self._of_owner(owner) for owner in owners]
        return replace(self, services=dict(self.services) | {s.name: s for s in made if s.name not in self.services})

    def _of_app(self, app: str) -> Service:
        return Service(
            name=self.service_of_app(app),
            title=self.single_apps[app],
            apps=frozenset({app}),
            scopes=frozenset({app, "cdn-alias"}),
        )

    def _of_owner(self, name: str) -> Service:
        owner = self.owners.known[name]
        apps = owner.apps & self.single_apps.keys()
        return Service(
            name=self.service_of_owner(name),
            title=owner.title,
            apps=apps,
            scopes=apps | {"cdn-alias"},
            owner=name,
            owner_asns=owner.alone,
            shared_apps=owner.apps & self.shared_apps,
            include_shared=True,
        )


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: Mapping[str, Service]
    apps: Mapping[str, str] | None = None
    refused_apps: Mapping[str, str] | None = None

    @field_validator("services", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return {name: _named(name, fields) for name, fields in given.items()} if isinstance(given, dict) else given


def _named(name: Any, fields: Any) -> Any:
    """A service's own name is its key, and stands nowhere else."""
    if not isinstance(fields, dict):
        return fields
    if "name" in fields:
        raise ValueError(f"{name!r} has a `name`; the key is its name")
    return {**fields, "name": name}


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The shipped catalogue, or the one in ``path``. Raises ``ConfigError`` with the file, the line and the key."""
    return _shipped() if path is None else parse_catalogue(rulebook.read_file(path), place=str(path))


@cache
def _shipped() -> Catalogue:
    return parse_catalogue(dataset.shipped_bytes("catalogue.yaml"), place="catalogue.yaml")


def parse_catalogue(raw: bytes, *, place: str) -> Catalogue:
    """The catalogue that a file holds. Raises ``ConfigError`` with the line and the key."""
    file = rulebook.shaped(_File, raw, place=place)
    return Catalogue(services=file.services, refused_apps=file.refused_apps or {}, apps=file.apps or {})


@cache
def shared_cdn_ranges() -> tuple[Network, ...]:
    """The published ranges of content networks and clouds that others use too, aggregated."""
    return aggregate(row.network for row in dataset.cdn_ranges())
