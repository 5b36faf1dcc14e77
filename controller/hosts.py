"""Host names as sources of exceptions: looked up where each site looks them up, and followed while an exception lives.

A resolver that does not answer changes nothing at first: the last good answer holds for a while, and says so. It ends
then, for an address may belong to another machine by now. An answer that a name has no address ends it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import structlog

from controller.audit import AuditNote
from controller.errors import Conflict, NotFound
from controller.inventory import Inventory, Site
from controller.model import AccessException, ExceptionState, HostLookup
from controller.store import Store
from core.clock import Clock
from core.ids import SiteName
from core.net import Address, overlaps
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.sources.resolver import Asking, Resolver

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=1)
AHEAD: Final = timedelta(minutes=5)
"""How long before an exception begins its names are looked up."""
MAX_ADDRESSES: Final = 16
"""Of one name at one site; who answers more is not believed."""
_TIMEOUT: Final = 3.0
_SIDE_BY_SIDE: Final = 8
_RENEWED: Final = 4
"""An answer that did not change is written down again after this part of the time that it holds."""
_ANSWERS: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)

Ask = Callable[[Site, str], tuple[Address, ...]]


class HostBook:
    """One for a controller. ``follow(before, after)``: whom an exception lets pass has changed."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        clock: Clock,
        *,
        follow: Callable[[AccessException, AccessException], None],
        ask: Ask | None = None,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._follow = follow
        self._ask = ask or addresses_of

    def look_up(self, exception: AccessException) -> tuple[HostLookup, ...]:
        """What its names stand for now, at each of its sites; what could not be asked is kept while it holds."""
        now = self._clock.now()
        known = {(found.site, found.host): found for found in exception.lookups}
        wanted = [
            (self._inventory.sites[site], host)
            for site in exception.sites
            if site in self._inventory.sites
            for host in exception.hosts
        ]
        if not wanted:
            return ()
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE, thread_name_prefix="hosts") as pool:
            answers = list(pool.map(lambda pair: self._answer(*pair), wanted))
        hold = self._inventory.exceptions.host_answers_hold
        return tuple(
            judged(site, host, answer, known.get((site.name, host)), now=now, hold=hold)
            for (site, host), answer in zip(wanted, answers, strict=True)
        )

    def _answer(self, site: Site, host: str) -> tuple[Address, ...] | SourceError:
        try:
            return self._ask(site, host)
        except SourceError as exc:
            return exc

    def refresh(self) -> None:
        """Look up the names of all exceptions that live now or soon; the devices follow what changed."""
        for exception in self._followed():
            now = self._clock.now()
            after = replace(exception, lookups=self.look_up(exception))
            moved = named(after) != named(exception)
            told = [f.trouble for f in after.lookups] != [f.trouble for f in exception.lookups]
            if not (moved or told or _is_worth_writing(exception.lookups, after.lookups, now)):
                continue
            note = _note(after) if moved or told else None
            for found in after.lookups if told else ():
                if found.trouble:
                    where = {"exception": exception.id, "site": found.site, "host": found.host}
                    log.warning("host.troubled", **where, stands_for=in_words(found))
            with suppress(Conflict, NotFound):  # it ended, or somebody decided, meanwhile
                self._store.update_exception(after, expected_state=exception.state, audit=note, instead_of=exception)
                if moved:
                    self._follow(exception, after)

    def _followed(self) -> Iterator[AccessException]:
        now = self._clock.now()
        for exception in self._store.exceptions(state=ExceptionState.APPROVED):
            if exception.hosts and exception.starts - AHEAD <= now < exception.ends:
                yield exception


def judged(
    site: Site,
    host: str,
    answer: tuple[Address, ...] | SourceError,
    before: HostLookup | None,
    *,
    now: datetime,
    hold: timedelta,
) -> HostLookup:
    """What is believed of an answer: addresses inside the site's own networks, and not too many."""
    if not isinstance(answer, SourceError) and len(answer) > MAX_ADDRESSES:
        answer = SourceImplausible(f"{len(answer)} addresses, more than {MAX_ADDRESSES}")
    if isinstance(answer, SourceError):
        kept = before or HostLookup(site=site.name, host=host, addresses=(), at=None, until=now)
        gone = now >= kept.until
        if gone and kept.addresses:
            log.warning("host.forgotten", site=site.name, host=host, error=answer.message)
        return replace(kept, addresses=() if gone else kept.addresses, trouble=answer.message)
    own = [n for networks in site.networks.values() for n in networks]
    inside = tuple(sorted({a for a in answer if overlaps(own, ip_network(a))}, key=lambda a: (a.version, int(a))))
    outside = sorted({str(a) for a in answer} - {str(a) for a in inside})
    trouble = "" if answer else "it has no address"
    if outside:
        trouble = f"{', '.join(outside)} lies in no source network of the site and does not count"
    return HostLookup(site=site.name, host=host, addresses=inside, at=now, until=now + hold, trouble=trouble)


def in_words(found: HostLookup) -> str:
    """``10.20.0.10``; with a trouble ``10.20.0.10, answered 2026-11-30 18:55, counts until 22:55 … (no answer …)``."""
    known = ", ".join(map(str, found.addresses)) or "no address"
    if not found.trouble:
        return known
    held = ""
    if found.addresses and found.at is not None:
        held = f", answered {found.at:%Y-%m-%d %H:%M}, counts until {found.until:%Y-%m-%d %H:%M} UTC"
    return f"{known}{held} ({found.trouble})"


def named(exception: AccessException) -> frozenset[tuple[SiteName, Address]]:
    """What its names were last found to stand for, where."""
    return frozenset((found.site, address) for found in exception.lookups for address in found.addresses)


def _is_worth_writing(before: Iterable[HostLookup], after: Iterable[HostLookup], now: datetime) -> bool:
    """Whether answers that did not change hold so much longer by now, that the next process should know."""
    held = {(f.site, f.host): f.until for f in before}
    return any(f.until - held.get((f.site, f.host), now) > (f.until - now) / _RENEWED for f in after)


def _note(exception: AccessException) -> AuditNote:
    detail = {
        f"{f.host} at {f.site}": {"addresses": [str(a) for a in f.addresses], "trouble": f.trouble}
        for f in exception.lookups
    }
    why = "what its host names stand for changed"
    if any(found.trouble for found in exception.lookups):
        why = "not all of its host names have a good answer"
    return AuditNote(actor="system", action="exception.resolve", subject=exception.id, reason=why, detail=detail)


def addresses_of(site: Site, host: str) -> tuple[Address, ...]:
    """A and AAAA of a name, by the site's resolvers, else by those of this machine, one after the other.

    Empty: it has none, or does not exist. Raises ``SourceError`` when none of them says.
    """
    resolvers = site.resolvers or _of_this_machine()
    failed: SourceError = SourceUnreachable("there is no resolver to ask", hint="name some in `resolvers` of the site")
    for resolver in resolvers:
        try:
            with Asking(resolver, timeout_seconds=_TIMEOUT) as asking:
                kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
                return tuple(found for kind in kinds for found in _asked(asking, host, kind))
        except SourceError as exc:
            failed = exc
    raise failed


def _asked(asking: Asking, host: str, kind: dns.rdatatype.RdataType) -> Iterator[Address]:
    answer = asking.ask(dns.message.make_query(host, kind))
    if answer.rcode() not in _ANSWERS:
        raise SourceUnreachable(f"{asking.resolver}: {dns.rcode.to_text(answer.rcode())} for {host}")
    for rrset in answer.answer:
        if rrset.rdtype == kind:
            yield from (ip_address(rdata.to_text()) for rdata in rrset)


def _of_this_machine() -> tuple[Resolver, ...]:
    with suppress(dns.exception.DNSException, OSError):
        return tuple(Resolver(str(server)) for server in dns.resolver.Resolver().nameservers)
    return ()
