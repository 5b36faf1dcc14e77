"""Files judged at once: what comes of them, with and without an inventory, and what they could not say."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from api.cli import main
from controller.evidence import detecting
from controller.evidence.detecting import NOWHERE, detect, without_sites
from controller.evidence.judging import Judge
from controller.evidence.model import Batch, Channel, EpisodeAction, EpisodeKind, Quarantine, Rejected, Verdict
from controller.evidence_desk import matcher_of
from controller.store import EpisodeQuery, Store
from core.clock import ManualClock
from tests.controller.offices import NOON, YAML
from tests.controller.seeing import (
    API,
    AT_API,
    EVASION,
    FILES,
    MORNING,
    PHONE,
    hello,
    judge,
    marketing,
    morning,
    plain,
    seen,
)
from tests.controller.test_evidence_desk import desk

ZEEK = ("zeek-conn.log", "zeek-dns.log", "zeek-ssl.log", "zeek-quic.log", "zeek-http.log")


def alone() -> Judge:
    known = without_sites()
    return Judge(known, matcher_of(known, None))


def test_without_an_inventory_everything_is_at_one_site_that_watches() -> None:
    found = detect(alone(), morning(*ZEEK))
    using = {str(e.source): e for e in found.episodes if e.kind is EpisodeKind.USE}
    assert set(using) == {f"10.20.{x}" for x in ("3.41", "7.12", "9.21", "5.5", "3.60", "3.61", "3.90")}
    assert {e.site for e in found.episodes} == {NOWHERE}
    assert using["10.20.9.21"].action is using["10.20.7.12"].action is EpisodeAction.MONITORED
    assert using["10.20.3.90"].action is EpisodeAction.UNKNOWN, "no answer, and nobody says why"


def test_with_one_its_policies_judge(tmp_path: Path) -> None:
    found = detect(judge(tmp_path), [*morning(*ZEEK), hello(source="192.168.1.1")])
    assert {(e.site, e.role) for e in found.episodes} == {("berlin", "company"), ("berlin", "guest")}
    assert found.strangers == 1


def test_a_file_is_judged_in_pieces_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow in one piece, and what says its name in a later one."""
    told = [seen(Channel.FLOW, 0, destination=AT_API, uid="C1", octets=5), hello(API, 1, uid="C1", destination=AT_API)]
    whole = detect(alone(), told)
    monkeypatch.setattr(detecting, "CHUNK", 1)
    assert plain(detect(alone(), told).episodes) == plain(whole.episodes)
    assert whole.episodes[0].octets == 5


def test_what_is_no_evidence_is_counted() -> None:
    bad = Rejected(why=Quarantine.UNREADABLE, origin="x:1", text="?", count=3)
    found = detect(alone(), [bad, hello(), None, bad])
    assert (found.sightings, dict(found.rejected), found.samples) == (1, {Quarantine.UNREADABLE: 6}, (bad,))


def test_what_follows_is_told_too_and_a_way_round_is_no_contact(tmp_path: Path) -> None:
    over = marketing(starts=NOON - timedelta(hours=2), ends=NOON - timedelta(hours=1))
    blocked = hello(verdict=Verdict.BLOCKED)
    told = [blocked, hello("dns.google", 20), hello("ads.tiktok.com", source="10.20.5.5", answered=True)]
    found = detect(judge(tmp_path, over, text=EVASION), told)
    kinds = {(e.kind, str(e.source)) for e in found.episodes}
    assert kinds == {
        (EpisodeKind.USE, PHONE),
        (EpisodeKind.EVASION, PHONE),
        (EpisodeKind.USE, "10.20.5.5"),
        (EpisodeKind.OUTSIDE_HOURS, "10.20.5.5"),
        (EpisodeKind.LEAK, "10.20.5.5"),
    }


def test_the_command_knows_the_exceptions_of_the_store(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path))
    (tmp_path / "inventory.yaml").write_text(YAML)
    files = [str(FILES / name) for name in ZEEK]
    ask = ["detect", "-o", "json", "--inventory", str(tmp_path / "inventory.yaml"), *files]
    assert main.main(ask) == 2
    assert "there is no store here" in capsys.readouterr().err
    ads = marketing()
    with Store.open(tmp_path, clock=ManualClock(NOON)) as store:
        store.add_exception(ads)
    assert main.main(ask) == 2
    said = capsys.readouterr()
    allowed = [one for one in json.loads(said.out) if one["exception"] == ads.id]
    assert {one["action"] for one in allowed} == {"allowed-by-exception"}
    assert "no store" not in said.err
    assert main.main([*ask, "--no-exceptions"]) == 2
    assert ads.id not in capsys.readouterr().out


def test_the_command_says_by_its_end_whether_it_found_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [str(FILES / name) for name in ZEEK]
    assert main.main(["detect", *files]) == 2
    said = capsys.readouterr()
    assert "ads-manager" in said.out
    assert "3 contacts that are no use" in said.err
    assert main.main(["detect", "--all", "-o", "csv", *files]) == 2
    assert ",contact,offline," in capsys.readouterr().out
    nothing = tmp_path / "dns.log"
    nothing.write_text("\n".join((FILES / "zeek-dns.log").read_text().splitlines()[:8]) + "\n")
    assert main.main(["detect", str(nothing)]) == 0
    assert main.main(["detect", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_one_file_that_cannot_be_read_hides_nothing_of_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.log").touch()
    (tmp_path / "stderr.log").write_text("starting up\n")
    bad = [str(tmp_path / name) for name in ("empty.log", "stderr.log", "none")]
    assert main.main(["detect", bad[0], *(str(FILES / name) for name in ZEEK), *bad[1:]]) == 1
    said = capsys.readouterr()
    assert "ads-manager" in said.out
    for why in ("empty.log: is empty", "stderr.log: of no format", "none: cannot be read"):
        assert why in said.err
    assert main.main(["detect", *bad]) == 1
    assert capsys.readouterr().out == "", "nothing was judged, so nothing is said of use"
    assert main.main(["detect", "--as", "nothing", *bad]) == 1
    assert "format: 'nothing' is none" in capsys.readouterr().err


def test_where_all_was_set_aside_nobody_knows_whether_there_was_use(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cut = tmp_path / "conn.log"
    log = (FILES / "zeek-conn.log").read_bytes()
    cut.write_bytes(log[: log.index(b"C0001a")])
    assert main.main(["detect", str(cut)]) == 1
    said = capsys.readouterr()
    assert "nothing could be judged" in said.out + said.err
    assert "no use" not in said.out + said.err


@pytest.mark.parametrize("order", [ZEEK, ZEEK[::-1], ZEEK[2:] + ZEEK[:2]], ids=["flows-first", "flows-last", "between"])
def test_brought_file_by_file_it_comes_to_the_same_in_any_order(order: tuple[str, ...], tmp_path: Path) -> None:
    """Though what names a flow may come after it, and in another file."""
    clock = ManualClock(MORNING + timedelta(hours=9))
    with Store.open(tmp_path, clock=clock) as store:
        taking = desk(store, clock, tmp_path)
        for name in order:
            taking.take(Batch(origin=name, id=name, sightings=tuple(morning(name))))
        kinds = frozenset({EpisodeKind.USE, EpisodeKind.CONTACT})
        kept = store.episodes(EpisodeQuery(kinds=kinds)).items
    whole = [one for one in detect(judge(tmp_path), morning(*ZEEK)).episodes if one.kind in kinds]
    assert [p[:-1] for p in plain(kept)] == [p[:-1] for p in plain(whole)], "all but the order of where to"
