"""Uploads of evidence: brought in batches that keep their names, and never of clients that are out of reach."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.errors import Invalid, NotFound
from controller.evidence.model import Batch, Quarantine
from controller.reach import Reach
from controller.rehearsal import Rehearsal, rehearsed
from controller.upload_desk import BATCH, Upload, UploadDesk
from core.clock import ManualClock
from core.ids import SiteName
from tests.controller.offices import offices

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


class Taken(list[Batch]):
    """An intake that keeps what it is brought."""


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def desk(tmp_path: Path, taken: Taken) -> UploadDesk:
    return UploadDesk(offices(tmp_path), ManualClock(NOW), take=taken.append)


def asked(*clients: str, at: str = "2026-11-27T07:24:13Z") -> io.BytesIO:
    lines = (f"{at} dnsmasq[1]: query[A] www.tiktok.com from {client}\n" for client in clients)
    return io.BytesIO("".join(lines).encode())


def an_upload(**said: str | None) -> Upload:
    return Upload(**{"digest": "d1gest", "format": "dnsmasq", **said})  # type: ignore[arg-type]


def test_the_same_upload_has_the_same_batches_and_another_has_others(desk: UploadDesk, taken: Taken) -> None:
    many = ["10.20.0.7"] * (2 * BATCH + 1)
    for digest in ("one", "one", "other"):
        desk.bring(asked(*many), an_upload(digest=digest), actor="token:zeek")
    assert [len(batch.sightings) for batch in taken] == [BATCH, BATCH, 1] * 3
    names = [batch.id for batch in taken]
    assert names[:3] == names[3:6]
    assert len({*names}) == 6
    assert {batch.origin for batch in taken} == {"upload dnsmasq"}


def test_what_is_no_evidence_goes_along_with_the_reason(desk: UploadDesk, taken: Taken) -> None:
    stream = io.BytesIO(
        asked("10.20.0.7").read() + b"what?\n" * 5 + asked("10.20.0.7", at="2026-11-01T00:00:00Z").read()
    )
    said = desk.bring(stream, an_upload(), actor="token:zeek")
    assert (said.sightings, said.set_aside) == (1, {Quarantine.TOO_OLD: 1, Quarantine.UNREADABLE: 5})
    assert [one.why for one in said.samples] == [Quarantine.UNREADABLE] * 3 + [Quarantine.TOO_OLD]
    assert len(taken[0].rejected) == 6


def test_what_is_set_aside_says_who_brought_it_and_for_which_site(desk: UploadDesk, taken: Taken) -> None:
    desk.bring(io.BytesIO(b"what?\n"), an_upload(sensor="dns-1", site="berlin"), actor="token:dns-1")
    desk.bring(io.BytesIO(b"what?\n"), an_upload(sensor="dns-2"), actor="token:dns-2")
    told = [(one.origin, one.site) for batch in taken for one in batch.rejected]
    assert told == [("upload dnsmasq dns-1", "berlin"), ("upload dnsmasq dns-2", None)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"starting up\n", "of no format that is known", id="unknown"),
        pytest.param(b"", "is empty: there is nothing to read", id="empty"),
        pytest.param(gzip.compress(b"")[:12], "the gzip data is cut off", id="cut-off"),
    ],
)
def test_a_file_that_is_no_evidence_at_all_is_refused_and_counted(
    desk: UploadDesk, taken: Taken, data: bytes, said: str
) -> None:
    """Nobody reads the answers that a nightly job is given."""
    for _ in range(2):
        with pytest.raises(Invalid, match=said):
            desk.bring(io.BytesIO(data), an_upload(format=None, sensor="zeek"), actor="token:zeek")
    assert {(one.why, one.origin, one.detail) for batch in taken for one in batch.rejected} == {
        (Quarantine.UNREADABLE, "upload auto zeek", said)
    }
    assert len({batch.id for batch in taken}) == 1, "the same file counts once"
    with rehearsed(Rehearsal()), pytest.raises(Invalid, match=said):
        desk.bring(io.BytesIO(data), an_upload(format=None), actor="token:zeek")
    assert len(taken) == 2


def test_who_is_limited_to_a_site_brings_evidence_of_its_clients_alone(desk: UploadDesk, taken: Taken) -> None:
    narrow = desk.within(Reach(frozenset({SiteName("berlin")})))
    said = narrow.bring(asked("10.20.0.7", "10.30.0.7", "203.0.113.9"), an_upload(), actor="token:berlin")
    assert said.set_aside == {Quarantine.STRANGER: 2}
    assert [str(one.source) for one in taken[0].sightings] == ["10.20.0.7"]
    assert taken[0].site == "berlin"
    with pytest.raises(NotFound):
        narrow.bring(asked("10.20.0.7"), an_upload(site="lisbon"), actor="token:berlin")


def test_i12_times_without_a_zone_are_of_the_site_or_of_the_zone_that_is_named(desk: UploadDesk, taken: Taken) -> None:
    line = b"Nov 27 08:00:00 dnsmasq[1]: query[A] www.tiktok.com from 10.20.0.7\n"
    for said in ({"site": "berlin"}, {"site": "berlin", "zone": "Europe/Lisbon"}, {}):
        desk.bring(io.BytesIO(line), an_upload(**said), actor="token:dns")
    assert [batch.sightings[0].at.hour for batch in taken] == [7, 8, 8]
    with pytest.raises(Invalid, match="no time zone"):
        desk.bring(io.BytesIO(line), an_upload(zone="Mars/Olympus"), actor="token:dns")


def test_a_rehearsal_is_only_read(desk: UploadDesk, taken: Taken) -> None:
    with rehearsed(Rehearsal()):
        assert desk.bring(asked("10.20.0.7"), an_upload(), actor="token:zeek").sightings == 1
    assert not taken


def test_a_packed_bomb_ends(desk: UploadDesk, taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.upload_desk.MAX_UNPACKED", 1 << 20)
    bomb = io.BytesIO(gzip.compress(asked("10.20.0.7").read() * 50_000))
    said = desk.bring(bomb, an_upload(format=None), actor="token:zeek")
    assert said.format == "dnsmasq"
    assert 10_000 < said.sightings < 20_000
    assert said.samples[0].detail.endswith("there is more of it than is read of one file")
