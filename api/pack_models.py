"""Evidence packs over the wire: what is asked for, and what was made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from api.models import Answer, Instant, Line, Name, Request
from controller.model import Window
from controller.pack_desk import Draw, Pack, PackWish
from controller.packs.shelf import Shelved

DEFAULT_SPAN = timedelta(days=30)
MOST_SITES = 1_000
RegulationId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=60)]


class DrawBody(Request):
    """Which days of sites are drawn."""

    seed: Line = Field(description="whatever the auditor says; the draw follows", examples=["4711"])
    site_days: int = Field(default=25, ge=1, le=1_000)

    def draw(self) -> Draw:
        return Draw(seed=self.seed, count=self.site_days)


class PackBody(Request):
    """Which pack is asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-10-01T00:00:00Z",
                    "to": "2026-11-01T00:00:00Z",
                    "sites": ["berlin"],
                    "regulation": "far-52.204-27",
                    "pdf": True,
                }
            ]
        }
    )

    start: Instant | None = Field(default=None, alias="from", description="30 days before `to` when left out")
    end: Instant | None = Field(default=None, alias="to", description="must be over; now when left out")
    sites: tuple[Name, ...] = Field(default=(), max_length=MOST_SITES, description="every site that you see when empty")
    regulation: RegulationId | None = Field(
        default=None, description="answer its questions too", examples=["far-52.204-27"]
    )

    pdf: bool = Field(default=False, description="with the page as PDF too; for 50 sites at most")

    sample: DrawBody | None = Field(
        default=None, description="of the days that it draws, and of nothing else; not with `regulation` or `pdf`"
    )

    def wish(self, now: datetime) -> PackWish:
        """To the second."""
        end = (self.end or now).replace(microsecond=0)
        start = end - DEFAULT_SPAN if self.start is None else self.start.replace(microsecond=0)
        return PackWish(
            window=Window(start, end),
            sites=self.sites,
            regulation=self.regulation,
            pdf=self.pdf,
            sample=self.sample.draw() if self.sample is not None else None,
        )


class PackMade(Answer):
    """A pack that waits to be fetched."""

    id: str
    href: str = Field(description="the ZIP file, for whoever asked for it")
    until: Instant = Field(description="when it is taken away; a restart of the server takes it away too")
    sites: tuple[str, ...]
    files: int
    bytes: int
    sha256: str = Field(description="of the ZIP file")
    public_key: str = Field(description="the one that signed it; whoever checks the pack has it from elsewhere")

    @classmethod
    def of(cls, pack: Pack, shelved: Shelved) -> PackMade:
        return cls(
            id=shelved.id,
            href=f"/api/v1/packs/{shelved.id}",
            until=shelved.until,
            sites=pack.sites,
            files=len(pack.files),
            bytes=shelved.size_bytes,
            sha256=shelved.sha256,
            public_key=str(pack.key),
        )


__all__ = ["PackBody", "PackMade"]
