"""What the API says, as the values that commands print: its own answers, or those of the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from api.cli.errors import NotOurs
from api.exception_models import AccessException
from api.models import show_time
from api.run_models import Run
from controller import model
from controller.exceptions import ExceptionPreview, ExceptionRequest, parse_hours
from controller.policy_week import PolicyWeek, Span, WeekDay, WeekLine

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T")
ANOTHER_VERSION = "is the server of another version?"


def told(kind: type[A], answer: object) -> A:
    """An answer of the API. What a newer server says besides is left out. Raises ``NotOurs``."""
    try:
        return kind.model_validate(answer, extra="ignore")
    except ValidationError as exc:
        raise _other(kind.__name__, exc) from exc


def made(kind: type[T], answer: object) -> T:
    """A value of the controller. Raises ``NotOurs``."""
    try:
        return TypeAdapter(kind).validate_python(answer)
    except ValidationError as exc:
        raise _other(kind.__name__, exc) from exc


def _other(what: str, exc: ValidationError) -> NotOurs:
    first = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "it"
    return NotOurs(f"the answer is no {what} as this version knows it: {place}: {first['msg']}", hint=ANOTHER_VERSION)


def body_of(request: ExceptionRequest) -> Any:
    said = TypeAdapter(ExceptionRequest).dump_python(request, mode="json")
    times = {"starts": show_time(request.starts), "ends": show_time(request.ends)}
    return without_none({**said, **times})


def without_none(said: Mapping[str, Any]) -> Any:
    return {key: value for key, value in said.items() if value is not None}


def exception_of(answer: Any) -> model.AccessException:
    told(AccessException, answer)
    declared = answer["declared"] and {"key": answer["declared"], "digest": ""}
    hours = [parse_hours(text) for text in answer["hours"]]
    return made(model.AccessException, {**answer, "declared": declared, "hours": hours})


def run_of(answer: Any) -> model.Run:
    told(Run, answer)
    parts = [{**part, "run": answer["id"]} for part in answer["devices"]]
    return made(model.Run, {**answer, "devices": parts})


def week_of(answer: Any) -> PolicyWeek:
    """A week as ``policy calendar`` draws it. Raises ``NotOurs``."""
    try:
        return _week(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise NotOurs("the answer is no week as this version knows it", hint=ANOTHER_VERSION) from exc


def _week(answer: Any) -> PolicyWeek:
    return PolicyWeek(
        site=answer["site"],
        title=answer["title"],
        policy=answer["policy"],
        time_zone=answer["time_zone"],
        days=tuple(
            WeekDay(date=date.fromisoformat(day["date"]), holiday=day["holiday"], hours=day["hours"])
            for day in answer["days"]
        ),
        lines=tuple(
            WeekLine(
                role=line["role"],
                services=tuple(line["services"]),
                days=tuple(tuple(map(_span, spans)) for spans in line["days"]),
            )
            for line in answer["lines"]
        ),
    )


def _span(said: Mapping[str, str]) -> Span:
    return Span(_minutes(said["from"]), _minutes(said["to"]), model.Mode(said["mode"]))


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


class Seen(ExceptionPreview):
    """A preview with the digest that the server gave it: what it is an approval of is the server's to say."""

    _digest: str

    @property
    def digest(self) -> str:
        return self._digest


def preview_of(answer: Any) -> Seen:
    plain = made(ExceptionPreview, answer)
    found = Seen(sentence=plain.sentence, opens=plain.opens, conflicts=plain.conflicts, lookups=plain.lookups)
    object.__setattr__(found, "_digest", answer["digest"])
    return found
