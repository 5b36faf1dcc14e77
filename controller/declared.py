"""Exceptions that a file declares, as a repository keeps them: read and checked, and compared with what is kept. Pure.

What the file says is approved by those whom it names; who carries it out answers for that in the audit log. A key
stands for one exception: what changes under it is given anew, before the old one is ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from controller import exceptions as lifecycle
from controller.errors import Invalid, NotFound
from controller.exceptions import ExceptionRequest
from controller.inventory import Inventory
from controller.inventory.document import Document, Problem, read_document
from controller.inventory.exception_rules import Actor
from controller.inventory.fields import Name
from controller.inventory.file import read_text, refuse
from controller.inventory.parts import Part
from controller.inventory.wording import problems_of
from controller.model import AccessException, Approval, Declared, ExceptionState
from core.ids import new_id

HINT: Final = "docs/exceptions.md shows the file; `tokgate config schema --exceptions` prints its schema"
GONE_FLOOR: Final = 3
GONE_SHARE: Final = 0.25


class DeclaredException(Part):
    """One exception as the file says it."""

    sites: Annotated[tuple[Name, ...], Field(min_length=1)]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    service: str
    starts: AwareDatetime
    ends: AwareDatetime
    reason: str
    owner: str
    ticket: str = ""
    code: str = ""
    surface: str = ""
    hours: tuple[str, ...] = ()
    seats: int | None = None
    lead: str = ""
    requested_by: Actor
    approved_by: Annotated[tuple[Actor, ...], Field(min_length=1)]
    """Who looked at it, as the audit log names people."""

    @property
    def digest(self) -> str:
        """Sixteen hex digits over all that it says; the order of its keys does not matter."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def request(self) -> ExceptionRequest:
        return ExceptionRequest(**{k: v for k, v in self if k not in ("requested_by", "approved_by")})


class DeclaredFile(Part):
    """The whole file."""

    version: Literal[1]
    exceptions: dict[Name, DeclaredException] = Field(default_factory=dict)


class DeclaredKind(StrEnum):
    """How what is kept differs from the file."""

    ADD = "add"
    REPLACE = "replace"
    END = "end"  # the file says nothing of it any more
    KEPT = "kept"  # as the file says it
    ENDED = "ended"  # by hand or by time, while the file still declares it; it is not given anew
    OVER = "over"  # its time is past; the file need not say it any more


CHANGING: Final = frozenset((DeclaredKind.ADD, DeclaredKind.REPLACE, DeclaredKind.END))
_OPEN: Final = ExceptionState.APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredChange:
    """What one key of the file comes to: ``add`` is given, then those of ``end`` are ended."""

    key: str
    kind: DeclaredKind
    told: str
    add: AccessException | None = None
    end: tuple[AccessException, ...] = ()
    sites: tuple[str, ...] = ()  # of the entry, and of what is kept under its key


def load_declared(inventory: Inventory, now: datetime) -> Mapping[str, DeclaredException]:
    """What the inventory's file of exceptions says; nothing when it names none.

    Raises ``InventoryError`` with every problem, each with its line and key. What is over is not checked any more.
    """
    path = inventory.exceptions.file
    if path is None:
        return {}
    text = read_text(path, hint="correct `exceptions.file` in the inventory, or leave it out")
    document = read_document(text)
    refuse({str(path): document.problems}, hint=HINT)
    try:
        found = DeclaredFile.model_validate(document.data, by_name=False, by_alias=True).exceptions
    except ValidationError as exc:
        refuse({str(path): problems_of(exc, document, (), declared_schema())}, hint=HINT)
        raise  # never: there was a problem
    refuse({str(path): _problems(found, document, inventory, now)}, hint=HINT)
    return found


def declared_schema() -> dict[str, Any]:
    """The JSON schema of the file."""
    schema = DeclaredFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tokgate exceptions"
    return schema


def _problems(
    found: Mapping[str, DeclaredException], document: Document, inventory: Inventory, now: datetime
) -> Iterator[Problem]:
    for key, entry in found.items():
        if entry.ends <= now:
            continue
        try:
            asked = lifecycle.check_request(entry.request(), inventory, now)
            lifecycle.check_named_approvers(
                entry.approved_by, (entry.requested_by, entry.lead), inventory.exceptions.reasons[asked.code]
            )
        except (Invalid, NotFound) as exc:
            yield _problem(document, key, exc.message)


def _problem(document: Document, key: str, message: str) -> Problem:
    """Messages begin with the field, or the fields, that they are about."""
    field, _, rest = message.partition(": ")
    if field in DeclaredException.model_fields:
        return document.problem(("exceptions", key, field), rest)
    return document.problem(("exceptions", key), message)


def differences(
    declared: Mapping[str, DeclaredException],
    stored: Iterable[AccessException],
    inventory: Inventory,
    now: datetime,
    *,
    actor: str,
) -> tuple[DeclaredChange, ...]:
    """What would make what is kept say the same as the file, key by key; what is kept beside the file is left alone."""
    known: dict[str, list[AccessException]] = {}
    everything = tuple(stored)
    for exception in everything:
        if exception.declared is not None:
            known.setdefault(exception.declared.key, []).append(exception)
    changes = [
        _placed(
            entry.sites, kept := known.pop(key, []), _change(key, entry, kept, everything, inventory, now, actor=actor)
        )
        for key, entry in declared.items()
    ]
    gone = {key: tuple(_live(those, now)) for key, those in known.items()}
    changes += [
        _placed((), those, DeclaredChange(key=key, kind=DeclaredKind.END, told=_GONE, end=those))
        for key, those in gone.items()
        if those
    ]
    return tuple(changes)


_GONE: Final = "the file says nothing of it any more"


def _placed(sites: Iterable[str], kept: Iterable[AccessException], change: DeclaredChange) -> DeclaredChange:
    return replace(change, sites=tuple(dict.fromkeys((*sites, *(site for e in kept for site in e.sites)))))


def _live(exceptions: Iterable[AccessException], now: datetime) -> Iterator[AccessException]:
    return (e for e in exceptions if e.state is _OPEN and now < e.ends)


def _change(
    key: str,
    entry: DeclaredException,
    kept: list[AccessException],
    stored: tuple[AccessException, ...],
    inventory: Inventory,
    now: datetime,
    *,
    actor: str,
) -> DeclaredChange:
    same = [e for e in kept if e.declared is not None and e.declared.digest == entry.digest]
    stale = tuple(e for e in _live(kept, now) if e not in same)
    if stale and all(e.state is not _OPEN for e in same):
        same = []  # the file had changed it since, and now takes that back
    if entry.ends <= now:
        told = "its time is over; the file need not say it any more"
        return DeclaredChange(key=key, kind=DeclaredKind.END if stale else DeclaredKind.OVER, told=told, end=stale)
    if same:
        last = same[-1]
        told = f"exception {last.id} is {last.state.value}" + (
            "" if last.state is _OPEN else "; to give it anew, declare it under another key"
        )
        kind = DeclaredKind.KEPT if last.state is _OPEN else DeclaredKind.ENDED
        return DeclaredChange(key=key, kind=DeclaredKind.END if stale else kind, told=told, end=stale)
    given = _given(key, entry, stale, stored, inventory, now, actor=actor)
    said = lifecycle.preview(given, inventory, stored, now)
    told = " ".join((said.sentence, *said.conflicts))
    return DeclaredChange(
        key=key, kind=DeclaredKind.REPLACE if stale else DeclaredKind.ADD, told=told, add=given, end=stale
    )


def _given(
    key: str,
    entry: DeclaredException,
    before: tuple[AccessException, ...],
    stored: tuple[AccessException, ...],
    inventory: Inventory,
    now: datetime,
    *,
    actor: str,
) -> AccessException:
    """As if it had been asked for and approved by those whom the file names."""
    request = replace(entry.request(), renews=before[-1].id if before else None)
    asked = lifecycle.check_request(request, inventory, now)
    new = lifecycle.new_exception(request, asked, new_id=new_id, actor=entry.requested_by, now=now)
    digest = lifecycle.preview(new, inventory, stored, now).digest
    return replace(
        new,
        state=ExceptionState.APPROVED,
        approvals=tuple(Approval(actor=who, at=now, preview=digest) for who in entry.approved_by),
        decided_by=actor,
        decided_at=now,
        declared=Declared(key=key, digest=entry.digest),
    )


def guard_gone(changes: Iterable[DeclaredChange], held: int) -> str | None:
    """Why a person must say so first, when the file lost more of the ``held`` live ones than they may expect."""
    gone = sum(len(change.end) for change in changes if change.kind is DeclaredKind.END)
    if gone < 2 or (gone < held and (gone <= GONE_FLOOR or gone <= GONE_SHARE * held)):
        return None
    return f"{gone} of {held} declared exceptions would end at once"
