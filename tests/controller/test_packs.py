"""Evidence packs: what stands in them, that they are the same bytes, and that no byte of them changes unnoticed."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from controller.audit import AuditNote
from controller.coverage_desk import CoverageDesk
from controller.errors import Conflict, FormMissing, Invalid, NotFound
from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.inventory import Inventory
from controller.inventory.moves import parts_of
from controller.model import EventAction, ExceptionState, Observation, Window
from controller.pack_desk import Draw, Pack, PackDesk, PackWish, refuse_pdf
from controller.packs import page, regulations, sealing
from controller.packs.contents import iso, reconciled
from controller.reconciling import Finding
from controller.settings import Settings
from controller.store import Store
from core.clock import ManualClock
from core.ids import DeviceName, EventId, SiteName
from ipsets.minisign import SigningKey, new_key
from tests.controller.backends import only_a_file
from tests.controller.offices import NOON, an_exception, offices
from tests.controller.proving import proof
from tests.controller.reporting import NOT, event, seen
from tests.controller.test_enforced_age import FW, MINUTE, PROMISE, recorded
from vendors.model import Reading
from vendors.oracle import Answered

KEY = new_key()
SEAL = ("SHA256SUMS", sealing.MANIFEST, sealing.SIGNATURE)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path, PROMISE)


@pytest.fixture
def desk(store: Store, inventory: Inventory, clock: ManualClock, tmp_path: Path) -> PackDesk:
    """Of a store with six days of looks, an exception and its use, and two versions of the inventory."""
    began = clock.now()
    clock.advance(timedelta(days=-4))
    follow(store, inventory)
    store.append_audit(AuditNote(actor="ann", action="token.create", subject="helpdesk"))
    clock.advance(timedelta(days=1))
    (tmp_path / "other").mkdir()
    follow(store, offices(tmp_path / "other"))
    clock.advance(began - clock.now())
    recorded(store, clock, days=6)
    allowed = an_exception("10.20.1.7/32", starts=began - timedelta(days=3), ends=began)
    store.add_exception(replace(allowed, decided_by="bob", decided_at=allowed.starts), audit=None)
    waiting = replace(allowed, id=type(allowed.id)("01hzexception0000000000002"), state=ExceptionState.REQUESTED)
    store.add_exception(waiting, audit=None)
    found = [
        event(began - timedelta(hours=3), 5, sources=(seen("10.20.0.9", 15, began),)),
        event(began - timedelta(hours=2), 2, action=EventAction.ALLOWED, role=None, exception=allowed.id),
    ]
    store.record_events(FW, Reading(epoch="e", read_at=began, rules=()), found)
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path, evidence_key=None)
    coverage = CoverageDesk(store=store, inventory=inventory, clock=clock, freshness=30 * MINUTE)
    return PackDesk(store=store, inventory=inventory, clock=clock, settings=settings, coverage=coverage)


def follow(store: Store, inventory: Inventory) -> None:
    store.follow_inventory(inventory.digest, parts_of(inventory), said=inventory.model_dump(mode="json"))


def week(desk: PackDesk, **more: Any) -> PackWish:
    now = desk.clock.now()
    return PackWish(window=Window(now - timedelta(days=7), now), **more)


def made(desk: PackDesk, key: SigningKey = KEY, **more: Any) -> Pack:
    return desk.export(week(desk, **more), actor="test", key=key)


def said(pack: Pack, name: str) -> Any:
    return json.loads(pack.files[name])


def test_a_pack_says_policy_by_time_coverage_gaps_exceptions_and_attempts(desk: PackDesk) -> None:
    pack = made(desk)
    terms = said(pack, "policy.json")["sites"]["berlin"]
    assert [(term["known"], term["from"][:10]) for term in terms] == [
        (False, "2026-11-18"), (True, "2026-11-21"), (True, "2026-11-22"),
    ]  # fmt: skip
    assert terms[1]["policy"]["roles"]["company"]["windows"][0]["mode"] == "enforce"
    assert len(said(pack, "policy.json")["changes"]) == 2
    coverage = said(pack, "coverage.json")["berlin"]
    assert sum(coverage["seconds"].values()) == 7 * 86400
    assert coverage["minutes"]["unknown"] * 60 >= coverage["seconds"]["unknown"] > 86400
    assert coverage["kept_seconds"] < coverage["counted_seconds"] == 6 * 86400
    gaps = said(pack, "gaps.json")
    assert "unreachable" in {span.get("cause") for span in gaps["berlin"]["devices"]["fw-berlin"]}
    assert gaps["austin"]["never_looked_at"] == ["fw-austin"]
    (exception,) = said(pack, "exceptions.json")["berlin"]
    assert (exception["decided_by"], exception["reason"], exception["used"]["hits"]) == ("bob", "campaign", 2)
    assert said(pack, "attempts.json")["berlin"]["counted"]["blocked"] == {"events": 1, "hits": 5}
    assert b"secret://" not in b"".join(pack.files.values())


def test_clients_are_named_only_when_that_is_asked_for(desk: PackDesk) -> None:
    assert b"10.20.0.9" not in b"".join(made(desk).files.values())
    assert b"10.20.0.9" in made(desk, identities=True).files["events.jsonl"]


def test_the_same_store_and_time_give_the_same_bytes_but_for_when_it_was_made(desk: PackDesk) -> None:
    wish = week(desk, regulation="company-policy")
    desk.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    one = desk.export(wish, actor="test", key=KEY).files
    assert desk.export(wish, actor="test", key=KEY).files == one
    desk.clock.advance(timedelta(days=3))  # type: ignore[attr-defined]
    later = desk.export(wish, actor="test", key=KEY).files
    stated = json.loads(one["manifest.json"])["generated_at"], json.loads(later["manifest.json"])["generated_at"]
    differing = {name for name in one if one[name].replace(*map(str.encode, stated)) != later[name]}
    assert differing == {"manifest.json", "manifest.json.minisig", "SHA256SUMS"}, "these are digests of the others"


def mutations(files: dict[str, bytes], name: str) -> Iterator[dict[str, bytes]]:
    data = files[name]
    for place in {0, len(data) // 3, len(data) // 2, len(data) - 1} if data else ():
        yield {**files, name: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]}
    yield {**files, name: data + b"\n"}
    yield {**files, name: data[:-1] or b"x"}
    yield {other: kept for other, kept in files.items() if other != name}


@only_a_file
def test_no_byte_of_any_file_changes_unnoticed_and_the_file_is_named(desk: PackDesk) -> None:
    files = dict(made(desk, regulation="far-52.204-27").files)
    assert sealing.check(files, KEY.public).problems == ()
    assert len(files) == 19
    for name in files:
        for changed in mutations(files, name):
            named = {file for file, _ in sealing.check(changed, KEY.public).problems}
            wanted = {name} if name != sealing.MANIFEST else {sealing.MANIFEST, sealing.SIGNATURE}
            assert named & wanted, name
    signature = files[sealing.SIGNATURE]
    for place in range(len(signature)):
        changed = {
            **files,
            sealing.SIGNATURE: signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :],
        }
        assert not sealing.check(changed, KEY.public).is_whole, place
    assert ("extra.txt", "is in no manifest: it was added") in sealing.check(
        {**files, "extra.txt": b""}, KEY.public
    ).problems
    assert not sealing.check(files, new_key().public).is_whole, "another's key"


@only_a_file
def test_no_byte_of_the_zip_changes_unnoticed(desk: PackDesk) -> None:
    files = made(desk).files
    packed = sealing.zipped(files)
    assert sealing.unzipped(packed) == files
    places = [*range(0, len(packed), 101), *range(len(packed) - 900, len(packed))]
    for place in places:
        changed = packed[:place] + bytes([packed[place] ^ 4]) + packed[place + 1 :]
        with suppress(sealing.NoPack):
            assert not sealing.check(sealing.unzipped(changed), KEY.public).is_whole, place
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("scope.json", files["scope.json"] * 2)
    for broken, told in (
        (packed[: len(packed) // 2], "cut off"),
        (packed[:-1], "cut off"),
        (packed + b"\0", "around its files"),
        (b"", "no ZIP file"),
        (b"PK", "no ZIP file"),
        (again.getvalue(), "packed again"),
        (packed.replace(files["scope.json"], files["scope.json"].swapcase()), "scope.json in it was changed"),
    ):
        with pytest.raises(sealing.NoPack, match=told):
            sealing.unzipped(broken)


@only_a_file
def test_what_became_of_a_signature_is_told(desk: PackDesk) -> None:
    files, other = made(desk).files, made(desk, sites=("berlin",)).files
    old = new_key().public
    stories = {
        "signature of another pack": ({**files, sealing.SIGNATURE: other[sealing.SIGNATURE]}, KEY.public),
        f"is of key {KEY.public.id}, and not of {old.id}": (files, old),
        "no signature that can be read": ({**files, sealing.SIGNATURE: b"x"}, KEY.public),
        "is missing": ({name: data for name, data in files.items() if name != sealing.MANIFEST}, KEY.public),
    }
    for told, (changed, key) in stories.items():
        ((_, problem),) = sealing.check(changed, key).problems
        assert told in problem


@only_a_file
def test_a_chain_that_was_put_together_anew_is_no_chain(desk: PackDesk) -> None:
    """Somebody with another key seals what was edited: the audit log inside still tells."""
    files = dict(made(desk).files)
    edited = files["audit.jsonl"].replace(b"helpdesk", b"helpdexx")
    kept = {
        name: data for name, data in files.items() if name not in ("SHA256SUMS", *(sealing.MANIFEST, sealing.SIGNATURE))
    }
    forged = sealing.seal({**kept, "audit.jsonl": edited}, {"from": "", "to": ""}, KEY)
    assert [name for name, _ in sealing.check(forged, KEY.public).problems] == ["audit.jsonl"]


@only_a_file
def test_what_the_audit_log_says_of_others_is_withheld_and_its_place_is_not(desk: PackDesk) -> None:
    pack = made(desk, sites=("berlin",))
    log = pack.files["audit.jsonl"].decode().splitlines()
    assert [json.loads(line).get("action", "withheld") for line in log[1:-1]] == [
        "inventory.change", "withheld", "inventory.change",
    ]  # fmt: skip
    assert sealing.check(pack.files, KEY.public).is_whole
    moved = [log[0], log[1], log[3], log[2], log[4]]
    assert [*sealing._audit_problems("\n".join(moved).encode())]


@only_a_file
def test_what_makes_no_sense_is_refused_and_nothing_leaves_unsigned(desk: PackDesk) -> None:
    now = desk.clock.now()
    with pytest.raises(Invalid, match="in the future"):
        desk.export(PackWish(window=Window(now, now + MINUTE)), actor="test", key=KEY)
    with pytest.raises(NotFound, match="did you mean 'company-policy'"):
        made(desk, regulation="company-polic")
    with pytest.raises(NotFound, match="no site 'paris'"):
        made(desk, sites=("paris",))
    with pytest.raises(Conflict, match="none leaves here unsigned"):
        desk.export(week(desk), actor="test")
    made(desk)
    (entry,) = [e for e in desk.store.audit_entries() if e.action.startswith("evidence.")]
    assert (entry.actor, json.loads(entry.detail)["sites"]) == ("test", ["austin", "berlin"])


@only_a_file
def test_of_an_empty_store_nothing_is_shown_and_the_pack_says_so(
    store: Store, inventory: Inventory, clock: ManualClock, tmp_path: Path
) -> None:
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path, evidence_key=None)
    coverage = CoverageDesk(store=store, inventory=inventory, clock=clock, freshness=30 * MINUTE)
    desk = PackDesk(store=store, inventory=inventory, clock=clock, settings=settings, coverage=coverage)
    pack = made(desk, regulation="company-policy")
    assert sealing.check(pack.files, KEY.public).is_whole
    status = {a["asks"]: a["status"] for a in said(pack, "regulation.json")["answers"]}
    assert status["How much of the time was it proven to hold?"] == "not proven"
    assert [term["known"] for term in said(pack, "policy.json")["sites"]["berlin"]] == [False]
    assert said(pack, "coverage.json")["berlin"]["seconds"]["unknown"] == 7 * 86400


@only_a_file
def test_a_leak_is_told_once_and_stands_among_the_gaps(desk: PackDesk) -> None:
    """The leak that proof finds is an episode too; no look at a device tells of it."""
    at = desk.clock.now() - timedelta(hours=4)
    desk.store.record_proofs("r1", [proof(at, Answered.PASSES, words="matched: web out")])
    desk.store.record_proofs("r2", [proof(at + timedelta(minutes=20), round="r2")])
    pack = made(desk, regulation="far-52.204-27")
    (asked,) = [a for a in said(pack, "regulation.json")["answers"] if a["asks"] == "Did anything pass?"]
    assert asked["found"] == "1 leak of traffic that should not have passed; 1 answer of firewalls and probes said so"
    (leak,) = said(pack, "gaps.json")["berlin"]["site"]
    assert (leak["state"], leak["from"]) == ("not_enforced", iso(at))
    assert b"the site: from" in pack.files["index.html"]


@only_a_file
def test_where_nobody_counted_hits_are_unknown_in_a_pack_too(desk: PackDesk) -> None:
    counted = said(made(desk), "attempts.json")
    assert {kind["hits"] for kind in counted["austin"]["counted"].values()} == {None}
    assert counted["berlin"]["counted"]["monitored"]["hits"] == 0


@only_a_file
def test_a_pack_says_for_how_long_each_site_keeps_what(desk: PackDesk, tmp_path: Path) -> None:
    (tmp_path / "short").mkdir()
    short = PROMISE.replace(
        "    title: Berlin office\n", "    title: Berlin office\n    privacy: {retention: {events: 3, proofs: 2}}\n"
    )
    notes = said(made(replace(desk, inventory=offices(tmp_path / "short", short))), "scope.json")["notes"]
    assert any(
        note.startswith("At berlin the inventory keeps events of counters for 3 days, proofs for 2") for note in notes
    )
    assert not any("At austin" in note for note in notes)


def test_a_pack_says_which_firewall_was_there_then(desk: PackDesk, tmp_path: Path) -> None:
    """Without it a site whose firewall was replaced is unknown for no reason that anybody finds."""
    (tmp_path / "later").mkdir()
    later = replace(desk, inventory=offices(tmp_path / "later", PROMISE.replace("fw-berlin:", "fw-new:")))
    told = "fw-berlin was a firewall of berlin in this time, and is no longer in the inventory"
    assert [note.startswith(told) for note in said(made(later), "scope.json")["notes"]].count(True) == 1
    assert not any(note.startswith(told) for note in said(made(desk), "scope.json")["notes"])


def test_a_pack_of_all_sites_says_which_left_the_inventory(desk: PackDesk, tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    head, _, tail = PROMISE.partition("  berlin:\n")
    later = replace(desk, inventory=offices(tmp_path / "later", head + tail[tail.index("  austin:\n") :]))
    told = "berlin is no longer in the inventory: what was counted there in this time"
    assert [note.startswith(told) for note in said(made(later), "scope.json")["notes"]].count(True) == 1
    assert not any(told in note for note in said(made(desk), "scope.json")["notes"])


@only_a_file
def test_a_day_of_which_nothing_held_is_not_partly_proven(desk: PackDesk) -> None:
    day = NOON.replace(hour=0) - timedelta(days=2)
    for quarter in range(-1, 98):
        at = day + timedelta(minutes=15 * quarter)
        gone = Observation(device=DeviceName("fw-austin"), site=SiteName("austin"), at=at, found=NOT, left=NOT)
        desk.store.add_observation(gone)
    drawn = desk.sample(Window(day, day + timedelta(days=1)), seed="7", count=9)["site_days"]
    (austin,) = [each for each in drawn if each["site"] == "austin"]
    assert (austin["verdict"], austin["seconds"]["not_enforced"]) == ("not proven", 86400)
    assert austin["counted"]["blocked"] == {"events": 0, "hits": 0}


@only_a_file
def test_answers_say_what_is_not_proven(desk: PackDesk) -> None:
    answers = {a["asks"]: a for a in said(made(desk, regulation="far-52.204-27"), "regulation.json")["answers"]}
    status = {ask: answer["status"] for ask, answer in answers.items()}
    assert status["Is the application present on covered equipment?"] == "not proven"
    assert status["Did anything pass?"] == "not proven"
    assert status["Does the clause flow down to subcontracts?"] == "for a person"
    assert status["Which rule held, and from when on?"] == "partly shown"
    whole = answers["Was internet traffic from these networks to the application prohibited all the time?"]
    assert whole["status"] == "partly shown"
    assert "unknown" in whole["found"]


def test_every_regulation_is_dated_and_names_files_that_a_pack_has() -> None:
    files = {"scope", "policy", "coverage", "gaps", "exceptions", "attempts", "probes", "snapshots", "reconciliation"}
    there = {f"{name}.json" for name in files} | {"events.jsonl", "episodes.jsonl", "audit.jsonl"}
    files_of = {path.name for path in regulations.FOLDER.iterdir() if path.name.endswith(".yaml")}
    assert {f"{name}.yaml" for name in regulations.known()} == files_of, "each is called as its file is"
    for each in regulations.known().values():
        assert {name for question in each.questions for name in question.evidence} <= there
        assert each.as_of.year >= 2026
        assert each.sources
        assert len(each.recheck) >= 3
        assert "complian" not in each.model_dump_json().lower(), "what is shown is told, never whether that is enough"


@only_a_file
@pytest.mark.skipif(not all(map(shutil.which, ("openssl", "sha256sum", "b2sum"))), reason="needs openssl and coreutils")
def test_strangers_tools_check_it_as_the_page_says(desk: PackDesk, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    for name, data in made(desk).files.items():
        (folder / name).write_bytes(data)
    page = (Path(__file__).resolve().parents[2] / "docs" / "evidence-packs.md").read_text(encoding="utf-8")
    script = page.partition("```sh\n# openssl")[2].partition("```")[0]
    assert script

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "# " + script],
            cwd=folder,
            env={"KEY": str(KEY.public), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run()
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes() + b" ")
    assert run().returncode


@only_a_file
def test_a_sample_is_drawn_by_its_seed_and_says_what_is_unknown(desk: PackDesk) -> None:
    span = week(desk).window
    one, again = (desk.sample(span, seed="7", count=5) for _ in range(2))
    assert one == again
    assert (one["drawn"], one["of"]) == (5, 12), "six whole days of two sites"
    drawn = [(each["site"], each["day"]) for each in one["site_days"]]
    assert drawn != [(e["site"], e["day"]) for e in desk.sample(span, seed="8", count=5)["site_days"]]
    days = {(f"2026-11-{day}", site) for day in range(19, 25) for site in ("austin", "berlin")}
    order = sorted(days, key=lambda each: sha256(f"7 {each[1]} {each[0]}".encode()).hexdigest())
    assert {(day, site) for site, day in drawn} == set(order[:5]), "as the page says"
    every = {(e["site"], e["day"]): e["verdict"] for e in desk.sample(span, seed="7", count=99)["site_days"]}
    assert {verdict for (site, _), verdict in every.items() if site == "austin"} == {"unknown"}
    assert {"partly proven", "proven"} <= {verdict for (site, _), verdict in every.items() if site == "berlin"}
    assert b"nobody looked at it" in page.render_sample(one)


@only_a_file
def test_a_sample_is_sealed_as_a_pack_is(desk: PackDesk) -> None:
    drawn = Draw(seed="7", count=5)
    pack = made(desk, sample=drawn, sites=("berlin",))
    found = sealing.check(pack.files, KEY.public)
    assert found.is_whole
    assert (found.about["kind"], found.about["seed"], found.about["site_days"]) == ("sample", "7", 5)
    plain = desk.sample(week(desk).window, seed="7", count=5, sites=[SiteName("berlin")])
    assert said(pack, "sample.json") == plain
    assert plain["sites"] == ["berlin"]
    changed = {**pack.files, "sample.json": pack.files["sample.json"].replace(b'"unknown"', b'"proven"', 1)}
    assert sealing.check(changed, KEY.public).problems == (
        ("sample.json", "was changed: it does not match its sha256 in the manifest"),
    )
    entry = desk.store.audit_entries()[0]
    assert (entry.action, json.loads(entry.detail)["seed"]) == ("evidence.export", "7")
    with pytest.raises(Invalid, match="not together with"):
        made(desk, sample=drawn, regulation="company-policy")
    with pytest.raises(Invalid, match="no whole day"):
        end = desk.clock.now()
        desk.export(PackWish(window=Window(end - MINUTE, end), sample=drawn), actor="test", key=KEY)


@only_a_file
def test_the_page_as_pdf_is_sealed_with_the_rest(desk: PackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("weasyprint")
    pack = made(desk, pdf=True)
    assert pack.files["pack.pdf"].startswith(b"%PDF-")
    assert "pack.pdf" in {entry["path"] for entry in said(pack, sealing.MANIFEST)["files"]}
    assert b"pack.pdf" in pack.files["index.html"]
    assert made(desk, pdf=True).files == pack.files, "the same bytes"
    swapped = {**pack.files, "pack.pdf": pack.files["pack.pdf"] + b"\n"}
    assert [name for name, _ in sealing.check(swapped, KEY.public).problems] == ["pack.pdf"]
    before = desk.store.audit_entries()[0].hash
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(FormMissing, match="WeasyPrint, which is not installed"):
        made(desk, pdf=True)
    with pytest.raises(Invalid, match="for 50 sites at most; these are 51"):
        monkeypatch.undo()
        refuse_pdf(51)
    assert desk.store.audit_entries()[0].hash == before, "nothing was begun"


def client(kind: EpisodeKind, host: str, source: str | None = None) -> Episode:
    return Episode(
        id=EventId(f"01hz{kind.value}{host}{source}"), kind=kind, site=SiteName("berlin"),
        window=Window(NOON, NOON + MINUTE), action=EpisodeAction.UNKNOWN, confidence=90, grounds=(), host=host,
        source=ip_address(source) if source else None,
    )  # fmt: skip


@only_a_file
def test_three_records_are_held_against_each_other(desk: PackDesk) -> None:
    installed = [client(EpisodeKind.INSTALLED, name) for name in ("PC-1", "pc-2")]
    by_address = client(EpisodeKind.INSTALLED, "pc-3", "10.20.0.9")  # a counter saw that address
    used = [client(EpisodeKind.USE, "pc-1"), client(EpisodeKind.USE, "pc-9")]
    facts = replace(desk.facts(week(desk, sites=("berlin",))).sites[0], episodes=[*installed, by_address, *used])
    found = reconciled(facts, identities=True)
    assert [(row["client"], row["finding"]) for row in found["who"]] == [
        ("pc-3", Finding.BLOCKED), ("pc-1", Finding.PASSED), ("pc-2", Finding.BLIND), ("pc-9", Finding.STRANGER),
    ]  # fmt: skip
    began = desk.clock.now() - timedelta(days=6)
    day = Window(began, began + timedelta(hours=2))
    steady = replace(facts, whole=desk.coverage.site("berlin", day).whole)
    assert reconciled(steady, identities=False)["clients"][Finding.SILENT] == 1, "covered all the time"
    assert "who" not in reconciled(steady, identities=False)
    bare = reconciled(
        replace(facts, episodes=[e for e in facts.episodes if e.kind is EpisodeKind.USE]), identities=True
    )
    assert "none is recorded" in bare["endpoint_list"]
    assert (sum(bare["clients"].values()), bare["who"]) == (0, []), "nobody is missing in a list that is not there"
