"""Every source keeps what it said last when it was good, whatever happens to it afterwards (I2)."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.errors import ConfigError
from ipsets.catalogue import load_catalogue
from ipsets.errors import SnapshotCorrupt, SourceImplausible, SourceUnreachable
from ipsets.guard import GuardLimits, default_never_block
from ipsets.model import Indicator
from ipsets.resolve import SourceRecord, dumps_record, loads_record, refresh
from ipsets.snapshot import build_snapshot
from ipsets.sources import CuratedConfig, Fetched, LastGood, ListConfig, RipestatConfig, build_source
from ipsets.text import canonical, sha256
from tests.ipsets.making import LATER, NOW, entry, snapshot, texts
from tests.ipsets.origins import Asked, Reply, web


def lines(count: int) -> str:
    return "".join(f"5.5.{at}.0/24\n" for at in range(count))


def a_list(path: Path, **changes: object) -> ListConfig:
    return ListConfig.model_validate({"kind": "list", "name": "ours", "file": path, "dedicated": True, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "extra.txt"
    path.write_text(lines(20), encoding="utf-8")
    return path


def once(config: ListConfig, known: SourceRecord | None, at: datetime) -> SourceRecord:
    (record,) = refresh([build_source(config)], {known.name: known} if known else {}, ManualClock(at))
    return record


def test_a_first_answer_is_recorded(path: Path) -> None:
    record = once(a_list(path), None, NOW)
    assert (record.name, record.kind) == ("ours", "list")
    assert (record.last_attempt, record.last_success, record.error) == (NOW, NOW, None)
    assert len(record.indicators) == 20


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(None, SourceUnreachable.code, id="gone"),
        pytest.param("", SourceImplausible.code, id="empty"),
        pytest.param("<html>sign in</html>", SourceImplausible.code, id="a-page"),
        pytest.param("not a name\n", SourceImplausible.code, id="garbage"),
        pytest.param(lines(20) + "5.5.5.1/24\n", SourceImplausible.code, id="one-bad-line"),
        pytest.param(lines(2), SourceImplausible.code, id="ninety-percent-fewer"),
    ],
)
def test_i02_a_failing_source_keeps_its_last_good_entries_and_says_since_when(
    path: Path, content: str | None, code: str
) -> None:
    good = once(a_list(path), None, NOW)
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    failed = once(a_list(path), good, LATER)
    assert failed.indicators == good.indicators
    assert (failed.last_attempt, failed.last_success) == (LATER, NOW)
    assert failed.error_code == code
    assert failed.error
    assert str(path) in failed.error or "guard source-shrink" in failed.error


def test_i02_a_ninety_percent_shrink_reaches_no_list_and_says_which_guard(path: Path) -> None:
    good = once(a_list(path), None, NOW)
    before = snapshot(good.indicators)
    path.write_text(lines(2), encoding="utf-8")
    held = once(a_list(path), good, LATER)
    assert held.error is not None
    assert "guard source-shrink: 2 entries after 20" in held.error
    assert "max_shrink" in held.error
    assert snapshot(held.indicators, previous=before).id == before.id


def test_a_shrink_that_a_person_allowed_passes(path: Path) -> None:
    good = once(a_list(path), None, NOW)
    path.write_text(lines(2), encoding="utf-8")
    assert len(once(a_list(path, max_shrink=1), good, LATER).indicators) == 2


def test_a_source_that_recovers_forgets_its_error_and_remembers_since_when(path: Path) -> None:
    good = once(a_list(path), None, NOW)
    path.write_text("", encoding="utf-8")
    failed = once(a_list(path), good, LATER)
    path.write_text(lines(21), encoding="utf-8")
    again = once(a_list(path), failed, LATER + timedelta(hours=1))
    assert (again.error_code, again.error) == (None, None)
    since = {str(i.value): (i.sources[0].first_seen, i.sources[0].last_seen) for i in again.indicators}
    assert since["5.5.0.0/24"] == (NOW, LATER + timedelta(hours=1))
    assert since["5.5.20.0/24"] == (LATER + timedelta(hours=1),) * 2


def test_a_source_that_never_answered_has_an_error_and_nothing_else(tmp_path: Path) -> None:
    record = once(a_list(tmp_path / "none.txt"), None, NOW)
    assert (record.last_attempt, record.last_success, record.indicators) == (NOW, None, ())
    assert record.error_code == "TG2001"


def test_one_bad_source_does_not_touch_the_others(path: Path, tmp_path: Path) -> None:
    sources = [
        build_source(a_list(path)),
        build_source(a_list(tmp_path / "none.txt", name="gone")),
        build_source(CuratedConfig(kind="curated")),
    ]
    found = refresh(sources, {}, ManualClock(NOW))
    assert [record.name for record in found] == ["curated", "gone", "ours"]
    assert [record.error_code for record in found] == [None, "TG2001", None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A source with a bug."""

    error: Exception
    name: str = "odd"
    kind: str = "odd"
    max_shrink: float = 0.5

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), RecursionError(), MemoryError(), OSError(28, "disk full")], ids=repr
)
def test_i02_even_a_bug_in_a_source_is_only_its_own_error(error: Exception) -> None:
    good = SourceRecord(name="odd", kind="odd", last_attempt=NOW, last_success=NOW, indicators=(entry("5.5.5.0/24"),))
    (record,) = refresh([Odd(error=error)], {"odd": good}, ManualClock(LATER))
    assert record.error_code == "TG2000"
    assert type(error).__name__ in str(record.error)
    assert record.indicators == good.indicators


def test_sources_are_asked_side_by_side() -> None:
    gate = threading.Barrier(3)

    def together(asked: Asked, number: int) -> Reply:
        gate.wait(10)
        return Reply(body="5.5.5.0/24\n")

    with web(together) as origin:
        configs = [ListConfig(kind="list", name=name, url=origin.url) for name in ("a", "b", "c")]
        found = refresh([build_source(config) for config in configs], {}, ManualClock(NOW))
    assert [record.error for record in found] == [None, None, None]


def test_two_sources_of_one_name_are_a_configuration_error(path: Path) -> None:
    with pytest.raises(ConfigError, match="named 'ours'"):
        refresh([build_source(a_list(path)), build_source(a_list(path))], {}, ManualClock(NOW))


def test_no_sources_are_no_records() -> None:
    assert refresh([], {}, ManualClock(NOW)) == ()


def test_without_internet_the_shipped_set_is_enforced_and_the_rest_says_why() -> None:
    with web(lambda *_: Reply()) as origin:
        dead = origin.url  # nobody listens there any more, below
    config = RipestatConfig(kind="ripestat", base_url=dead, attempts=1)
    found = refresh([build_source(CuratedConfig(kind="curated")), build_source(config)], {}, ManualClock(NOW))
    made = build_snapshot(
        [i for record in found for i in record.indicators],
        catalogue=load_catalogue(),
        limits=GuardLimits(),
        never_block=default_never_block(),
        previous=None,
        source_ages={r.name: r.last_success for r in found if r.last_success is not None},
        now=NOW,
    )
    assert "103.136.220.0/23" in texts(made)
    assert made.source_ages == (("curated", NOW),)
    assert found[1].error_code == "TG2001"


# --- as text ----------------------------------------------------------------------------------------------------------


def record() -> SourceRecord:
    kept: tuple[Indicator, ...] = (entry("5.5.5.0/24", detail="Zeile „3“"), entry(".new.com"), entry("2605:340:1::/48"))
    return SourceRecord(
        name="ours", kind="list", last_attempt=LATER, last_success=NOW, error_code="TG2001", error="x", indicators=kept,
        memo='{"etag":"1"}', skipped=3,
    )  # fmt: skip


@pytest.mark.parametrize("one", [record(), SourceRecord(name="new", kind="dns"), replace(record(), indicators=())])
def test_what_is_written_is_read_back(one: SourceRecord) -> None:
    assert loads_record(dumps_record(one)) == one


def test_a_record_from_before_skipped_lines_were_kept_is_read_and_does_not_know_them() -> None:
    content = json.loads(dumps_record(record()))["content"]
    del content["skipped"]
    old = canonical({"checksum": sha256(canonical(content)), "content": content})
    assert loads_record(old) == replace(record(), skipped=None)


def test_lines_passed_over_stay_counted_while_the_list_fails(tmp_path: Path) -> None:
    path = tmp_path / "theirs.list"
    path.write_text("DOMAIN-SUFFIX,new.com\nDOMAIN-KEYWORD,tiktok\nPROCESS-NAME,musically\n", encoding="utf-8")
    config = ListConfig(kind="list", file=path, unsupported="skip")
    good = once(config, None, NOW)
    path.unlink()
    failed = once(config, good, LATER)
    assert (good.skipped, good.error_code) == (2, None)
    assert (failed.skipped, failed.error_code) == (2, "TG2001")


@given(st.data())
def test_a_damaged_record_is_never_used(data: st.DataObject) -> None:
    text = dumps_record(record())
    at = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(SnapshotCorrupt):
        loads_record(text[:at])
    swapped = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    with pytest.raises(SnapshotCorrupt):
        loads_record(swapped)
