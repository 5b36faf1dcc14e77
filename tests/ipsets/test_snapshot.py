"""Snapshots: equal input, equal bytes; a difference that is exact; nothing read back that was not written."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.net import DomainName, Network, address_count, aggregate, parse_network, subtract
from ipsets.catalogue import load_catalogue
from ipsets.difference import diff_snapshots
from ipsets.errors import SnapshotCorrupt
from ipsets.guard import GuardLimits
from ipsets.model import Dedication, Indicator, Snapshot
from ipsets.snapshot import dumps, loads, merge
from tests.ipsets.making import LATER, NOW, curated, entry, guards, snapshot, texts, tiktok

OLD_ID = "fcefeba686edc4afec074d88c0ee44da81a5ff2b6706fb4d889e22ea64798238"
"""Of 5.5.0.0/24 and .new.com, by the last version without allows."""
LOOSE = GuardLimits(max_added_share=1e9, max_removed_share=1.0)
ENTRIES = st.lists(
    st.one_of(
        st.builds(
            lambda a, length: str(IPv4Network((0x05000000 | a << 4, length), strict=False)),
            st.integers(0, 4095),
            st.integers(20, 32),
        ),
        st.sampled_from(["2605:340:1::/48", "2605:340:2::/48", "2605:340:2:1::/64"]),
        st.sampled_from(["a.new.com", ".new.com", ".b.new.com", "c.org"]),
    ),
    min_size=1,
    max_size=12,
)


# --- allows above -----------------------------------------------------------------------------------------------------


def test_a_list_without_allows_has_the_id_and_the_text_of_versions_that_knew_none() -> None:
    made = replace(snapshot([entry("5.5.0.0/24"), entry(".new.com")], now=NOW), dropped=())
    assert made.id == OLD_ID
    assert "allows" not in dumps(made)
    assert loads(dumps(made)) == made


def test_allows_are_part_of_the_content_and_come_back() -> None:
    made = snapshot([entry("5.5.0.0/24")], limits=GuardLimits(never_block=("5.5.0.1", "5.5.0.3"), max_pieces=1))
    assert [str(n) for n in tiktok(made).allows] == ["5.5.0.1/32", "5.5.0.3/32"]
    assert loads(dumps(made)) == made
    bare = tuple(replace(service, allows=()) for service in made.services)
    with pytest.raises(SnapshotCorrupt):
        loads(dumps(replace(made, services=bare)))


def test_an_address_that_an_allow_takes_out_is_lost_and_one_that_it_no_longer_does_is_new() -> None:
    whole = snapshot([entry("5.5.0.0/24")])
    (service,) = whole.services
    less = replace(whole, services=(replace(service, allows=(parse_network("5.5.0.7"),)),))
    assert [change.entry for change in diff_snapshots(whole, less).removed] == ["5.5.0.7/32"]
    assert [change.entry for change in diff_snapshots(less, whole).added] == ["5.5.0.7/32"]
    assert diff_snapshots(whole, less).added == ()


# --- one content, one address -----------------------------------------------------------------------------------------


@given(ENTRIES, st.randoms())
def test_order_and_repetition_change_no_byte(entries: list[str], random: object) -> None:
    known = [entry(text) for text in entries]
    shuffled = [*known, *known]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert dumps(snapshot(shuffled)) == dumps(snapshot(known))


def test_the_same_list_found_later_by_others_is_the_same_snapshot() -> None:
    again = [*curated(), *(entry(text, source="ripestat:AS138699", seen=LATER) for text in ("103.136.220.0/23",))]
    assert snapshot(again, now=LATER).id == snapshot(curated()).id


def test_nothing_new_is_the_same_snapshot_with_the_verdicts_of_now() -> None:
    first = snapshot(curated())
    again = snapshot([*curated(), entry("8.8.8.8/32")], previous=first, now=LATER)
    assert (again.id, again.parent, again.created_at) == (first.id, None, NOW)
    assert guards(again) == {"8.8.8.8/32": "never-block"}
    assert again.source_ages == (("curated", LATER),)


def test_one_entry_more_is_another_snapshot() -> None:
    assert snapshot([*curated(), entry("5.5.5.0/24")]).id != snapshot(curated()).id


@given(ENTRIES)
def test_what_is_enforced_is_minimal_sorted_and_exact(entries: list[str]) -> None:
    service = tiktok(snapshot([entry(text) for text in entries], limits=LOOSE))
    asked = [ip_network(text) for text in entries if "/" in text]
    assert service.networks == aggregate(asked)
    for text in entries:
        if "/" not in text:
            name = text.removeprefix(".")
            assert any(d.name == name or (d.suffix and name.endswith(f".{d.name}")) for d in service.domains)
    assert list(service.domains) == sorted(set(service.domains))


def test_every_source_of_an_entry_is_kept() -> None:
    found = merge(
        [
            entry("5.5.5.0/24", source="list:a", dedication=Dedication.UNKNOWN, detail="line 3"),
            entry("5.5.5.0/24", source="list:b", seen=LATER),
            entry("5.5.5.0/24", source="list:a", seen=LATER, detail="line 4"),
        ]
    )
    (only,) = found
    assert [(p.source, p.first_seen, p.last_seen, p.detail) for p in only.sources] == [
        ("list:a", NOW, LATER, "line 4"),
        ("list:b", LATER, LATER, ""),
    ]
    assert only.dedication is Dedication.DEDICATED


# --- what is enforced -------------------------------------------------------------------------------------------------


def test_only_dedicated_prefixes_are_enforced_as_addresses() -> None:
    made = snapshot(
        [
            *curated(),
            entry("5.5.5.0/24", dedication=Dedication.SHARED),
            entry("5.5.6.0/24", dedication=Dedication.UNKNOWN),
            entry("5.5.7.0/24"),
        ]
    )
    assert "5.5.7.0/24" in texts(made)
    assert guards(made) == {"5.5.5.0/24": "not-dedicated", "5.5.6.0/24": "not-dedicated"}


def test_a_prefix_of_a_network_nobody_knows_is_told_and_not_enforced() -> None:
    made = snapshot([*curated(), entry("5.5.5.0/24", app="unknown", source="ripestat:AS64500")])
    assert guards(made) == {"5.5.5.0/24": "not-dedicated"}
    assert "ripestat:AS64500" in made.dropped[0].reason


def test_a_prefix_of_the_cloud_is_told_and_not_enforced() -> None:
    made = snapshot([*curated(), entry("5.5.5.0/24", app="volcengine-byteplus", source="ripestat:AS150436")])
    assert guards(made) == {"5.5.5.0/24": "never-block"}


def test_a_prefix_that_moves_to_tiktoks_own_network_becomes_enforced() -> None:
    """AS11983 takes its prefixes out of AS396986; both name them for a while."""
    moved = "71.18.4.0/23"
    shared = [i for i in curated() if i.app == "bytedance-shared" and not isinstance(i.value, DomainName)]
    assert moved not in texts(snapshot(curated()))
    made = snapshot(
        [
            *curated(),
            entry(moved, source="ripestat:AS11983"),
            entry(moved, source="x", app=shared[0].app, dedication=Dedication.SHARED),
        ]
    )
    assert address_count(tiktok(made).networks, 4) == address_count(tiktok(snapshot(curated())).networks, 4) + 512


def _catalogue(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "catalogue.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shared_names_are_one_switch_in_the_data(tmp_path: Path) -> None:
    path = _catalogue(
        tmp_path,
        "services: {tiktok: {title: TikTok, apps: [tiktok], include_shared: true, shared_apps: [bytedance-shared]}}",
    )
    names = {d.name for d in tiktok(snapshot(curated(), catalogue=load_catalogue(path))).domains}
    assert {"byteoversea.com", "ibyteimg.com", "tiktok.com"} <= names
    assert "bytewlb.akadns.net" in names, "a tenant zone that the apps of the owner share"
    assert "bytewlb.akadns.net" not in {d.name for d in tiktok(snapshot(curated())).domains}
    assert "douyin.com" not in names


def test_another_service_is_data_and_no_code(tmp_path: Path) -> None:
    path = _catalogue(
        tmp_path,
        "services: {capcut: {title: C, apps: [capcut], scopes: [capcut]}, tiktok: {title: T, apps: [tiktok]}}",
    )
    own = [entry(".capcut.com", app="capcut"), entry("5.6.7.0/24", app="capcut")]
    made = snapshot([*curated(), *own], catalogue=load_catalogue(path))
    assert [s.service for s in made.services] == ["capcut", "tiktok"]
    assert DomainName("capcut.com") in made.services[0].domains
    assert all(d.name.startswith("capcut") for d in made.services[0].domains)
    assert made.services[0].networks == (ip_network("5.6.7.0/24"),)


@pytest.mark.parametrize(
    "text", ["services: [", "services: {tiktok: {titel: x}}", "{}", "services: {tiktok: null}", "[]"]
)
def test_a_broken_catalogue_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"catalogue\.yaml:\d"):
        load_catalogue(_catalogue(tmp_path, text))


def test_the_surfaces_of_tiktok_are_names_it_enforces() -> None:
    service = load_catalogue().services["tiktok"]
    enforced = {d.name for d in tiktok(snapshot(curated())).domains}
    for names in service.surfaces.values():
        assert all(any(n == e or n.endswith(f".{e}") for e in enforced) for n in names)


# --- the difference ---------------------------------------------------------------------------------------------------


@given(ENTRIES, ENTRIES)
def test_old_less_removed_plus_added_is_new(one: list[str], other: list[str]) -> None:
    old, new = (snapshot([entry(t) for t in texts_], limits=LOOSE) for texts_ in (one, other))
    found = diff_snapshots(old, new)
    added = [ip_network(c.entry) for c in found.added if "/" in c.entry]
    removed = [ip_network(c.entry) for c in found.removed if "/" in c.entry]
    played: tuple[Network, ...] = aggregate((*subtract(tiktok(old).networks, removed), *added))
    assert played == tiktok(new).networks
    assert subtract(added, tiktok(old).networks) == aggregate(added)
    names_added = {c.entry for c in found.added if "/" not in c.entry}
    assert all(c.sources for c in found.added)
    assert len(names_added) == len(set(tiktok(new).domains) - set(tiktok(old).domains))


def test_a_snapshot_does_not_differ_from_itself() -> None:
    made = snapshot(curated())
    found = diff_snapshots(made, made)
    assert (found.added, found.removed) == ((), ())


def test_two_halves_that_become_a_whole_are_no_change() -> None:
    halves = snapshot([entry("5.5.5.0/25"), entry("5.5.5.128/25")])
    whole = snapshot([entry("5.5.5.0/24")])
    assert diff_snapshots(halves, whole).added == ()
    assert halves.id == whole.id


def test_a_change_says_who_named_it_and_which_guard_took_it() -> None:
    old = snapshot([*curated(), entry("5.5.5.0/24", source="list:a"), entry("5.5.4.0/24", source="list:b")])
    mine = GuardLimits(never_block=("5.5.5.0/24",))
    new = snapshot(
        [*curated(), entry("5.5.5.0/24", source="list:a"), entry("5.5.4.0/24"), entry(".new.com", source="list:c")],
        limits=mine,
    )
    found = diff_snapshots(old, new)
    (gone,) = found.removed
    assert (gone.entry, gone.sources) == ("5.5.5.0/24", ("list:a",))
    assert gone.reason.startswith("never-block: inside your never_block list")
    assert [(c.service, c.entry, c.sources) for c in found.added] == [("tiktok", ".new.com", ("list:c",))]


# --- as text ----------------------------------------------------------------------------------------------------------


def whole() -> Snapshot:
    first = snapshot(curated())
    return snapshot(
        [*curated(), entry("8.8.8.8/32"), entry("5.5.5.0/24", detail="Zeile 7 – „ä“")], previous=first, now=LATER
    )


def test_what_is_written_is_read_back() -> None:
    made = whole()
    assert loads(dumps(made)) == made
    assert dumps(loads(dumps(made))) == dumps(made)


@given(st.data())
def test_a_damaged_snapshot_is_never_used(data: st.DataObject) -> None:
    text = dumps(snapshot([entry("5.5.5.0/24"), entry(".new.com"), entry("2605:340:1::/48")]))
    at = data.draw(st.integers(0, len(text) - 1))
    flipped = text[:at] + data.draw(st.sampled_from('0a\x00,}"[')) + text[at + 1 :]
    for damaged in (text[:at], flipped if flipped != text else ""):
        with pytest.raises(SnapshotCorrupt):
            loads(damaged)


def test_an_id_that_is_not_the_contents_is_refused_even_with_a_right_checksum() -> None:
    forged = replace(whole(), id=snapshot(curated()).id)
    with pytest.raises(SnapshotCorrupt):
        loads(dumps(forged))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"checksum":1,"content":{}}', "[" * 100_000])
def test_what_was_never_a_snapshot_is_refused(text: str) -> None:
    with pytest.raises(SnapshotCorrupt) as caught:
        loads(text)
    assert caught.value.hint


def test_the_text_holds_no_date_of_retrieval_in_its_address() -> None:
    content = json.loads(dumps(whole()))["content"]
    moved = json.loads(dumps(replace(whole(), created_at=LATER + timedelta(days=400))))["content"]
    assert content["id"] == moved["id"]


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_entries_in_a_few_seconds() -> None:
    many: list[Indicator] = [entry(f"5.{n >> 15}.{n >> 7 & 255}.{(n & 127) * 2}/32") for n in range(100_000)]
    before = snapshot(curated())
    began = time.process_time()
    made = snapshot([*curated(), *many])
    assert len(tiktok(made).networks) == len(tiktok(before).networks) + 100_000
    assert len(diff_snapshots(before, made).added) == 100_000
    assert time.process_time() - began < 30  # of the processor: three or four when idle; a runaway would be minutes
