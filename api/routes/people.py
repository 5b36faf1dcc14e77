"""People who sign in, and their sessions: who there is, what they may, and ending what they have open.

Local accounts are made, and passwords set, by the command line on the machine alone.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Admin, Auditor, Ctl
from api.conditional import Match, tagged
from api.models import Page, PersonName, ReasonBody, Ulid
from api.pages import Newest, Sorted, paged
from api.people_models import Person, PersonBody, Session, SignedOut
from api.reference import answers
from controller import people
from controller.versions import person_version

router = APIRouter(tags=["people"])


def _shown(response: Response, person: people.Person) -> Person:
    """With its version, for whoever means to change it."""
    tagged(response, person_version(person))
    return Person.of(person)


@router.get("/people", summary="All people who have signed in or may")
def list_people(controller: Ctl, caller: Auditor, ask: Sorted) -> Page[Person]:
    """By name; also the disabled ones."""
    return paged(controller.people.all(), of="people", key=lambda p: p.name, show=Person.of, ask=ask)


@router.get("/people/{name}", summary="One person", responses=answers(404))
def get_person(controller: Ctl, caller: Auditor, response: Response, name: PersonName) -> Person:
    return _shown(response, controller.people.get(name))


@router.patch("/people/{name}", summary="Change what a person may", responses=answers(404, 409, 412, 503))
def edit_person(
    controller: Ctl, caller: Admin, response: Response, name: PersonName, body: PersonBody, match: Match = None
) -> Person:
    """In force at once, in open sessions and for tokens that they own too. 409 for roles and sites that the provider
    says, and for the last administrator with a local account."""
    changed = controller.people.edit(name, actor=caller.actor, reason=body.reason, **body.changes())
    return _shown(response, changed)


@router.post("/people/{name}/disable", summary="Disable a person", responses=answers(404, 409, 412, 503))
def disable_person(
    controller: Ctl, caller: Admin, response: Response, name: PersonName, body: ReasonBody, match: Match = None
) -> Person:
    """No sign-in from now on, no open session, and no token that they own."""
    return _shown(response, controller.people.disable(name, actor=caller.actor, reason=body.reason))


@router.post("/people/{name}/enable", summary="Enable a person again", responses=answers(404, 409, 412, 503))
def enable_person(
    controller: Ctl, caller: Admin, response: Response, name: PersonName, body: ReasonBody, match: Match = None
) -> Person:
    return _shown(response, controller.people.enable(name, actor=caller.actor, reason=body.reason))


@router.post(
    "/people/{name}/unlock", summary="Let a person try their password again", responses=answers(404, 409, 412, 503)
)
def unlock_person(controller: Ctl, caller: Admin, response: Response, name: PersonName, match: Match = None) -> Person:
    return _shown(response, controller.people.unlock(name, actor=caller.actor))


@router.post("/people/{name}/sign-out", summary="End every session of a person", responses=answers(404, 503))
def sign_out_person(controller: Ctl, caller: Admin, name: PersonName) -> SignedOut:
    return SignedOut(sessions=controller.people.sign_out_everywhere(name, actor=caller.actor))


@router.get("/sessions", summary="Sessions, the newest first", responses=answers(404))
def list_sessions(
    controller: Ctl,
    caller: Auditor,
    ask: Newest,
    person: Annotated[PersonName | None, Query(description="only of this person")] = None,
    open: Annotated[bool, Query(description="only those that are not over")] = False,
) -> Page[Session]:
    """Those that ended within the last month too."""
    found = controller.people.sessions(person, is_open=open)
    return paged(found, of="sessions", key=lambda s: s.id, show=Session.of, ask=ask)


@router.delete("/sessions/{id}", summary="End a session", responses=answers(404, 409, 503))
def end_session(controller: Ctl, caller: Admin, id: Ulid) -> Session:
    return Session.of(controller.people.end_session(id, actor=caller.actor))
