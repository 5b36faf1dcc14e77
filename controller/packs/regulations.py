"""Rules that organisations cite, as data: what each asks, which evidence answers it, and where nothing is proven.

Pure but for reading its own files. Each file is dated and names its sources. What is answered is whether something is
*shown* by what is recorded; whether that meets a rule is for a person, and each file says what they have to recheck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from controller.errors import NotFound
from controller.evidence.model import EpisodeKind
from controller.inventory.fields import did_you_mean
from controller.model import CoverageState, EventAction
from controller.packs.contents import NOT_PROVEN, Facts
from controller.proof.model import By, ProofState
from core.words import count_of

FOLDER: Final = files("controller") / "regulations"
Check = Literal[
    "scope", "policy", "coverage", "continuity", "traffic", "leaks", "exceptions", "lists", "installs", "changes",
    "person",
]  # fmt: skip


class Status(StrEnum):
    SHOWN = "shown"
    PARTLY = "partly shown"
    NOT_PROVEN = "not proven"
    PERSON = "for a person"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Question(_Part):
    """One thing that the rule wants to be shown."""

    asks: str
    check: Check
    evidence: tuple[str, ...] = ()
    """Files of the pack."""
    not_shown: str = ""
    """What the evidence does not reach, whatever is found."""


class Regulation(_Part):
    """One file."""

    id: str
    title: str
    about: str
    as_of: date
    """When its wording was last read."""
    sources: tuple[str, ...]
    recheck: Annotated[tuple[str, ...], Field(min_length=1)]
    """What a person has to look up again before relying on it."""
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def known() -> Mapping[str, Regulation]:
    """All that are shipped, by id."""
    found = (
        Regulation.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in FOLDER.iterdir()
        if path.name.endswith(".yaml")
    )
    return {each.id: each for each in sorted(found, key=lambda each: each.id)}


def load(name: str) -> Regulation:
    """Raises ``NotFound`` naming the known ones."""
    try:
        return known()[name]
    except KeyError:
        hint = f"known: {', '.join(known())}"
        raise NotFound(f"no regulation {name[:60]!r}{did_you_mean(name, known())}", hint=hint) from None


def answered(regulation: Regulation, facts: Facts, documents: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown for each question, in the file's order."""
    return {
        "id": regulation.id,
        "title": regulation.title,
        "about": regulation.about,
        "as_of": regulation.as_of.isoformat(),
        "sources": [*regulation.sources],
        "recheck": [*regulation.recheck],
        "answers": [_answer(question, facts) for question in regulation.questions],
    }


def _answer(question: Question, facts: Facts) -> dict[str, Any]:
    status, found = _CHECKS[question.check](facts)
    return {
        "asks": question.asks,
        "status": status.value,
        "found": found,
        "evidence": [*question.evidence],
        "not_shown": question.not_shown,
    }


# --- what is found ----------------------------------------------------------------------------------------------------


def _scope(facts: Facts) -> tuple[Status, str]:
    devices = sum(len(s.site.devices) for s in facts.sites)
    bare = [s.site.name for s in facts.sites if not s.site.devices]
    told = f"{count_of(len(facts.sites), 'site')}, {count_of(devices, 'firewall')}, the source networks of each role"
    if bare:
        return Status.PARTLY, f"{told}; without any firewall: {', '.join(bare)}"
    return Status.SHOWN, told


def _policy(facts: Facts) -> tuple[Status, str]:
    first = min((v.at for v in facts.versions), default=None)
    if first is None:
        return Status.NOT_PROVEN, "no text of the policy is kept for this time"
    if first > facts.window.start:
        return (
            Status.PARTLY,
            f"its text is kept since {first:%Y-%m-%d %H:%M} UTC; of before, its digest alone",
        )
    return Status.SHOWN, f"{count_of(len(facts.versions), 'version')} of the policy in force, each with its text"


def _seconds(facts: Facts, *states: CoverageState) -> float:
    return sum(s.whole.total(state).total_seconds() for s in facts.sites for state in states)


def _coverage(facts: Facts) -> tuple[Status, str]:
    total, enforced = _seconds(facts, *CoverageState), _seconds(facts, CoverageState.ENFORCED)
    if not enforced:
        return Status.NOT_PROVEN, "no time is proven enforced"
    told = ", ".join(
        f"{state.value.replace('_', ' ')} {_percent(part, total)}"
        for state in CoverageState
        if (part := _seconds(facts, state))
    )
    return (Status.SHOWN if enforced == total else Status.PARTLY), f"of the time of all sites: {told}"


def _percent(part: float, total: float) -> str:
    return f"{int(part / total * 10_000) / 100:.2f} %"


def _continuity(facts: Facts) -> tuple[Status, str]:
    gaps = sum(span.state in NOT_PROVEN for s in facts.sites for span in s.whole.spans)
    longest = max(
        (span.window.seconds for s in facts.sites for span in s.whole.spans if span.state in NOT_PROVEN), default=0.0
    )
    if not gaps:
        return Status.SHOWN, "there is no time of which nothing was proven"
    return (
        Status.PARTLY,
        f"{count_of(gaps, 'gap')} in the proof, the longest of {longest / 60:,.0f} min; each has its cause",
    )


def _traffic(facts: Facts) -> tuple[Status, str]:
    events = [event for s in facts.sites for event in s.events]
    blind = [s.site.name for s in facts.sites if not s.events]
    told = ", ".join(
        f"{sum(e.action is action and bool(e.hits) for e in events)} windows with hits {action.value}"
        for action in EventAction
    )
    if not events:
        return Status.NOT_PROVEN, "no hit was counted in this time; that nothing is recorded proves nothing"
    return (Status.PARTLY, f"{told}; no hit was counted at {', '.join(blind)}") if blind else (Status.SHOWN, told)


def _leaks(facts: Facts) -> tuple[Status, str]:
    leaks = sum(e.kind is EpisodeKind.LEAK and not e.is_taken_back for s in facts.sites for e in s.episodes)
    leaking = sum(p.state is ProofState.LEAKING for s in facts.sites for p in s.proofs)
    if leaks or leaking:  # what proof finds is an episode too, of all tries of one path: never added up
        tries = f"; {count_of(leaking, 'answer')} of firewalls and probes said so" if leaking else ""
        return Status.SHOWN, f"{count_of(leaks, 'leak')} of traffic that should not have passed{tries}"
    untried = [s.site.name for s in facts.sites if not any(p.by is By.PROBE for p in s.proofs)]
    asked = sum(p.by is By.ORACLE and p.state is ProofState.BLOCKED for s in facts.sites for p in s.proofs)
    told = f"; firewalls said {asked} times of their own rules that they block" if asked else ""
    if untried:
        return Status.NOT_PROVEN, f"nothing was seen to pass{told}; nobody probed from inside at {', '.join(untried)}"
    return Status.SHOWN, f"no probe from inside passed where it should not have{told}"


def _exceptions(facts: Facts) -> tuple[Status, str]:
    found = {e.id: e for s in facts.sites for e in s.exceptions}.values()
    bare = [e.id for e in found if not e.reason or not (e.approvals or e.decided_by)]
    ticketless = sum(not e.ticket for e in found)
    if not found:
        return Status.SHOWN, "no exception was live in this time"
    who = "with who asked and who approved"
    told = f"{count_of(len(found), 'exception')}, {who}; {ticketless} without a document reference"
    return (Status.PARTLY if bare or ticketless else Status.SHOWN), told


def _lists(facts: Facts) -> tuple[Status, str]:
    if not facts.terms:
        return Status.NOT_PROVEN, "which list was in force is not known"
    gone = sum(term.snapshot not in facts.snapshots for term in facts.terms)
    told = f"{count_of(len(facts.terms), 'list')} in force, by digest"
    return (Status.PARTLY, f"{told}; of {gone} the entries are not kept any more") if gone else (Status.SHOWN, told)


def _installs(facts: Facts) -> tuple[Status, str]:
    found = [e for s in facts.sites for e in s.episodes if e.kind is EpisodeKind.INSTALLED]
    if not found:
        return Status.NOT_PROVEN, "no inventory of endpoints is recorded; a firewall does not see what is installed"
    return (
        Status.PARTLY,
        f"{count_of(len(found), 'installation')} told by endpoints; those that tell nothing are not known",
    )


def _changes(facts: Facts) -> tuple[Status, str]:
    return Status.SHOWN, f"{max(len(facts.audit) - 2, 0)} entries of the audit log, a part of one chain of hashes"


def _person(facts: Facts) -> tuple[Status, str]:
    return Status.PERSON, "nothing that is recorded here answers it"


_CHECKS: Final[Mapping[str, Callable[[Facts], tuple[Status, str]]]] = {
    "scope": _scope,
    "policy": _policy,
    "coverage": _coverage,
    "continuity": _continuity,
    "traffic": _traffic,
    "leaks": _leaks,
    "exceptions": _exceptions,
    "lists": _lists,
    "installs": _installs,
    "changes": _changes,
    "person": _person,
}


def names() -> Iterator[str]:
    return iter(known())


__all__ = ["Regulation", "Status", "answered", "known", "load"]
