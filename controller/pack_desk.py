"""Evidence packs of this store: gathered, laid out, signed. Each that leaves is in the audit log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from controller import audit_export
from controller.audit import AuditNote, Head
from controller.coverage import by_device, coverage
from controller.coverage_desk import CoverageDesk
from controller.enforced_age import kept
from controller.errors import Conflict, Invalid, NotUnmasked
from controller.inventory import Inventory, Site
from controller.inventory.slo_rules import show_age, show_share
from controller.model import AccessException, AuditEntry, Window
from controller.packs import contents, page, regulations, sampling, sealing
from controller.packs.contents import Facts, SiteFacts
from controller.reports import as_pdf
from controller.reports.making import left_note
from controller.settings import Settings
from controller.store import AuditQuery, Store
from controller.store.snapshots import Term
from core.clock import Clock
from core.ids import SiteName
from ipsets.errors import NoSnapshot
from ipsets.minisign import PublicKey, SigningKey, read_signing_key

LONGEST: Final = timedelta(days=400)
MOST_CHANGES: Final = 10_000
MOST_SITES_IN_PDF: Final = 50
PDF: Final = "pack.pdf"
SAMPLE: Final = "sample.json"
_ALWAYS: Final = ("inventory", "snapshot", "source", "intel", "calendar")
"""Families of entries of the audit log that are about every site."""
README: Final = """Evidence pack of tokgate.

index.html       the pack as a page; pack.pdf is the same page as PDF, where it was asked for
scope.json       which sites, networks, roles and devices
policy.json      the text of the policy by time, and where it is not kept
coverage.json    what was proven of each site and device, and what was not
gaps.json        devices and times that were not proven, each with its cause
exceptions.json  who might pass, who approved it, and how it was used
emergencies.json withdrawals, switches and pauses
attempts.json    what was counted; events.jsonl and episodes.jsonl have it one by one
probes.json      what probes from inside saw
reconciliation.json  endpoints that have the app, firewalls that saw it, and coverage, held against each other
snapshots.json   the lists in force by time, by digest
audit.jsonl      the audit log of that time, a part of one chain of hashes
regulation.json  where a regulation was chosen: what is asked, what is shown, what is not
SHA256SUMS       for sha256sum -c
manifest.json    every file with its sha256, chained; manifest.json.minisig signs it

Check it with:   tokgate evidence verify PACK --key RW...
or:              minisign -Vm manifest.json -P RW...   and   sha256sum -c SHA256SUMS
The key has to come from elsewhere than this pack. Whether what is shown meets a rule is for a person to say.
"""


SAMPLE_README: Final = """Sample of site-days of tokgate.

index.html       the sample as a page
sample.json      each day that was drawn: the proof, look by look, or what is not known and why; and how to draw again
SHA256SUMS       for sha256sum -c
manifest.json    every file with its sha256, chained; manifest.json.minisig signs it

Check it with:   tokgate evidence verify SAMPLE --key RW...
or:              minisign -Vm manifest.json -P RW...   and   sha256sum -c SHA256SUMS
The key has to come from elsewhere than this sample. Whether what is shown is enough is for a person to say.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A sample of so many site-days, drawn by a seed."""

    seed: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackWish:
    """Which pack is asked for. ``sites`` empty: every site. ``sample``: of the days that it draws, nothing else."""

    window: Window
    sites: tuple[str, ...] = ()
    regulation: str | None = None
    identities: bool = False
    pdf: bool = False
    sample: Draw | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A pack that was asked for, and stands in the audit log."""

    wish: PackWish
    sites: tuple[SiteName, ...]
    regulation: regulations.Regulation | None
    key: SigningKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The files by name, sealed."""

    files: Mapping[str, bytes]
    key: PublicKey
    sites: tuple[SiteName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDesk:
    """One for a controller."""

    store: Store
    inventory: Inventory
    clock: Clock
    settings: Settings
    coverage: CoverageDesk
    is_everywhere: bool = True

    def within(self, inventory: Inventory, desk: CoverageDesk) -> PackDesk:
        """For somebody who sees no other sites than these."""
        return replace(self, inventory=inventory, coverage=desk, is_everywhere=False)

    def export(self, wish: PackWish, *, actor: str, key: SigningKey | None = None) -> Pack:
        """The pack, signed with ``key``, by default the one of the settings. Raises as ``begin``."""
        return self.make(self.begin(wish, actor=actor, key=key))

    def begin(self, wish: PackWish, *, actor: str, key: SigningKey | None = None) -> Begun:
        """What is asked for, once it makes sense and stands in the audit log; ``make`` may take its time.

        Raises ``Invalid`` for times that make no sense, ``NotFound`` for a site or regulation that is not known,
        ``Conflict`` when there is no key, ``SecretUnavailable``, ``KeyUnusable``; ``FormMissing`` for a PDF where
        nothing makes one.
        """
        signing = key or self.signing_key()
        regulation = regulations.load(wish.regulation) if wish.regulation is not None else None
        refuse_window(wish.window, now=self.clock.now())
        sites = tuple(sorted(site.name for site in self._chosen(wish)))
        if wish.sample is not None:
            self._refuse_sample(wish)
        elif wish.pdf:
            refuse_pdf(len(sites))
        told = {
            "key": signing.public.id,
            "from": contents.iso(wish.window.start),
            "to": contents.iso(wish.window.end),
            "sites": list(sites),
            "regulation": wish.regulation,
            "identities": wish.identities,
        }
        drawn = {} if wish.sample is None else {"seed": wish.sample.seed, "site_days": wish.sample.count}
        self.store.append_audit(
            AuditNote(actor=actor, action="evidence.export", subject=signing.public.id, detail=told | drawn)
        )
        return Begun(wish=wish, sites=sites, regulation=regulation, key=signing)

    def make(self, begun: Begun) -> Pack:
        if begun.wish.sample is not None:
            return self._sealed_sample(begun, begun.wish.sample)
        facts = self.facts(begun.wish)
        about = self._about(facts, begun.wish)
        files = self._files(facts, begun.regulation, about, pdf=begun.wish.pdf)
        return Pack(files=sealing.seal(files, about, begun.key), key=begun.key.public, sites=begun.sites)

    def _chosen(self, wish: PackWish) -> list[Site]:
        """Raises ``NotFound``; ``NotUnmasked`` when identities are wanted of a site that shows none."""
        chosen = [self.inventory.site(name) for name in dict.fromkeys(wish.sites)] or [*self.inventory.sites.values()]
        if wish.identities:
            self._refuse_identities(chosen)
        return chosen

    def sample(
        self, window: Window, *, seed: str, count: int, sites: Sequence[SiteName] | None = None
    ) -> dict[str, Any]:
        """So many site-days of the window, drawn by the seed, each with its proof or what is not known.

        Raises ``Invalid`` for times that make no sense, or that hold no whole day.
        """
        refuse_window(window, now=self.clock.now())
        names = sorted(self.inventory.sites if sites is None else sites)
        chosen = sampling.drawn(names, window, seed=seed, count=count)
        if not chosen:
            raise Invalid("from, to: no whole day (UTC) of a site lies between them")
        return {
            "seed": seed,
            "sites": names,
            "from": contents.iso(window.start),
            "to": contents.iso(window.end),
            "drawn": len(chosen),
            "of": len(sampling.drawn(names, window, seed=seed, count=sys.maxsize)),
            "generated_at": contents.iso(self.clock.now()),
            "site_days": [
                sampling.proof_of(each, self._site(self.inventory.sites[each.site], each.window)) for each in chosen
            ],
        }

    def _refuse_sample(self, wish: PackWish) -> None:
        """Raises ``Invalid``: before anything is begun."""
        if wish.regulation is not None or wish.identities or wish.pdf:
            raise Invalid("sample: not together with regulation, identities or pdf")
        if not sampling.whole_days(wish.window):
            raise Invalid("from, to: no whole day (UTC) of a site lies between them")

    def _sealed_sample(self, begun: Begun, draw: Draw) -> Pack:
        window = begun.wish.window
        found = self.sample(window, seed=draw.seed, count=draw.count, sites=begun.sites)
        files = {
            SAMPLE: sealing.text(found),
            "index.html": page.render_sample(found),
            "README.txt": SAMPLE_README.encode(),
        }
        about = {
            "kind": "sample",
            "from": contents.iso(window.start),
            "to": contents.iso(window.end),
            "sites": list(begun.sites),
            "seed": draw.seed,
            "site_days": found["drawn"],
            "instance": self.store.instance_id(),
            "generated_at": found["generated_at"],
        }
        return Pack(files=sealing.seal(files, about, begun.key), key=begun.key.public, sites=begun.sites)

    def signing_key(self) -> SigningKey:
        if self.settings.evidence_key is None:
            raise Conflict(
                "there is no key to sign evidence with, and none leaves here unsigned",
                hint="set TOKGATE_EVIDENCE_KEY to a secret:// reference, or give --key; `tokgate evidence key new`",
            )
        return read_signing_key(self.settings.evidence_key.resolve().reveal())

    def _about(self, facts: Facts, wish: PackWish) -> dict[str, Any]:
        return contents.about(facts, generated_at=self.clock.now(), regulation=wish.regulation)

    def _files(
        self, facts: Facts, regulation: regulations.Regulation | None, about: Mapping[str, Any], *, pdf: bool
    ) -> dict[str, bytes]:
        documents = contents.documents(facts)
        answered = regulations.answered(regulation, facts, documents) if regulation is not None else None
        if answered is not None:
            documents["regulation.json"] = answered
        files = {name: sealing.text(said) for name, said in documents.items()}
        files["events.jsonl"] = sealing.lines(
            contents.event_line(event, identities=facts.identities) for s in facts.sites for event in s.events
        )
        files["episodes.jsonl"] = sealing.lines(
            contents.episode_line(episode, identities=facts.identities) for s in facts.sites for episode in s.episodes
        )
        files[sealing.AUDIT] = "".join(f"{line}\n" for line in facts.audit).encode()
        files["README.txt"] = README.encode()
        names = [*files, "index.html", *([PDF] if pdf else [])]
        files["index.html"] = page.render(documents, about, names, regulation=answered)
        if pdf:
            files[PDF] = as_pdf.render(files["index.html"].decode())
        return files

    # --- what is recorded -----------------------------------------------------------------------------------------

    def facts(self, wish: PackWish) -> Facts:
        """All that a pack is made of. Raises ``Invalid``, ``NotFound``, ``NotUnmasked``."""
        refuse_window(wish.window, now=self.clock.now())
        chosen = self._chosen(wish)
        terms = [*self._terms(wish.window)][::-1]
        sites = [self._site(site, wish.window) for site in sorted(chosen, key=lambda s: s.name)]
        is_all = self.is_everywhere and len(chosen) == len(self.inventory.sites)
        promised = self.inventory.slo
        return Facts(
            window=wish.window,
            instance=self.store.instance_id(),
            sites=sites,
            versions=self._versions(wish.window),
            changes=self._changes(wish.window),
            terms=terms,
            snapshots={term.snapshot: said for term in terms if (said := self._list_of(term)) is not None},
            audit=[*self._audit(wish.window, None if is_all else frozenset(site.name for site in chosen))],
            target_seconds=self.coverage.target.total_seconds(),
            promise=f"{show_age(promised.enforced_age)} for {show_share(promised.share)}" if promised else None,
            identities=wish.identities,
            notes=(
                *self._retention_notes(chosen),
                *(note for site in sites for note in self._gone_notes(site)),
                *(self._left_notes(wish.window) if is_all else (_WITHHELD,)),
            ),
        )

    def _refuse_identities(self, chosen: Iterable[Site]) -> None:
        if closed := [site.name for site in chosen if self.inventory.closed(site.name)]:
            raise NotUnmasked(
                f"{', '.join(closed[:5])}: identities are not shown there, and go into no pack",
                hint="make it without --identities",
            )

    def _retention_notes(self, chosen: Iterable[Site]) -> Iterator[str]:
        longest = self.settings.retention.days
        yield f"Looks and events are kept for {longest} days: that there are none from before proves nothing."
        for site in sorted(chosen, key=lambda s: s.name):
            privacy = self.inventory.privacy_at(site.name)
            rules = privacy.retention.events, privacy.retention.episodes, privacy.retention.proofs
            named = zip(("events of counters", "episodes", "proofs"), rules, strict=True)
            shorter = [f"{what} for {days} days" for what, days in named if days is not None and days < longest]
            if shorter and not privacy.hold:
                yield (
                    f"At {site.name} the inventory keeps {', '.join(shorter)} only: attempts and what follows are"
                    " of what is left. Reports keep the sums of counters of before."
                )

    def _gone_notes(self, facts: SiteFacts) -> Iterator[str]:
        """Coverage is of the firewalls of now: what another one proved then is told by nothing else."""
        known = {look.device for look in facts.looks} | {event.device for event in facts.events}
        for device in sorted(known - facts.site.devices.keys()):
            yield (
                f"{device} was a firewall of {facts.site.name} in this time, and is no longer in the inventory: what it"
                " counted is among the attempts, what it proved is in no coverage here."
            )

    def _left_notes(self, window: Window) -> Iterator[str]:
        """Of sites that were there then, and are not any more: a pack of all sites is of those of now."""
        gone = [site for site in self.store.sites_counted() if site not in self.inventory.sites]
        found = self.store.fleet_hits(window, gone) if gone else {}
        yield from (left_note(site, found[site], "file") for site in sorted(found))

    def _site(self, site: Site, window: Window) -> SiteFacts:
        now, devices = self.clock.now(), tuple(site.devices)
        fresh, target = self.coverage.freshness, self.coverage.target
        looks = self.store.looks(site.name, window, freshness=min(fresh, target))
        inside = [look for look in looks if (look.until or look.at) >= window.start]
        tried = self.coverage.tried(site.name, window)
        first = self.store.first_look(site.name, devices)
        (ours,) = kept(looks, [window], devices=devices, now=now, target=target, since=first)
        return SiteFacts(
            site=site,
            whole=coverage(looks, window, devices=devices, now=now, freshness=fresh, proofs=tried),
            devices=by_device(looks, window, devices=devices, now=now, freshness=fresh),
            kept=ours,
            looks=inside,
            events=self.store.events_between(site.name, window),
            episodes=self.store.episodes_between(site.name, window),
            exceptions=[e for e in self.store.exceptions(sites=[site.name]) if _was_live(e, window)],
            emergencies=[e for e in self.store.emergencies() if e.is_at(site.name) and _held(e, window)],
            proofs=self.store.proofs_between(site.name, window),
        )

    def _versions(self, window: Window) -> list[Any]:
        """Those that were in force at some moment of the window: the last before it, and those inside."""
        return self.store.inventory_versions(window)

    def _changes(self, window: Window) -> list[AuditEntry]:
        wanted = AuditQuery(action="inventory.change", until=window.end, oldest_first=True)
        return self.store.audit_entries(limit=MOST_CHANGES, wanted=wanted)

    def _terms(self, window: Window) -> Iterator[Term]:
        """The newest first."""
        at = window.end - timedelta.resolution
        with suppress(NoSnapshot):
            while True:
                term = self.store.term(at)
                until = None if term.until is None or term.until >= window.end else term.until
                yield replace(term, until=until)  # what came later is no part of this time
                if term.since <= window.start:
                    return
                at = term.since - timedelta.resolution

    def _list_of(self, term: Term) -> dict[str, Any] | None:
        try:
            found = self.store.snapshot(term.snapshot)
        except NoSnapshot:
            return None
        services = {s.service: {"networks": len(s.networks), "domains": len(s.domains)} for s in found.services}
        return {"kept": True, "id": found.id, "created_at": contents.iso(found.created_at), "services": services}

    # --- the audit log --------------------------------------------------------------------------------------------

    def _audit(self, window: Window, sites: frozenset[SiteName] | None) -> Iterator[str]:
        """The lines of that time, with the entries before and behind that chain them. None: of every site."""
        since = AuditQuery(since=window.start, until=window.end, oldest_first=True)
        first = next(iter(self.store.audit_entries(limit=1, wanted=since)), None)
        last = next(iter(self.store.audit_entries(limit=1, wanted=replace(since, oldest_first=False))), None)
        at, instance = window.end, self.store.instance_id()
        if first is None or last is None:
            before = next(iter(self.store.audit_entries(limit=1, wanted=AuditQuery(until=window.start))), None)
            head = Head(seq=before.seq, hash=before.hash) if before is not None else Head()
            return audit_export.write(head, (), head, at=at, instance=instance)
        low, high = min(first.seq, last.seq), max(first.seq, last.seq)
        after, chain, _ = self.store.audit_chain(after=low - 1)
        end = self.store.audit_head_at(high)
        entries = takewhile(lambda entry: entry.seq <= high, chain)
        return audit_export.write(
            after, entries, end, at=at, instance=instance, shows=lambda entry: self._is_about(entry, sites)
        )

    def _is_about(self, entry: AuditEntry, sites: frozenset[SiteName] | None) -> bool:
        """Whether an entry is about one of the sites, or about all of them; what it says of others stays here."""
        if sites is None or entry.action.partition(".")[0] in _ALWAYS:
            return True
        detail = json.loads(entry.detail)
        named = detail.get("sites")
        if isinstance(named, list) and (named or entry.action.startswith("emergency.")):
            return sites.issuperset(named)
        device = self.inventory.by_name.get(detail.get("device"))
        return device is not None and device.site in sites


def refuse_window(window: Window, *, now: datetime) -> None:
    """Raises ``Invalid``."""
    if window.start >= window.end:
        raise Invalid("from: must lie before to")
    if window.end > now:
        raise Invalid("to: lies in the future", hint="evidence is of what was; name a time that is over")
    if window.end - window.start > LONGEST:
        raise Invalid(f"from: a pack is about {LONGEST.days} days at most")


def refuse_pdf(sites: int) -> None:
    """Raises ``FormMissing``; ``Invalid`` for more sites than are laid out in a bearable time."""
    as_pdf.maker()
    if sites > MOST_SITES_IN_PDF:
        hint = "the page of the pack has them all; or name fewer sites"
        raise Invalid(f"pdf: for {MOST_SITES_IN_PDF} sites at most; these are {sites}", hint=hint)


_WITHHELD: Final = (
    "Entries of the audit log that are also about other sites are withheld;"
    " their hashes stand in the chain all the same."
)


def _was_live(exception: AccessException, window: Window) -> bool:
    """At some moment of the window: approved, and not denied, revoked or over before."""
    life = exception.life
    return life is not None and life.meets(window)


def _held(emergency: Any, window: Window) -> bool:
    over = min((at for at in (emergency.ended_at, emergency.ends) if at is not None), default=window.end)
    return bool(emergency.starts < window.end and over > window.start)


__all__ = ["SAMPLE", "Begun", "Draw", "Pack", "PackDesk", "PackWish"]
