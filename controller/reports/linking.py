"""Where the figures of a report lead: pages of our own that show the events behind them. Pure.

Without an address of our own there are no links. A page reads its times by the clock of the site.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from controller.evidence.model import REVOCABLE, EpisodeKind
from controller.model import EventAction, Window
from controller.reconciling import Finding
from core.net import is_address

UNTOLD: Final = "none"
"""The surface of what does not say which."""
HOLDS: Final = "1"
"""So sure at least is what was not taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Those of one site and time; each is empty where it leads nowhere."""

    base: str
    site: str
    zone: ZoneInfo
    window: Window

    def events(
        self,
        *,
        end: str = "",
        kind: str = "",
        device: str = "",
        source: str = "",
        to: str = "",
        app: str = "",
        surface: str | None = None,
        q: str = "",
        weekday: str = "",
        hour: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> str:
        """The page of events, narrowed so. Of a client that stands under a pseudonym there is none."""
        if not self.base or (source and not is_address(source)):
            return ""
        named = {
            "device": device, "source": source, "to": to, "kind": kind, "end": end, "app": app,
            "surface": UNTOLD if surface == "" else surface or "", "q": q, "weekday": weekday, "hour": hour,
            "sure": HOLDS if kind in REVOCABLE else "",
        }  # fmt: skip
        times = {"since": self._wall(since or self.window.start), "until": self._wall(until or self.window.end)}
        return f"{self.base}/episodes?" + urlencode(
            {"site": self.site, **{k: v for k, v in named.items() if v}, **times}
        )

    def hour(self, start: datetime, action: EventAction, *, by_day: bool) -> str:
        """Of one bar."""
        return self.events(end=action.value, since=start, until=start + timedelta(days=1) if by_day else start + _HOUR)

    def finding(self, finding: Finding) -> str:
        """Of what followed of a client: what was blocked, what is installed, or all that was seen."""
        if finding is Finding.BLOCKED:
            return self.events(end=EventAction.BLOCKED.value)
        return self.events(kind=EpisodeKind.INSTALLED.value if finding in (Finding.SILENT, Finding.BLIND) else "")

    def hour_of_week(self, weekday: int, hour: int) -> str:
        """Of one square of the map; Monday is 0."""
        return self.events(weekday=_WEEK[weekday], hour=str(hour))

    def episode(self, name: str) -> str:
        return self._page("episodes", name)

    def exception(self, name: str) -> str:
        return self._page("exceptions", name)

    def device(self, name: str) -> str:
        return self._page("devices", name)

    @property
    def home(self) -> str:
        """Of the site: its coverage, policy and attempts."""
        return self._page("sites", self.site)

    def _page(self, what: str, name: str) -> str:
        return f"{self.base}/{what}/{quote(name, safe='')}" if self.base else ""

    def _wall(self, at: datetime) -> str:
        """By the site's clock, as date fields have it: in whole minutes where it is one."""
        local = at.astimezone(self.zone)
        return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"


_HOUR = timedelta(hours=1)
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


__all__ = ["HOLDS", "UNTOLD", "Links"]
