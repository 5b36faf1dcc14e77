"""Names in certificates that are valid now, from a certificate transparency search as crt.sh answers it.

Anybody gets a certificate for a look-alike, so what stands in one is known and shown, and never enforced on this word.
The service is unofficial: about five questions a minute, 502 and empty bodies under load, and each certificate twice.
So there is a pause between any two questions, whether the first was answered or not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from core.net import DomainName
from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.dns import row_of
from ipsets.sources.http import KEPT, Getter
from ipsets.sources.plain import parse_line
from ipsets.sources.source import Fetched, LastGood, indicator
from ipsets.text import read_json, utc_instant

KIND: Final = "ct"
BASE_URL: Final = "https://crt.sh"
PAUSE_SECONDS: Final = 12.0
TOTAL_SECONDS: Final = 900.0
MAX_NAMES: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CtSource:
    """The certificates of some domains and what is below them. One question that fails fails the source."""

    domains: tuple[str, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5
    base_url: str = BASE_URL
    pause_seconds: float = PAUSE_SECONDS
    total_seconds: float = TOTAL_SECONDS
    getter: Getter = field(default_factory=Getter)

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        found: dict[DomainName, int] = {}
        end = time.monotonic() + self.total_seconds
        for number, domain in enumerate(self.domains):
            if number:
                self._pause(0.0)
            if time.monotonic() > end:
                raise self._late(number)
            found = {**parse(self._ask(domain), place=f"{self.base_url}, {domain}", now=now), **found}
        if not found:
            raise SourceImplausible("no certificate that is valid now", place=self.base_url, hint=KEPT)
        if len(found) > MAX_NAMES:
            raise SourceImplausible(f"{len(found)} names", place=self.base_url, hint=f"name fewer domains; {KEPT}")
        return Fetched(indicators=tuple(self._indicator(name, found[name], now) for name in sorted(found, key=_order)))

    def _ask(self, domain: str) -> str:
        asked = {"q": f"%.{domain}", "output": "json"}
        paced = replace(self.getter, sleep=self._pause)
        return paced.get(f"{self.base_url.rstrip('/')}/", params=asked).text()

    def _pause(self, seconds: float) -> None:
        """As long as the server asks for, and never shorter than our own pace."""
        if (pause := max(seconds, self.pause_seconds)) > 0:
            self.getter.sleep(pause)

    def _late(self, done: int) -> SourceUnreachable:
        why = f"{done} of {len(self.domains)} domains in {self.total_seconds:.0f} s"
        return SourceUnreachable(why, place=self.base_url, hint=f"name fewer, or raise total_seconds; {KEPT}")

    def _indicator(self, value: DomainName, certificate: int, now: datetime) -> Indicator:
        row = row_of(value.name)
        return indicator(
            value,
            source=f"{KIND}:{self.name}",
            seen=now,
            app=row.app if row else "unknown",
            category="certificate",
            confidence=Confidence.LOW,
            dedication=Dedication.UNKNOWN,
            detail=f"in certificate {certificate}",
        )


def parse(text: str, *, place: str, now: datetime) -> dict[DomainName, int]:
    """The names in certificates that are valid at ``now``, each with the id of one. ``*.x`` is what is below x. Pure.

    What is no host name (people's names and mail addresses stand in certificates too) is left out.

    Raises:
        SourceUnreachable: an empty body, which the service gives under load.
        SourceImplausible: not JSON, or another shape.
    """
    if not text.strip():
        raise SourceUnreachable("an empty answer", place=place, hint=f"later again; {KEPT}")
    try:
        certificates = read_json(text)
    except (ValueError, RecursionError) as exc:
        raise SourceImplausible(f"not JSON: {exc}", place=place, hint=KEPT) from exc
    if not isinstance(certificates, list):
        raise SourceImplausible("not a list of certificates", place=place, hint=KEPT)
    found: dict[DomainName, int] = {}
    try:
        for certificate in certificates:
            if utc_instant(certificate["not_before"]) <= now <= utc_instant(certificate["not_after"]):
                for name in _names(certificate):
                    found.setdefault(name, _number(certificate))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as exc:
        why = f"not the documented shape: {type(exc).__name__} {str(exc)[:100]}"
        raise SourceImplausible(why, place=place, hint=KEPT) from exc
    return found


def _number(certificate: dict[str, Any]) -> int:
    number = int(certificate["id"])
    if not 0 <= number < 1 << 63:
        raise ValueError("a certificate's id out of range")
    return number


def _names(certificate: dict[str, Any]) -> Iterator[DomainName]:
    for word in (*certificate["name_value"].split("\n"), certificate.get("common_name") or ""):
        name = word.strip().lower()
        host = name.removeprefix("*.")
        try:
            entries = list(parse_line(f"full:{host}"))
        except ValueError:
            continue
        if entries == [DomainName(host, suffix=False)]:
            yield DomainName(host, suffix=host != name)


def _order(name: DomainName) -> tuple[str, bool]:
    return name.name, name.suffix
