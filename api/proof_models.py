"""Block proof over the wire: the matrix, the single answers, and what probes bring."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from api.models import Answer, Failure, Instant, Line, Name, OptionalLine, Request
from controller import views
from controller.errors import Invalid
from controller.proof import model
from controller.proof.model import By, Expected, Path, ProofState
from controller.proof.probing import MOST, Control, ProbeReport, Tried, address_or_none
from core.ids import SiteName
from core.net import Address
from vendors.oracle import Answered

FORMAT: Final = "tokgate-probe/1"
MOST_CONTROLS: Final = 500


def _address(text: str) -> str:
    found = address_or_none(text)
    if found is None or "%" in text:
        raise ValueError("expected an address such as 10.20.3.7")
    return str(found)


def _target(text: str) -> str:
    found = address_or_none(text)
    return text.lower().rstrip(".") if found is None else str(found)


AddressText = Annotated[str, StringConstraints(max_length=45), AfterValidator(_address)]
TargetText = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]+$", min_length=1, max_length=253), AfterValidator(_target)
]
HostText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Round = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]


_VERSIONS: Final = {Path.TCP: 4, Path.QUIC: 4, Path.TCP6: 6, Path.QUIC6: 6}


class ProofField(Answer):
    """A field of the matrix: what the last round says of one kind of source on one path."""

    site: str
    origin: str = Field(description="the firewall that was asked, or the host that tried")
    by: By
    path: Path
    role: str | None = Field(description="of the source; null: an exception names it")
    exception: str | None
    state: ProofState = Field(description="`unknown` also when the last proof is old")
    asked: int = Field(ge=1)
    unknown: int = Field(ge=0, description="how many of them were not answered, or not understood")
    source: str = Field(description="of the worst answer, as `target`, `rule` and `words`")
    target: str
    rule: str
    words: str
    at: Instant
    since: Instant = Field(description="when the state began")
    leak: str | None = Field(description="the episode of the leak that is open")

    @classmethod
    def of(cls, cell: model.ProofCell) -> ProofField:
        return cls(
            site=cell.site,
            origin=cell.origin,
            by=cell.by,
            path=cell.path,
            role=cell.role or None,
            exception=cell.exception,
            state=cell.state,
            asked=cell.asked,
            unknown=cell.unknown,
            source=cell.source,
            target=cell.target,
            rule=cell.rule,
            words=cell.words,
            at=cell.at,
            since=cell.since,
            leak=cell.leak,
        )


class ProofResult(Answer):
    """One connection that a firewall was asked about, or that a probe tried."""

    id: str
    round: str
    site: str
    origin: str
    by: By
    path: Path
    role: str | None
    exception: str | None
    source: str
    target: str
    expected: Expected
    said: Answered
    state: ProofState
    rule: str
    words: str
    at: Instant

    @classmethod
    def of(cls, proof: model.Proof) -> ProofResult:
        return cls(
            id=proof.id,
            round=proof.round,
            site=proof.site,
            origin=proof.origin,
            by=proof.by,
            path=proof.path,
            role=proof.role or None,
            exception=proof.exception,
            source=str(proof.source),
            target=proof.target,
            expected=proof.expected,
            said=proof.said,
            state=proof.state,
            rule=proof.rule,
            words=proof.words,
            at=proof.at,
        )


class ProvenDevice(Answer):
    """What asking one firewall came to."""

    device: str
    site: str
    proofs: tuple[ProofResult, ...]
    why: str = Field(description="why nothing was asked; empty when something was")
    error: Failure | None

    @classmethod
    def of(cls, result: views.ProofResult) -> ProvenDevice:
        proven = result.proven
        return cls(
            device=result.device,
            site=result.site,
            proofs=() if proven is None else tuple(ProofResult.of(proof) for proof in proven.proofs),
            why="" if proven is None else proven.why,
            error=Failure.of(result.error),
        )


class ProvenDevices(Answer):
    items: tuple[ProvenDevice, ...]
    leaking: bool


class ProbeTargets(Answer):
    """What to try from inside the site now. ``controls``: names that must be reachable, as the inventory says."""

    site: str
    targets: tuple[str, ...]
    controls: tuple[str, ...]


class ProbeTaken(Answer):
    """How many attempts prove what. ``skipped``: they prove nothing, as those of sources that nothing is to be blocked
    for. Among the ``unknown`` is also what leaked before and was not tried again."""

    site: str
    taken: int
    skipped: int
    blocked: int
    leaking: int
    open: int
    closed: int
    unknown: int

    @classmethod
    def of(cls, report: ProbeReport, found: tuple[model.Proof, ...]) -> ProbeTaken:
        counts: dict[str, Any] = {state.value: sum(proof.state is state for proof in found) for state in ProofState}
        told = {(proof.path, proof.source, proof.target) for proof in found}
        skipped = sum((tried.path, tried.source, tried.target) not in told for tried in report.results)
        return cls(site=report.site, taken=len(found), skipped=skipped, **counts)


# --- what a probe sends -----------------------------------------------------------------------------------------------


class ProbeAttempt(Request):
    """One attempt. ``address``: the one that was tried; empty where none was."""

    path: Path
    source: AddressText
    target: TargetText
    address: AddressText | Literal[""] = ""
    verdict: Literal["blocked", "passes", "unknown"]
    why: OptionalLine = ""
    silent: bool = Field(default=False, description="nothing came back at all, as from an address that nobody has")

    @model_validator(mode="after")
    def _is_of_one_family(self) -> Self:
        """As it was tried: nobody connects from one family to the other."""
        version = _VERSIONS.get(self.path)
        given = (address_or_none(text) for text in (self.source, self.target, self.address))
        if version is not None and any(one is not None and one.version != version for one in given):
            raise ValueError(f"{self.path} is tried from an IPv{version} address to another")
        return self


class ProbeControl(Request):
    """What must be reachable; ``reached``: before and after."""

    path: Path
    source: AddressText
    target: TargetText
    reached: bool
    why: OptionalLine = ""


class ProbeBody(Request):
    """The result of `tokgate probe`. ``round`` tells it from every other one: it is taken once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": FORMAT,
                    "round": "2b18bc6f2d5847df7f504b5fc3a41cf3",
                    "site": "berlin",
                    "host": "printer-3",
                    "began": "2026-11-25T10:59:55Z",
                    "ended": "2026-11-25T11:00:00Z",
                    "results": [
                        {
                            "path": "tcp-443",
                            "source": "10.20.3.7",
                            "target": "103.136.220.10",
                            "address": "103.136.220.10",
                            "verdict": "blocked",
                            "why": "no connection: timed out",
                        }
                    ],
                    "controls": [
                        {
                            "path": "tcp-443",
                            "source": "10.20.3.7",
                            "target": "www.example.com",
                            "reached": True,
                            "why": "connected, and the TLS greeting was answered",
                        }
                    ],
                }
            ]
        }
    )
    format: Literal["tokgate-probe/1"]
    round: Round
    site: Name
    host: HostText
    began: Instant
    ended: Instant
    results: Annotated[tuple[ProbeAttempt, ...], Field(max_length=MOST)]
    controls: Annotated[tuple[ProbeControl, ...], Field(max_length=MOST_CONTROLS)] = ()

    def report(self) -> ProbeReport:
        return ProbeReport(
            round=self.round,
            site=SiteName(self.site),
            host=self.host,
            began=self.began,
            ended=self.ended,
            results=tuple(
                Tried(
                    path=each.path,
                    source=_known(each.source),
                    target=each.target,
                    address=address_or_none(each.address),
                    verdict=Answered(each.verdict),
                    why=each.why,
                    silent=each.silent,
                )
                for each in self.results
            ),
            controls=tuple(
                Control(path=each.path, source=_known(each.source), target=each.target, reached=each.reached)
                for each in self.controls
            ),
        )


def _known(text: str) -> Address:
    found = address_or_none(text)
    if found is None:
        raise Invalid(f"{text!r} is no address")
    return found


__all__ = ["Line", "ProbeBody", "ProbeTaken", "ProbeTargets", "ProofField", "ProofResult", "ProvenDevice"]
