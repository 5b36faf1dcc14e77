"""Evidence in files, judged at once and kept nowhere: what ``tokgate detect`` does. No store, no network.

Without an inventory every client is at one site, whose policy only watches. Exceptions are known as far as the judge
was given them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from controller.evidence import rules
from controller.evidence.correlating import Draft, episode_of, fold, signs_by_keys, signs_of
from controller.evidence.judging import Judge, parted
from controller.evidence.model import Episode, Quarantine, Rejected, Sighting
from controller.evidence.naming import Waiting
from controller.evidence.ways import Ways
from controller.inventory import Inventory, Policy, Site
from controller.inventory.model import Intelligence, RolePolicy
from controller.model import Mode
from core.ids import EventId, SiteName
from core.net import parse_network
from ipsets import dataset
from ipsets.catalogue import APP, load_catalogue
from ipsets.services import OwnService

NOWHERE: Final = SiteName("offline")
REST: Final = "rest"
CHUNK: Final = 100_000
"""Sightings that are judged together: so far apart a name and its connection find each other."""
NAMELESS_MOST: Final = 500_000
"""Records that wait for one that names them, or say that a name is foreign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What files come to. ``rejected`` counts; ``unnamed``: so many could not wait for what is said of them later."""

    episodes: tuple[Episode, ...]
    sightings: int
    strangers: int
    rejected: Mapping[Quarantine, int]
    samples: tuple[Rejected, ...]  # the first of each reason
    unnamed: int

    @property
    def is_judged(self) -> bool:
        """False: there were records, and every one of them was set aside, so nobody knows whether there was use."""
        return bool(self.sightings) or not self.rejected


def without_sites() -> Inventory:
    """An inventory that says nothing: one site that everything is at."""
    everywhere = tuple(parse_network(text) for text in ("0.0.0.0/0", "::/0"))
    apps = tuple(load_catalogue().apps)
    others = frozenset(row.app for row in dataset.names() if row.app) - {"tiktok", *apps}
    rest = OwnService.model_construct(title="everything else", apps=tuple(sorted(others)))  # that is watched too
    services = ("tiktok", *(f"{APP}{app}" for app in apps), REST)  # as an inventory that was read has them
    policy = Policy(services=services, apps=apps, roles={"client": RolePolicy(mode=Mode.MONITOR)})
    site = Site.model_construct(
        **{name: field.get_default(call_default_factory=True) for name, field in Site.model_fields.items()}
        | {"name": NOWHERE, "title": "", "time_zone": "UTC", "policy": "watch", "networks": {"client": everywhere}}
    )
    return Inventory.model_construct(
        **{name: field.get_default(call_default_factory=True) for name, field in Inventory.model_fields.items()}
        | {
            "intelligence": Intelligence(sources=()),
            "own_services": {REST: rest},
            "policies": {"watch": policy},
            "sites": {NOWHERE: site},
        }
    )


def detect(judge: Judge, records: Iterable[Sighting | Rejected | None], *, site: SiteName | None = None) -> Detected:
    """Everything that the records come to, in order of time. Holds the episodes, and ``CHUNK`` records at once."""
    drafts: dict[EventId, Draft] = {}
    ways = Ways()
    waiting = Waiting(NAMELESS_MOST, NAMELESS_MOST)
    seen = strangers = 0
    rejected, samples = Counter[Quarantine](), dict[Quarantine, Rejected]()
    stream = iter(records)
    while chunk := list(islice(stream, CHUNK)):
        for one in chunk:
            if isinstance(one, Rejected):
                rejected[one.why] += one.count
                samples.setdefault(one.why, one)
        sightings = [one for one in chunk if isinstance(one, Sighting)]
        judged = signs_of(judge, sightings, site=site, waiting=waiting)
        used, tunnels = parted(judged.signs)
        drafts |= {draft.id: draft for draft in fold(drafts.values(), used)}
        ways.note(tunnels)
        waiting.drop(judged.joined)
        waiting.add((one, site) for one in (*judged.nameless, *judged.foreign))
        seen, strangers = seen + len(sightings), strangers + len(judged.strangers)
    sources = list(waiting.sources)
    nameless = [one for one, _ in waiting.nameless(sources)]
    late = signs_by_keys(judge, nameless, drafts.values(), foreign=waiting.foreign, site=site)
    drafts |= {draft.id: draft for draft in fold(drafts.values(), [sign for _, sign in late])}
    found = [one for draft in drafts.values() for one in _told(draft, ways)]
    episodes = sorted(found, key=lambda e: (e.window, e.id))
    return Detected(
        episodes=tuple(episodes),
        sightings=seen,
        strangers=strangers,
        rejected=dict(sorted(rejected.items())),
        samples=tuple(samples[why] for why in sorted(samples)),
        unnamed=waiting.forgotten,
    )


def _told(draft: Draft, ways: Ways) -> Iterator[Episode]:
    """What it comes to, and what follows from it; not whether it is the first, which only a store knows."""
    episode = episode_of(draft)
    yield episode
    yield from rules.follows(draft, episode, had_leaked=False, is_first=False, hours_of={}, ways=ways.of(draft.client))


__all__ = ["NOWHERE", "Detected", "detect", "without_sites"]
