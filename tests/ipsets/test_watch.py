"""Sources on watch: by which conduct, what still counts of them, and how they come out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter

from ipsets.conduct import NEW, Conduct, Watch, pack_conduct, unpack_conduct
from ipsets.guard import GuardLimits
from ipsets.model import Dedication, Indicator, Snapshot
from ipsets.resolve import SourceRecord, dumps_record, loads_record
from ipsets.sources.config import SourceConfig
from ipsets.text import entry_text
from ipsets.watch import APP, Asked, addresses_v4, asked, heard, rules, told, vouched, watched
from tests.ipsets.making import NOW, curated, entry, guards, snapshot, tiktok

DAY = timedelta(days=1)
OLD = (
    '{"checksum":"5c9afcade5d43055ca070dc31befd6bcee31b63ce07ce03d2894d1c0972b66ff","content":{'
    '"error":null,"error_code":null,"indicators":{"entries":[["192.0.2.0/24","tiktok","listed","medium","dedicated",[0]]],'
    '"provenance":[["list:ours","2026-11-01T00:00:00+00:00","2026-11-02T00:00:00+00:00","line 1"]]},"kind":"list",'
    '"last_attempt":"2026-11-02T00:00:00+00:00","last_success":"2026-11-02T00:00:00+00:00","memo":"","name":"ours"}}'
)
"""A record as 0.1.0 wrote it."""
LIST = {
    "ours": Asked(kind="list", digest="a"),
    "other": Asked(kind="list", digest="a"),
    "third": Asked(kind="list", digest="a"),
}


def names(count: int, prefix: str = "n") -> list[str]:
    return [f".{prefix}{number}.example.com" for number in range(count)]


def answer(
    texts: Iterable[str],
    at: datetime = NOW,
    before: SourceRecord | None = None,
    *,
    name: str = "ours",
    dedication: Dedication = Dedication.DEDICATED,
) -> SourceRecord:
    """A good answer, with the dates that ``resolve`` keeps."""
    known = {i.value: i.sources[0].first_seen for i in before.indicators} if before else {}
    said = []
    for text in texts:
        made = entry(text, source=f"list:{name}", seen=at, dedication=dedication)
        [word] = made.sources
        said.append(replace(made, sources=(replace(word, first_seen=known.get(made.value, at)),)))
    old = before or SourceRecord(name=name, kind="list")
    return replace(old, last_attempt=at, last_success=at, indicators=tuple(said))


def after(*answers: SourceRecord, questions: dict[str, Asked] | None = None) -> SourceRecord:
    """The last record of one source that gave these answers, judged after each."""
    before: dict[str, SourceRecord] = {}
    for one in answers:
        at = one.last_success
        assert at is not None
        old = before.get(one.name)
        asked_then = [replace(one, conduct=old.conduct if old else NEW)]
        [judged] = watched(before, asked_then, questions or LIST)
        before = {one.name: judged}
    return before[answers[-1].name]


def series(*contents: Sequence[str], every: timedelta = DAY) -> list[SourceRecord]:
    made: list[SourceRecord] = []
    for number, texts in enumerate(contents):
        made.append(answer(texts, NOW + number * every, made[-1] if made else None))
    return made


# --- what a source did ------------------------------------------------------------------------------------------------


def test_its_changes_are_counted_and_dated() -> None:
    found = after(*series(names(3), names(3), names(4), names(4))).conduct
    assert (found.first_success, found.changed_at, found.changes) == (NOW, NOW + 2 * DAY, 1)


def test_another_word_on_the_same_entry_is_a_change_and_another_date_is_none() -> None:
    first = answer(["192.0.2.0/24"], dedication=Dedication.CLAIMED)
    same = answer(["192.0.2.0/24"], NOW + DAY, first, dedication=Dedication.CLAIMED)
    other = answer(["192.0.2.0/24"], NOW + DAY, first, dedication=Dedication.DEDICATED)
    assert after(first, same).conduct.changes == 0
    assert after(first, other).conduct.changes == 1


def test_a_failure_changes_nothing() -> None:
    good = after(answer(names(3)))
    failed = replace(good, last_attempt=NOW + DAY, error_code="TG2001", error="silence")
    [found] = watched({"ours": good}, [failed], LIST)
    assert found == failed


def test_a_record_of_an_older_version_is_dated_by_its_words() -> None:
    old = answer([*names(3)], NOW)
    later = answer([*names(3), ".new.example.org"], NOW + DAY, old)
    same = answer([*names(3), ".new.example.org"], NOW + 2 * DAY, later)
    [found] = watched({"ours": later}, [same], LIST)
    assert (found.conduct.first_success, found.conduct.changed_at, found.conduct.changes) == (NOW, NOW + DAY, 0)


def test_asked_another_thing_it_is_a_new_source() -> None:
    """Another address or other networks in the inventory make another answer: that is no conduct."""
    first = after(answer(names(5)))
    grown = answer(names(900), NOW + DAY, first)
    [found] = watched({"ours": first}, [grown], {"ours": Asked(kind="list", digest="b")})
    assert (found.conduct.watch, found.conduct.first_success) == (None, NOW + DAY)


def test_the_digest_is_of_what_is_asked_and_not_of_how() -> None:
    read: TypeAdapter[SourceConfig] = TypeAdapter(SourceConfig)

    def of(**keys: object) -> Asked:
        given = {"kind": "list", "url": "https://a.example/x", **keys}
        return asked([read.validate_python({k: v for k, v in given.items() if v is not None})])["list"]

    assert of() == of(timeout_seconds=9, stale_after="3d", max_shrink=1.0)
    assert of().digest != of(url="https://b.example/x").digest
    assert of().digest != of(dedicated=False).digest
    assert (of().kind, of(dedicated=True).kind, of(url=None, file="x").kind) == ("list", "own", "list/file")


# --- growth -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "then", "said"),
    [
        pytest.param(names(200), names(400), None, id="twice"),
        pytest.param(names(200), names(401), "grew from 200 to 401 entries in one refresh", id="more-than-twice"),
        pytest.param(names(5), names(105), None, id="to-the-floor"),
        pytest.param(names(5), names(106), "grew from 5 to 106 entries in one refresh", id="past-it"),
        pytest.param(["192.0.2.0/24"], ["192.0.2.0/24", "20.0.0.0/16"], None, id="addresses-to-the-floor"),
        pytest.param(
            ["192.0.2.0/24"],
            ["192.0.2.0/24", "20.0.0.0/16", "21.0.0.1/32"],
            "grew from 256 to 65793 IPv4 addresses in one refresh",
            id="addresses-past-it",
        ),
        pytest.param([], names(150), "grew from 0 to 150 entries in one refresh", id="from-nothing"),
        pytest.param(names(400), names(2), None, id="smaller"),
    ],
)
def test_a_sudden_growth_puts_a_source_on_watch(before: list[str], then: list[str], said: str | None) -> None:
    watch = after(*series(before, then)).conduct.watch
    assert (watch.reason if watch else None) == said
    if watch:
        assert (watch.rule, watch.since, watch.entries) == ("growth", NOW + DAY, len(before))


def test_a_first_answer_is_no_growth_and_slow_growth_is_none() -> None:
    assert after(answer(names(5000))).conduct.watch is None
    assert after(*series(*(names(50 * step) for step in range(1, 12)))).conduct.watch is None


@pytest.mark.parametrize("kind", ["own", "dns", "curated", "manual"])
def test_our_own_words_and_those_that_come_and_go_are_not_watched(kind: str) -> None:
    found = after(*series(names(5), names(900)), questions={"ours": Asked(kind=kind, digest="a")})
    assert found.conduct.watch is None


def test_the_watch_on_growth_ends_when_the_size_returns() -> None:
    grown = series(names(200), names(900), names(800), names(400))
    assert after(*grown[:3]).conduct.watch is not None
    assert after(*grown).conduct.watch is None


def test_overlapping_networks_are_counted_once() -> None:
    assert (
        addresses_v4(answer(["192.0.2.0/24", "192.0.2.0/25", "198.51.100.1/32", "2001:db8::/32", ".a.example"])) == 257
    )


# --- no change --------------------------------------------------------------------------------------------------------


def test_a_source_that_used_to_change_and_stopped_is_watched() -> None:
    quiet = series(names(3), names(4), names(5), *[names(5)] * 91)
    assert after(*quiet[:-1]).conduct.watch is None, "to the limit"
    watch = after(*quiet).conduct.watch
    assert watch is not None
    assert (watch.rule, watch.since) == ("unchanged", NOW + 93 * DAY)
    assert watch.reason == "says the same for 91 d, though it changed 2 times before"


def test_one_that_never_changed_is_watched_only_when_others_moved_on() -> None:
    def at(day: int, *moved: str) -> tuple[SourceRecord, ...]:
        return tuple(
            answer(names(3 + (day > 10 and name in moved)), NOW + day * DAY, name=name)
            for name in ("ours", "other", "third")
        )

    def last(*moved: str) -> Conduct:
        before: dict[str, SourceRecord] = {}
        for day in (0, 20, 100):
            now = [replace(r, conduct=before[r.name].conduct if before else NEW) for r in at(day, *moved)]
            before = {r.name: r for r in watched(before, now, LIST)}
        return before["ours"].conduct

    assert last().watch is None
    assert last("other").watch is None
    watch = last("other", "third").watch
    assert watch is not None
    assert watch.reason == "says the same for 100 d, though others changed"


@pytest.mark.parametrize("kind", ["list/file", "own", "ripestat", "dns", "curated", "manual", "ranges", "rpki"])
def test_kinds_that_may_stand_still_are_not_watched_for_it(kind: str) -> None:
    quiet = series(names(3), names(4), names(5), names(5), every=200 * DAY)
    assert after(*quiet, questions={"ours": Asked(kind=kind, digest="a")}).conduct.watch is None


def test_it_takes_several_changes_to_be_believed_again() -> None:
    """The first word after a long silence may be that of the next owner of its address."""
    quiet = series(names(3), names(4), names(5), names(5), names(6), names(7), names(8), every=100 * DAY)
    assert [after(*quiet[: n + 1]).conduct.watch is not None for n in range(3, 7)] == [True, True, True, False]


def test_one_on_watch_for_silence_that_then_grows_must_shrink_first() -> None:
    quiet = series(
        names(3), names(4), names(5), names(5), names(500), names(501), names(502), names(503), every=100 * DAY
    )
    watch = after(*quiet).conduct.watch
    assert watch is not None
    assert (watch.rule, watch.since) == ("growth", NOW + 300 * DAY), "what came first after the silence does not count"


def test_a_person_may_vouch_and_the_rules_begin_again() -> None:
    quiet = series(names(3), names(4), names(5), *[names(5)] * 95)
    on_watch = after(*quiet)
    assert on_watch.conduct.watch is not None
    at = NOW + 98 * DAY
    trusted = vouched(on_watch, now=at)
    for day, expected in ((1, False), (90, False), (91, True)):
        again = answer(names(5), at + day * DAY, trusted)
        [found] = watched({"ours": trusted}, [again], LIST)
        assert (found.conduct.watch is not None) is expected, day


# --- what counts ------------------------------------------------------------------------------------------------------


def on_watch(
    *, before: Iterable[str], since: Iterable[str], dedication: Dedication = Dedication.DEDICATED
) -> SourceRecord:
    first = answer(before, NOW, dedication=dedication)
    then = answer([*before, *since], NOW + DAY, first, dedication=dedication)
    watch = Watch(rule="growth", since=NOW + DAY, reason="grew", entries=1, addresses_v4=0, changes=0)
    return replace(then, conduct=Conduct(watch=watch))


def built(*records: SourceRecord, previous: Snapshot | None = None, limits: GuardLimits | None = None) -> Snapshot:
    counted = heard(records)
    words: list[Indicator] = [*curated(), *(i for r in counted for i in r.indicators)]
    return told(snapshot(words, previous=previous, limits=limits, force=True), counted)


def enforced(of: Snapshot) -> set[str]:
    chosen = tiktok(of)
    return {*(str(n) for n in chosen.networks), *(entry_text(d) for d in chosen.domains)}


def test_i07_what_it_named_before_counts_and_what_it_names_first_since_does_not() -> None:
    found = built(on_watch(before=[".old.example", "198.51.99.0/24"], since=[".new.example", "198.51.101.0/24"]))
    assert {".old.example", "198.51.99.0/24"} <= enforced(found)
    assert not {".new.example", "198.51.101.0/24"} & enforced(found)
    reasons = {v.entry: v.reason for v in found.dropped if v.guard == "watched"}
    said = "named first since its source is on watch: ours grew (from list:ours)"
    assert reasons == {".new.example": said, "198.51.101.0/24": said}
    assert "198.51.101.0/24" not in {v.entry for v in found.dropped if v.guard == "not-dedicated"}, "told once"


def test_i02_nothing_that_is_enforced_is_lost_by_a_watch() -> None:
    record = on_watch(before=[".old.example", "198.51.99.0/24"], since=[".new.example"])
    free = replace(record, conduct=NEW, indicators=record.indicators[:2])
    assert enforced(built(record)) == enforced(built(free))


def test_the_same_word_of_another_source_counts() -> None:
    other = answer([".new.example"], name="other")
    found = built(on_watch(before=[], since=[".new.example"]), other)
    assert ".new.example" in enforced(found)
    assert "watched" not in guards(found).values()


def test_a_watched_source_is_no_second_voice_for_what_is_new() -> None:
    """And one for what it named before."""
    claim = answer(["198.51.99.0/24", "198.51.101.0/24"], name="other", dedication=Dedication.CLAIMED)
    second = on_watch(before=["198.51.99.0/24"], since=["198.51.101.0/24"], dedication=Dedication.CLAIMED)
    found = built(claim, second)
    assert "198.51.99.0/24" in enforced(found)
    assert "198.51.101.0/24" not in enforced(found)
    assert {v.guard for v in found.dropped if v.entry == "198.51.101.0/24"} == {"one-voice", "watched"}


def test_a_watched_registry_is_no_second_voice_either() -> None:
    claim = answer(["198.51.101.0/24"], name="other", dedication=Dedication.CLAIMED)
    registry = on_watch(before=[], since=["198.51.101.0/24"], dedication=Dedication.UNKNOWN)
    words = tuple(
        replace(i, sources=tuple(replace(p, source="irr:AS138699") for p in i.sources)) for i in registry.indicators
    )
    registry = replace(registry, name="irr", kind="irr", indicators=words)
    assert "198.51.101.0/24" in enforced(built(claim, replace(registry, conduct=NEW)))
    assert "198.51.101.0/24" not in enforced(built(claim, registry))


def test_i07_what_it_declares_off_limits_counts_always() -> None:
    """A watch never blocks a neighbour: what it would take away spares somebody."""
    denied = answer(["198.51.101.0/24"], name="other")
    declared = on_watch(before=[], since=["198.51.101.0/25"], dedication=Dedication.NEVER)
    assert "198.51.101.128/25" in enforced(built(denied, declared))
    assert "198.51.101.0/24" not in enforced(built(denied, declared))


def test_a_word_that_is_shared_keeps_others_from_claiming_it() -> None:
    claims = [answer(["198.51.101.0/24"], name=name, dedication=Dedication.CLAIMED) for name in ("other", "third")]
    assert "198.51.101.0/24" in enforced(built(*claims))
    shared = on_watch(before=[], since=["198.51.101.0/24"], dedication=Dedication.SHARED)
    assert "198.51.101.0/24" not in enforced(built(*claims, shared))


def test_words_of_sources_that_are_not_watched_are_left_alone() -> None:
    record = after(answer(names(3)))
    assert heard([record]) == (record,)
    made = snapshot(curated())
    assert told(made, heard([record])) is made


def test_its_words_keep_their_details_for_the_drift() -> None:
    record = on_watch(before=[], since=["198.51.101.0/24"])
    [muted] = heard([record])[0].indicators
    assert muted.app == APP
    assert muted.sources == record.indicators[0].sources


# --- kept with the record ---------------------------------------------------------------------------------------------


def test_the_conduct_is_stored_and_read_again() -> None:
    record = after(*series(names(5), names(900)))
    assert record.conduct.watch is not None
    assert loads_record(dumps_record(record)) == record
    assert unpack_conduct(pack_conduct(record.conduct)) == record.conduct


def test_a_record_that_an_older_version_stored_is_read() -> None:
    record = loads_record(OLD)
    assert record.conduct == NEW
    assert len(record.indicators) == 1


def test_the_rules_name_only_kinds_that_exist() -> None:
    kinds = {"list", "list/file", "ripestat", "irr", "rpki", "asndb", "mrt", "ct", "ranges"}
    assert rules().growth.kinds <= kinds
    assert rules().unchanged.after.keys() <= kinds
