"""What the sources' last good answers are worth today: age, silence, and a shipped set that routing has outlived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from core.net import DomainName, Ranges, parse_network
from ipsets import dataset
from ipsets.conduct import Conduct, Watch
from ipsets.confidence import agreed, lowered
from ipsets.model import Confidence, Dedication, Indicator, Provenance
from ipsets.resolve import SourceRecord
from ipsets.sources import ListConfig, own_word
from ipsets.standing import standing
from ipsets.text import entry_text
from tests.ipsets.making import NOW, curated, entry, guards, snapshot, texts

OWN = tuple(str(row.network) for row in dataset.prefixes() if 138699 in row.origins and row.dedication == "dedicated")
LOST, KEPT = OWN[0], OWN[1]


def record(name: str, kind: str, indicators: Iterable[Indicator], **changes: object) -> SourceRecord:
    made = SourceRecord(name=name, kind=kind, last_attempt=NOW, last_success=NOW, indicators=tuple(indicators))
    return replace(made, **changes)  # type: ignore[arg-type]


SHIPPED = record("curated", "curated", curated())


def announced(*networks: str, asn: int = 138699, dedication: Dedication = Dedication.DEDICATED) -> SourceRecord:
    words = [
        entry(n, source=f"ripestat:AS{asn}", dedication=dedication, detail=f"announced by AS{asn}") for n in networks
    ]
    return record(f"ripestat-{asn}", "ripestat", words)


def of(found: Iterable[Indicator], value: str) -> Indicator:
    return next(i for i in found if entry_text(i.value) == value)


def weighed(*records: SourceRecord, **given: object) -> tuple[Indicator, ...]:
    return standing(records, ages={}, **given)  # type: ignore[arg-type]


# --- the shipped set grows old ----------------------------------------------------------------------------------------


def test_a_shipped_prefix_that_its_network_does_not_announce_any_more_is_only_a_claim() -> None:
    found = weighed(SHIPPED, announced(*OWN[1:]))
    assert of(found, LOST).dedication is Dedication.CLAIMED
    assert f"not announced by its owner's networks on {NOW:%Y-%m-%d}" in of(found, LOST).sources[0].detail
    assert of(found, KEPT).dedication is Dedication.DEDICATED
    made = snapshot(found)
    assert guards(made)[LOST] == "one-voice"
    assert any(v.entry == LOST and "not announced" in v.reason for v in made.dropped)
    assert not Ranges(map(parse_network, texts(made))).touched(parse_network(LOST))


def test_a_second_voice_keeps_what_is_not_announced() -> None:
    registered = entry(LOST, source="rpki", dedication=Dedication.UNKNOWN)
    made = snapshot(weighed(SHIPPED, announced(*OWN[1:]), record("rpki", "rpki", [registered])))
    assert Ranges(map(parse_network, texts(made))).holds(parse_network(LOST))


def test_two_resolvers_are_one_voice() -> None:
    """They ask the same servers; and what they say rests on the shipped prefix as well."""
    address = str(next(iter(parse_network(LOST).hosts())))
    answers = [entry(address, source=f"dns:{at}") for at in ("9.9.9.9", "1.1.1.1")]
    made = snapshot(weighed(announced(*OWN[1:]), record("dns", "dns", answers)), never_block=())
    assert guards(made)[f"{address}/32"] == "one-voice"


def test_a_prefix_that_is_announced_in_two_halves_is_announced() -> None:
    halves = map(str, parse_network(LOST).subnets(prefixlen_diff=1))
    assert of(weighed(SHIPPED, announced(*halves, *OWN[1:])), LOST).dedication is Dedication.DEDICATED


def test_networks_that_nobody_asked_lose_nothing() -> None:
    found = weighed(SHIPPED, announced("71.18.8.0/24", asn=11983))
    assert of(found, LOST).dedication is Dedication.DEDICATED


def test_routing_that_is_older_than_the_shipped_set_says_nothing_against_it() -> None:
    older = replace(announced(*OWN[1:]), last_success=dataset.as_of() - timedelta(days=1))
    assert of(weighed(SHIPPED, older), LOST).dedication is Dedication.DEDICATED


def test_i02_routing_that_is_on_watch_takes_nothing_out_of_the_shipped_set() -> None:
    """Its new words do not count: a prefix that it announces in new halves would look like one that is gone."""
    watch = Watch(rule="growth", since=NOW, reason="grew", entries=1, addresses_v4=256, changes=0)
    watched = replace(announced(*OWN[1:]), conduct=Conduct(watch=watch))
    assert of(weighed(SHIPPED, watched), LOST).dedication is Dedication.DEDICATED


def test_a_list_of_ones_own_and_a_decision_are_not_outlived() -> None:
    ours = ListConfig.model_validate({"kind": "list", "name": "ours", "file": "x", "dedicated": True})
    theirs = ListConfig.model_validate({"kind": "list", "name": "theirs", "file": "x"})
    words = [record(name, "list", [entry(LOST, source=f"list:{name}")]) for name in ("ours", "theirs")]
    decided = record("decisions", "manual", [entry(LOST, source="manual:decisions")])
    found = weighed(announced(*OWN[1:]), *words, decided, own_word=own_word((ours, theirs)))
    by_source = {i.sources[0].source: i.dedication for i in found if entry_text(i.value) == LOST}
    assert by_source == {
        "list:ours": Dedication.DEDICATED,
        "list:theirs": Dedication.CLAIMED,
        "manual:decisions": Dedication.DEDICATED,
    }


# --- addresses that the app carries in itself -------------------------------------------------------------------------


def test_addresses_of_the_app_are_a_category_of_their_own_off_the_shared_clouds() -> None:
    made = snapshot(weighed(SHIPPED))
    held = Ranges(map(parse_network, texts(made)))
    assert held.holds(parse_network("199.103.24.2/32"))
    assert not held.touched(parse_network("34.102.215.99/32"))
    known = {entry_text(i.value): i for i in made.indicators}
    assert known["199.103.24.2/32"].category == "static"
    assert (known["34.102.215.99/32"].category, known["34.102.215.99/32"].confidence) == ("httpdns", Confidence.LOW)
    assert "34.102.215.99/32" not in guards(made)


def test_every_such_address_lies_where_the_data_says() -> None:
    rows = [row for row in dataset.prefixes() if row.dedication != "cloud-customers"]
    for literal in dataset.literals():
        around = {asn for row in rows if Ranges([row.network]).holds(literal.network) for asn in row.origins}
        assert (literal.origin in around) == literal.owned


def test_an_address_whose_prefix_its_owner_gave_up_is_only_a_claim() -> None:
    gone = announced("71.18.1.0/24", asn=396986, dedication=Dedication.SHARED)
    there = announced("199.103.24.0/23", asn=396986, dedication=Dedication.SHARED)
    assert of(weighed(SHIPPED, gone), "199.103.24.2/32").dedication is Dedication.CLAIMED
    assert of(weighed(SHIPPED, there), "199.103.24.2/32").dedication is Dedication.DEDICATED


# --- confidence -------------------------------------------------------------------------------------------------------


def test_confidence_falls_with_what_is_gone_stale_or_given_up_and_never_below_low() -> None:
    there, left = entry("5.5.1.0/24"), entry("5.5.2.0/24")
    fresh = record("a", "list", [there], gone=(left,))
    assert [i.confidence for i in weighed(fresh)] == [Confidence.MEDIUM, Confidence.LOW]
    assert [i.confidence for i in weighed(fresh, stale={"a"})] == [Confidence.LOW, Confidence.LOW]
    assert lowered(replace(there, confidence=Confidence.HIGH), "abandoned").confidence is Confidence.LOW


def test_a_name_that_the_app_gave_up_is_of_low_confidence_whoever_names_it() -> None:
    made = snapshot(weighed(SHIPPED, record("a", "list", [entry(".musical.ly", app=dataset.ABANDONED_APP)])))
    (known,) = [i for i in made.indicators if i.value == DomainName("musical.ly", suffix=True)]
    assert known.confidence is Confidence.LOW
    assert len(known.sources) == 2


@pytest.mark.parametrize(
    ("sources", "confidence"),
    [
        (("list:a",), Confidence.MEDIUM),
        (("list:a", "list:b"), Confidence.HIGH),
        (("list:a", "list:c"), Confidence.MEDIUM),  # of one family
        (("dns:9.9.9.9", "dns:1.1.1.1"), Confidence.MEDIUM),
    ],
)
def test_independent_voices_make_an_entry_more_certain(sources: tuple[str, ...], confidence: Confidence) -> None:
    words = tuple(Provenance(source=s, first_seen=NOW, last_seen=NOW) for s in sources)
    family = {"list:a": "family x", "list:c": "family x"}
    assert agreed(replace(entry("5.5.1.0/24"), sources=words), family).confidence is confidence


def test_a_source_that_never_answered_says_nothing() -> None:
    assert weighed(record("a", "list", [entry("5.5.1.0/24")], last_success=None)) == ()


def test_a_live_source_that_has_only_words_of_before_under_its_name_asked_nobody() -> None:
    """A source of another kind had its name; it has not answered yet."""
    borrowed = record("live", "ripestat", [entry(KEPT, source="rpki:AS138699")])
    assert of(weighed(SHIPPED, borrowed), LOST).dedication is Dedication.DEDICATED
