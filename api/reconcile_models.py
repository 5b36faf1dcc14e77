"""Endpoints, firewalls and coverage held against each other, over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from api.models import Answer, Instant, Name, Request
from controller import reconcile_desk
from controller.reconciling import Finding, Reconciled, Row

FormatWord = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
MOST_TEXT: Final = 250_000
_ROW: Final[dict[str, Any]] = {
    "client": "pc-0417",
    "finding": "installed, seen, and all that was seen was blocked",
    "addresses": ["10.20.4.17"],
    "outcomes": ["blocked"],
    "last_seen": "2026-11-25T09:12:00Z",
}
_EXAMPLE: Final[dict[str, Any]] = {
    "from": "2026-11-18T12:00:00Z",
    "to": "2026-11-25T12:00:00Z",
    "endpoint_list": "laptops.csv",
    "elsewhere": 0,
    "sites": [
        {
            "site": "berlin",
            "has_list": True,
            "covered_share": 0.9988,
            "counts": {finding.value: int(finding is Finding.BLOCKED) for finding in Finding},
            "clients": [_ROW],
        }
    ],
}


class ReconcileBody(Request):
    """A list of endpoints to be held against what was seen and covered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "laptops.csv",
                    "list": "device name;application;ip address\nPC-0417;com.zhiliaoapp.musically;10.20.4.17\n",
                    "sites": ["berlin"],
                }
            ]
        }
    )

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        default="list", description="how the list is called in the answer"
    )
    text: str = Field(
        alias="list",
        min_length=1,
        max_length=MOST_TEXT,
        description="its text: a table, or an export of osquery, Intune or Jamf; read, and kept nowhere",
    )
    format: FormatWord | None = Field(default=None, description="told from its beginning when left out")
    site: Name | None = Field(default=None, description="of records without an address")
    sites: tuple[Name, ...] = Field(default=(), max_length=1_000, description="every site that you see when empty")
    start: Instant | None = Field(default=None, alias="from", description="seven days before `to` when left out")
    end: Instant | None = Field(default=None, alias="to", description="now when left out")


class ReconciledClient(Answer):
    client: str = Field(description="the name of the host, or else its address")
    finding: Finding
    addresses: tuple[str, ...]
    outcomes: tuple[str, ...] = Field(description="what became of what was seen of it")
    last_seen: Instant | None = Field(description="null: nothing was seen of it")

    @classmethod
    def of(cls, row: Row) -> ReconciledClient:
        return cls(
            client=row.client,
            finding=row.finding,
            addresses=row.addresses,
            outcomes=row.outcomes,
            last_seen=row.last_seen,
        )


class ReconciledSite(Answer):
    site: str
    has_list: bool = Field(description="false: nothing is known of what is installed")
    covered_share: float | None = Field(description="of the time, proven to block or to watch")
    counts: dict[Finding, int]
    clients: tuple[ReconciledClient, ...]

    @classmethod
    def of(cls, name: str, found: Reconciled) -> ReconciledSite:
        return cls(
            site=name,
            has_list=found.has_list,
            covered_share=found.covered,
            counts=found.counts,
            clients=tuple(map(ReconciledClient.of, found.rows)),
        )


class Reconciliation(Answer):
    """Endpoints × firewalls × coverage."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    start: Instant = Field(serialization_alias="from")
    end: Instant = Field(serialization_alias="to")
    endpoint_list: str | None = Field(description="the name of the list; null: as evidence told")
    elsewhere: int = Field(description="endpoints with the app that are at none of these sites, or at no known site")
    sites: tuple[ReconciledSite, ...]

    @classmethod
    def of(cls, found: reconcile_desk.Reconciliation) -> Reconciliation:
        return cls(
            start=found.window.start,
            end=found.window.end,
            endpoint_list=found.list_name,
            elsewhere=found.elsewhere,
            sites=tuple(ReconciledSite.of(name, site) for name, site in found.sites.items()),
        )
