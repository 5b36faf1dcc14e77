"""How the API shows what files declare and how far what is in force is from it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from api.models import Answer
from controller import declared, declared_desk
from controller.declared import DeclaredKind
from controller.inventory import moves
from controller.inventory.moves import Move


class DeclaredChange(Answer):
    """One key of the file of exceptions."""

    key: Annotated[str, Field(examples=["marketing-q4"])]
    kind: Annotated[DeclaredKind, Field(description="what carrying out the file would do", examples=["replace"])]
    told: Annotated[str, Field(examples=["10.20.1.7 would reach tiktok at berlin."])]
    ends: Annotated[
        tuple[str, ...],
        Field(description="the exceptions that would be ended", examples=[["01ja7ev6m0y0t8p6q2r3s4t5v6"]]),
    ]

    @classmethod
    def of(cls, change: declared.DeclaredChange) -> Self:
        return cls(key=change.key, kind=change.kind, told=change.told, ends=tuple(e.id for e in change.end))


class MovedPart(Answer):
    """A part of the inventory that is another in the file than in force."""

    place: Annotated[str, Field(examples=["policies.standard"], description="as in the file")]
    move: Annotated[Move, Field(description="what became of it in the file")]

    @classmethod
    def of(cls, part: moves.MovedPart) -> Self:
        return cls(place=part.place, move=part.move)


class ConfigDrift(Answer):
    """How what is in force differs from the files as they are now."""

    serving: Annotated[
        str | None, Field(description="digest of the inventory that the schedule follows; null: none ever ran")
    ]
    on_disk: Annotated[str | None, Field(description="digest of the file; null: it cannot be read")]
    moved: Annotated[bool, Field(description="whether the inventory was edited since the schedule took it up")]
    trouble: Annotated[str, Field(description="what is wrong with a file; empty: nothing")]
    exceptions: Annotated[tuple[DeclaredChange, ...], Field(description="key by key of the file of exceptions")]
    parts: Annotated[
        tuple[MovedPart, ...] | None,
        Field(description="sites, devices, policies and sections of the inventory that differ; null: not known"),
    ]
    is_none: Annotated[bool, Field(description="whether all is as the files say")]

    @classmethod
    def of(cls, found: declared_desk.ConfigDrift) -> Self:
        return cls(
            serving=found.serving,
            on_disk=found.on_disk,
            moved=found.moved,
            trouble=found.trouble,
            exceptions=tuple(DeclaredChange.of(change) for change in found.exceptions),
            parts=None if found.parts is None else tuple(map(MovedPart.of, found.parts)),
            is_none=found.is_none,
        )
