"""Where references to secrets stand in a value of the inventory, however deep. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from core.secret import SecretRef


def references(value: object, place: str = "") -> Iterator[tuple[str, SecretRef]]:
    """Each with its place below ``place``, as ``exports.siem.secret``."""
    if isinstance(value, SecretRef):
        yield place, value
        return
    for key, part in _parts(value):
        yield from references(part, f"{place}.{key}" if place else str(key))


def _parts(value: object) -> Iterator[tuple[object, object]]:
    match value:
        case BaseModel():
            return ((key, getattr(value, key)) for key in type(value).model_fields)
        case Mapping():
            return iter(value.items())
        case tuple() | list():
            return iter(enumerate(value))
        case _:
            return iter(())


__all__ = ["references"]
