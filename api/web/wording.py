"""What pages call things: states, modes, scopes, people, emergencies; and the moments of which they speak. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from api.problems import clean
from controller.inventory import Site
from controller.model import Emergency, EmergencyKind, ExceptionState, Mode, Scope
from controller.wall_clock import zone_word
from vendors.model import Transaction

STATES: Final = {
    ExceptionState.DRAFT: ("draft", ""),
    ExceptionState.REQUESTED: ("waits for approval", "warn"),
    ExceptionState.APPROVED: ("approved", "good"),
    ExceptionState.DENIED: ("denied", "bad"),
    ExceptionState.REVOKED: ("revoked", "bad"),
    ExceptionState.ENDED: ("ended", ""),
    ExceptionState.LAPSED: ("lapsed: nobody decided", ""),
    ExceptionState.IDLE: ("ended: nobody used it", ""),
}
MODES: Final = {"enforce": "blocked", "monitor": "watched", "off": "free"}
VERDICTS: Final = {
    "blocked": "blocked",
    "monitored": "watched",
    "allowed-by-exception": "passes by an exception",
    "never-blocked": "never blocked",
    "off": "free",
    "not-listed": "not on the list",
    "no-role": "not one of ours",
    "unknown": "not known",
}
"""Of one device, in a table."""
ABILITIES: Final = {
    "ipv6": "Blocks over IPv6",
    "fqdn": "Blocks names itself",
    "wildcard_fqdn": "Blocks all names below one",
    "monitor": "Watches without blocking, and opens nothing by it",
    "schedules": "Keeps the hours of the policy itself",
    "entry_counters": "Counts each entry of a list",
    "source_capture": "Tells who was blocked",
    "session_clearing": "Ends open connections when a block begins",
    "persistence": "Still blocks after a restart",
    "feed": "Pulls lists by itself",
    "exempt": "Lets exceptions pass by a rule of their own",
}
"""What platforms can do (``vendors.model.Capabilities``), in a table."""
TRANSACTIONS: Final = {
    Transaction.ATOMIC: "all or nothing",
    Transaction.CANDIDATE: "as a candidate that is committed",
    Transaction.ORDERED: "line by line, with an undo",
}
SPANS: Final = {"1": "the last day", "7": "the last week", "30": "the last 30 days"}
"""Days to look back on, as pages offer them."""
SCOPES: Final = {
    Scope.READ: "see everything",
    Scope.REQUEST: "ask for exceptions",
    Scope.APPROVE: "decide on exceptions",
    Scope.OPERATE: "change devices and act in emergencies",
    Scope.AUDIT: "read the audit log",
    Scope.PROBE: "bring what probes tried",
    Scope.INGEST: "bring evidence",
    Scope.UNMASK: "ask to see who a pseudonym is",
    Scope.CONSENT: "decide who may see that",
    Scope.ADMIN: "administer",
}
_BY: Final = {"person": "{}", "cli": "{} (command line)", "token": "token {}"}
_WORD: Final = re.compile(r"\w+(['’]\w+)?[,;:.]?(?:\s|$)")
"""What one begins with a capital; not ``https://…``, ``fw-a:`` or ``rule_1``."""
_CODE: Final = re.compile(r"`([^`]+)`")


def who(actor: str) -> str:
    """``person:anna`` as ``anna``."""
    kind, _, name = actor.partition(":")
    return _BY.get(kind, "{}").format(name) if name else {"system": "tokgate"}.get(actor, actor)


def when(at: datetime | None, zone: str = "UTC") -> Markup:
    """A moment on the wall clock of a place, with UTC behind it; for every template."""
    if at is None:
        return Markup("–")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(timespec="minutes"), f"{utc:%Y-%m-%d %H:%M}", moment(at, zone)
    )


def moment(at: datetime, zone: str = "UTC") -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a %d %b %Y %H:%M} {zone_word(local)}"


def utc_hour(at: datetime) -> str:
    """As the address of an hour has it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"


def zone_of(sites: Iterable[Site]) -> str:
    """The zone of the first of them."""
    return next((site.time_zone for site in sites), "UTC")


def one_zone(sites: Iterable[Site]) -> str:
    """The zone that all of them have; UTC where they differ."""
    zones = {site.time_zone for site in sites}
    return zones.pop() if len(zones) == 1 else "UTC"


def sentence(text: str) -> str:
    """``nothing was changed`` as ``Nothing was changed.``; an address or the name of a rule stays as it is."""
    shown = clean(text).strip()
    begun = f"{shown[:1].upper()}{shown[1:]}" if _WORD.match(shown) else shown
    return f"{begun}{'' if shown.endswith(('.', '!', '?')) else '.'}" if shown else ""


def hint(text: str) -> Markup:
    """A sentence in which ```commands``` look like commands."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(sentence(text)))))  # noqa: S704  escaped before


def emergency_zone(action: Emergency, known: Collection[Site]) -> str:
    """Of its first site, or of all of them."""
    named = [site for site in known if site.name in action.sites]
    return zone_of(named) if named else one_zone(known)


def emergency(action: Emergency, known: Collection[Site]) -> str:
    """What holds where, until when and by whom; by the clock of its first site, or of all of them."""
    sites = {site.name: site for site in known}
    titles = (sites[name].title if name in sites else name for name in action.sites)
    where = f"at {', '.join(titles)}" if action.sites else "everywhere"
    until = f"until {moment(action.ends, emergency_zone(action, known))}" if action.ends else "until somebody ends it"
    return f"{_what(action, where)} {until}. By {who(action.actor)}: {sentence(action.reason)}"


def _what(action: Emergency, where: str) -> str:
    if action.kind is EmergencyKind.WITHDRAW:
        return f"{action.value} is withdrawn {where}{action.emptying}"
    if action.kind is EmergencyKind.PAUSE:
        return f"Paused: nothing is sent to devices {where}"
    return f"Switched down: nothing is blocked{'' if action.mode is Mode.OFF else ', only watched,'} {where}"


_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"),
    ("curl", "curl"), ("python", "a Python program"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser(agent: str) -> str:
    """``Firefox on Windows``; what is not known as it called itself."""
    name, system = (next((word for mark, word in known if mark in agent), "") for known in (_BROWSERS, _SYSTEMS))
    return " on ".join(word for word in (name, system) if word) or agent[:60] or "unknown"
