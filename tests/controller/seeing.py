"""Sightings and judges for the tests of evidence: two offices, a marketing exception, a morning of made-up traffic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from controller.evidence.correlating import Draft, fold, signs_of
from controller.evidence.formats import Reading, read
from controller.evidence.judging import Judge
from controller.evidence.model import Channel, Episode, Sighting, Verdict
from controller.evidence_desk import matcher_of
from controller.inventory import Inventory
from controller.model import AccessException
from tests.controller.offices import NOON, YAML, an_exception, offices

FILES = Path(__file__).parent / "evidence_files"
LABELS = Path(__file__).parent / "evidence_labels.csv"
MORNING = datetime(2026, 9, 1, tzinfo=UTC)
API = "api16-core-useast5.tiktokv.us"
AT_API = "23.201.31.148"
OWN = "103.136.221.2"
PHONE = "10.20.3.41"
EVASION = YAML.replace("  berlin:\n", "  berlin:\n    evasion: true\n")


def inventory(folder: Path, text: str = YAML) -> Inventory:
    return offices(folder, text)


def marketing(**fields: object) -> AccessException:
    """The Ads Manager's, for the marketing network, all of that day."""
    made = an_exception("10.20.5.0/24", starts=MORNING, ends=MORNING + timedelta(days=1))
    return replace(made, **fields)  # type: ignore[arg-type]


def judge(folder: Path, *exceptions: AccessException, text: str = YAML) -> Judge:
    known = inventory(folder, text)
    return Judge(known, matcher_of(known, None), exceptions)


def seen(
    channel: Channel = Channel.TLS,
    seconds: float = 0,
    *,
    source: str | None = PHONE,
    destination: str | None = None,
    start: datetime = NOON,
    **fields: object,
) -> Sighting:
    made = Sighting(
        channel=channel,
        at=start + timedelta(seconds=seconds),
        sensor="zeek",
        source=None if source is None else ip_address(source),
        destination=None if destination is None else ip_address(destination),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def asked(name: str = API, seconds: float = 0, *answers: str, **fields: object) -> Sighting:
    return seen(Channel.DNS, seconds, name=name, answers=answers, **fields)  # type: ignore[arg-type]


def hello(name: str = API, seconds: float = 0, **fields: object) -> Sighting:
    return seen(Channel.TLS, seconds, name=name, **fields)  # type: ignore[arg-type]


def denied(destination: str = OWN, seconds: float = 0, **fields: object) -> Sighting:
    said = {"verdict": Verdict.BLOCKED, "port": 443, "protocol": "tcp"} | fields
    return seen(Channel.FIREWALL, seconds, destination=destination, **said)  # type: ignore[arg-type]


def morning(*names: str) -> list[Sighting]:
    """What these files of the made-up morning say."""
    found: list[Sighting] = []
    for name in names:
        with (FILES / name).open("rb") as stream:
            _, records = read(stream, Reading(origin=name, now=NOON))
            found += [one for one in records if isinstance(one, Sighting)]
    return found


def drafts(judge_: Judge, sightings: Iterable[Sighting]) -> list[Draft]:
    return fold([], signs_of(judge_, sightings).signs)


def plain(episodes: Iterable[Episode]) -> list[tuple[object, ...]]:
    return sorted(
        (e.kind.value, str(e.source), e.app, e.action.value, e.confidence, e.count, e.window, e.destinations)
        for e in episodes
    )
