"""Evidence over HTTP: a file goes in once, comes to episodes, and what is no evidence is told with the reason."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.limits import MAX_BODY_BYTES, STREAMED
from api.routes import evidence
from controller.evidence.model import Episode, EpisodeKind
from controller.model import Scope
from controller.store import EpisodeQuery
from core.ids import SiteName
from tests.api.conftest import MONTH, Office, Stock, an_office


@pytest.fixture
def office(stock: Stock, tmp_path: Path) -> Iterator[Office]:
    with an_office(tmp_path, stock) as office:
        yield office


def asked(office: Office, *clients: str, name: str = "api16-core-useast5.tiktokv.us", seconds: int = 60) -> bytes:
    at = (office.clock.now() - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "".join(f"{at} dnsmasq[1]: query[A] {name} from {client}\n" for client in clients).encode()


def bring(office: Office, data: bytes, *, format: str = "auto", token: str = "ingest", **more: Any) -> Any:  # noqa: A002
    headers = {"Content-Type": "text/plain", **more.pop("headers", {})}
    return office.ask("POST", f"/api/v1/evidence/{format}", token=token, content=data, headers=headers, **more)


def episodes(office: Office) -> Sequence[Episode]:
    """Of what was seen; what follows from it has its own tests."""
    seen = frozenset({EpisodeKind.USE, EpisodeKind.CONTACT})
    return office.controller.evidence.find(EpisodeQuery(kinds=seen)).items


def sightings_in(office: Office) -> int:
    return sum(one.count or 0 for one in episodes(office))


def test_a_log_becomes_an_episode_and_counts_once(office: Office) -> None:
    """By its bytes, whoever brings it and whether its format is named."""
    data = asked(office, "10.20.0.7") + b"what?\n"
    first = bring(office, data, params={"sensor": "dns-1"})
    assert first.status_code == 200, first.text
    told = first.json()
    assert (told["format"], told["sightings"], told["set_aside"]) == ("dnsmasq", 1, {"unreadable": 1})
    assert told["samples"] == [
        {"why": "unreadable", "text": "what?", "detail": "line 2: no line of dnsmasq with a time"}
    ]
    assert sightings_in(office) == 1
    again = bring(office, data, format="dnsmasq", params={"sensor": "dns-1"}, token="admin")
    assert again.json() == told
    assert sightings_in(office) == 1
    (episode,) = episodes(office)
    assert (episode.site, str(episode.source), episode.sensors) == ("berlin", "10.20.0.7", ("dns-1",))


def test_the_answer_to_a_key_is_given_again(office: Office) -> None:
    data, headers = asked(office, "10.20.0.7"), {"Idempotency-Key": "night-1"}
    first, again = (bring(office, data, headers=headers) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert sightings_in(office) == 1
    other = bring(office, asked(office, "10.20.0.8"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "TG5002")


def test_a_rehearsal_takes_nothing(office: Office) -> None:
    said = bring(office, asked(office, "10.20.0.7"), params={"dry_run": "true"})
    assert (said.json()["sightings"], said.headers["dry-run"]) == (1, "true")
    assert sightings_in(office) == 0


def test_large_and_packed_files_are_taken_as_they_are(office: Office) -> None:
    """Larger than any other body of the API; what it unpacks to is read piece by piece."""
    data = asked(office, *["10.20.0.7"] * 5000)
    assert len(data) > MAX_BODY_BYTES
    assert bring(office, data).json()["sightings"] == 5000
    packed = gzip.compress(asked(office, *["10.20.0.9"] * 5000))
    assert bring(office, packed, headers={"Content-Encoding": "gzip"}).json()["sightings"] == 5000
    assert sightings_in(office) == 10_000


def test_a_token_of_a_site_brings_evidence_of_its_clients_alone(office: Office) -> None:
    _, text = office.controller.create_token(
        "zeek-berlin", [Scope.INGEST], MONTH, actor="test", sites=frozenset({SiteName("berlin")})
    )
    office.tokens["berlin"] = text.reveal()
    told = bring(office, asked(office, "10.20.0.7", "10.30.0.7"), token="berlin").json()
    assert (told["sightings"], told["set_aside"]) == (1, {"stranger": 1})
    (episode,) = episodes(office)
    assert (episode.site, episode.sensors) == ("berlin", ("zeek-berlin",))
    elsewhere = bring(office, b"", format="zeek", token="berlin", params={"site": "lisbon"})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "TG5001")


@pytest.mark.parametrize(
    ("format", "data", "headers", "status", "code"),
    [
        pytest.param("auto", b"\0\1\2", {}, 422, "TG5007", id="of-no-format"),
        pytest.param("excel", b"x", {}, 422, "TG5007", id="a-format-that-is-none"),
        pytest.param("zeek", b"x", {"Content-Encoding": "br"}, 400, "TG8003", id="packed-otherwise"),
        pytest.param("zeek", b"x" * 300, {"Content-Length": "999999999999"}, 413, "TG8004", id="too-large-as-told"),
        pytest.param("zeek", b"x" * 3000, {}, 413, "TG8004", id="too-large"),
    ],
)
def test_what_is_no_upload_is_refused(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    format: str,  # noqa: A002
    data: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(evidence, "MAX_UPLOAD_BYTES", 1000)
    said = bring(office, data, format=format, headers=headers)
    assert (said.status_code, said.json()["code"]) == (status, code), said.text


def test_whoever_may_not_bring_evidence_sends_nothing(office: Office) -> None:
    """The body is not received before the token was looked at."""
    said = bring(office, b"x" * 10_000_000, token="operate")
    assert (said.status_code, said.json()["code"]) == (403, "TG6002")


def test_every_format_is_received_by_its_route() -> None:
    """At the door a body may be far smaller."""
    for name in ("auto", *evidence.FORMATS):
        assert f"/api/v1/evidence/{name}" in STREAMED
