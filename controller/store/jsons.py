"""Structured values as canonical JSON and back. What is read back equals what was written, types included."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from controller.errors import StoreError
from controller.evidence.model import Episode
from controller.evidence.setting_aside import Sample
from controller.model import AccessException, DeviceStatus, Emergency, EntryHit, SourceSeen
from controller.privacy.unmasking import Unmasking
from core.ids import SiteName

T = TypeVar("T")


class Json(Generic[T]):
    """One type's way into a text column."""

    def __init__(self, kind: Any, *, remembered: int = 0, written: int = 0) -> None:
        """``remembered``: so many texts are not parsed again, ``written``: nor so many of those that were made here;
        only for values that nobody can change."""
        self._kind = kind
        self._known = lru_cache(remembered)(self._parsed)
        self._written = OrderedDict[str, T]()
        self._written_most = written

    @property
    def _adapter(self) -> TypeAdapter[T]:
        return _adapter(self._kind)

    def dumps(self, value: T) -> str:
        text = self._adapter.dump_json(value).decode()
        if self._written_most:
            self._written[text] = value
            while len(self._written) > self._written_most:
                self._written.popitem(last=False)
        return text

    def loads(self, text: str) -> T:
        """Raises ``StoreError`` when the text is not what ``dumps`` wrote."""
        return self._known(text) if (known := self._written.get(text)) is None else known

    def _parsed(self, text: str) -> T:
        try:
            return self._adapter.validate_json(text)
        except ValidationError as exc:
            raise _unreadable(str(exc.errors(include_url=False)[0]["msg"])) from exc


class _Sources(Json[tuple[SourceSeen, ...]]):
    """A report reads thousands of them, mostly of the same few clients."""

    def _parsed(self, text: str) -> tuple[SourceSeen, ...]:
        try:
            return tuple(
                SourceSeen(
                    source=_address(one["source"]),
                    destination=_address(one["destination"]),
                    packets=one["packets"],
                    octets=one["octets"],
                    last_seen=datetime.fromisoformat(one["last_seen"]),
                )
                for one in json.loads(text)
            )
        except (ValueError, KeyError, TypeError) as exc:
            raise _unreadable(f"{type(exc).__name__}: {exc}") from exc


_address = lru_cache(4_096)(ip_address)


def _unreadable(why: str) -> StoreError:
    return StoreError(
        f"a stored value cannot be read: {why}",
        hint="run `tokgate db check`; restore a backup if it says the store is damaged",
    )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


STATUS: Json[DeviceStatus] = Json(DeviceStatus)
EMERGENCIES: Json[tuple[Emergency, ...]] = Json(tuple[Emergency, ...])
EXCEPTION: Json[AccessException] = Json(AccessException, remembered=4_096)
SOURCES: Json[tuple[SourceSeen, ...]] = _Sources(tuple[SourceSeen, ...])
SAMPLES: Json[tuple[Sample, ...]] = Json(tuple[Sample, ...])
EPISODE: Json[Episode] = Json(Episode, written=2_000)  # most grow with the next batch
UNMASKING: Json[Unmasking] = Json(Unmasking)
ENTRIES: Json[tuple[EntryHit, ...]] = Json(tuple[EntryHit, ...])
WORDS: Json[tuple[str, ...]] = Json(tuple[str, ...])
TIMINGS: Json[Mapping[str, float] | None] = Json(dict[str, float] | None)


def dumps_sites(sites: frozenset[SiteName] | None) -> str | None:
    """None is every site."""
    return None if sites is None else WORDS.dumps(tuple(sorted(sites)))


def loads_sites(text: str | None) -> frozenset[SiteName] | None:
    return None if text is None else frozenset(SiteName(word) for word in WORDS.loads(text))
