"""The rules that say what a word is worth, read from ``data/judgement.yaml``. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ipsets import rulebook
from ipsets.ages import Ages
from ipsets.dataset import shipped_bytes

Reason: TypeAlias = Literal["abandoned", "gone", "stale"]
"""Why confidence in an entry is lower than its source says."""


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Family(_Rules):
    """Lists that copy each other."""

    why: str
    addresses: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)


class ConfidenceRules(_Rules):
    """What raises confidence in an entry by one step, and what lowers it by so many."""

    agreeing_voices: int = Field(ge=2)
    lowered: Mapping[Reason, Annotated[int, Field(ge=0)]]

    @field_validator("lowered")
    @classmethod
    def _of_each(cls, given: Mapping[Reason, int]) -> Mapping[Reason, int]:
        if silent := [reason for reason in get_args(Reason) if reason not in given]:
            raise ValueError(f"says nothing of {', '.join(silent)}")
        return given


class Rules(_Rules):
    """What ``judgement.yaml`` says."""

    voices_needed: int = Field(ge=1)
    seconding: Mapping[str, str]
    families: Mapping[str, Family]
    age_out: Mapping[str, Ages]
    """By kind of source; ``default`` for all others."""
    confidence: ConfidenceRules

    @field_validator("age_out")
    @classmethod
    def _of_all(cls, given: Mapping[str, Ages]) -> Mapping[str, Ages]:
        if "default" not in given:
            raise ValueError("has no `default` for the kinds that it does not name")
        return given


@cache
def rules() -> Rules:
    return parse_rules(shipped_bytes("judgement.yaml"), place="judgement.yaml")


def parse_rules(raw: bytes, *, place: str) -> Rules:
    """The rules that a file holds. Raises ``ConfigError`` with the line and the key."""
    return rulebook.shaped(Rules, raw, place=place)


def family_of(address: str) -> str | None:
    """The family of lists that this address belongs to, if it is one that is known to be copied."""
    families = rules().families.items()
    known = ((name, part) for name, family in families for part in family.addresses)
    return next((name for name, part in known if part.lower() in address.lower()), None)


def ages_of(kind: str) -> Ages:
    """How long words of this kind of source count, unless the inventory says otherwise."""
    known = rules().age_out
    return known.get(kind, known["default"])


def voice_of(source: str, families: Mapping[str, str]) -> str:
    """Under which name a source's word counts: each list is a voice of its own unless a family says otherwise.

    Of all other kinds there is one: two resolvers that say the same ask the same servers.
    """
    kind = source.partition(":")[0]
    return families.get(source, source if kind == "list" else kind)
