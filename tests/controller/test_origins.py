"""A refresh that finds other origins says so at once, whatever it means for what is enforced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.alerts import AlertNote, origin_alerts
from controller.model import Alert
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from core.net import parse_network
from ipsets.drift import Drift, OriginChange
from ipsets.errors import GuardTripped
from ipsets.sources.ripestat import PATH
from tests.controller.offices import NOON, YAML
from tests.ipsets.origins import Asked, Reply, web
from tests.ipsets.test_ripestat import envelope, overview


def refreshed(folder: Path, sources: str) -> list[dict[str, object]]:
    """What the log says of origins during one forced refresh from these sources."""
    inventory = folder / "inventory.yaml"
    inventory.write_text(YAML.replace("{kind: curated}", sources), encoding="utf-8")
    settings = Settings(inventory=inventory, data_dir=folder)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened, capture_logs() as logs:
        opened.refresh_intel(actor="test", force=True)
    return [dict(entry) for entry in logs if entry["event"] == "intel.origins_moved"]


def test_networks_that_moved_are_logged_once_as_a_warning(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "list.txt").write_text("103.136.220.0/23\ntiktok.com\n", encoding="utf-8")
    assert refreshed(tmp_path, f"{{kind: list, name: mine, file: {tmp_path}/list.txt}}") == [], "the first of all"
    [told] = refreshed(tmp_path, "{kind: curated}")
    assert told["log_level"] == "warning"
    assert isinstance(told["new_asn"], int)
    assert told["new_asn"] > 100
    assert told["lost_asn"] == told["moved"] == 0
    assert isinstance(told["networks"], list)
    assert len(told["networks"]) == 10
    assert refreshed(tmp_path, "{kind: curated}") == [], "nothing moved since"


def test_a_network_with_another_holder_is_logged_though_the_list_is_the_same(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    holders = iter(("First Holder", "First Holder", "Second\x1b[2J Holder"))

    def ripestat(asked: Asked, _: int) -> Reply:
        answer = envelope(end=NOON) if asked.path == PATH else overview(holder=next(holders), end=NOON)
        return Reply(body=json.dumps(answer))

    with web(ripestat) as origin:
        source = f"{{kind: ripestat, asns: [138699], base_url: '{origin.url}'}}"
        assert refreshed(tmp_path, source) == refreshed(tmp_path, source) == [], "the first two say the same"
        [told] = refreshed(tmp_path, source)
    assert (told["log_level"], told["renamed"], told["moved"], told["networks"]) == ("warning", 1, 0, [])
    assert told["holders"] == ["AS138699: First Holder is now Second [2J Holder"]


def test_the_difference_is_asked_of_any_two(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "list.txt").write_text("103.136.220.0/23\ntiktok.com\n", encoding="utf-8")
    refreshed(tmp_path, f"{{kind: list, name: mine, file: {tmp_path}/list.txt}}")
    refreshed(tmp_path, "{kind: curated}")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened:
        now = opened.snapshot()
        assert {c.kind for c in opened.origin_drift()} == {Drift.NEW_ASN}
        assert now.parent is not None
        assert {c.kind for c in opened.origin_drift(now.id, now.parent)} == {Drift.LOST_ASN}
        assert opened.origin_drift(now.id, now.id) == ()


# --- alerts -----------------------------------------------------------------------------------------------------------


def alerts(folder: Path) -> list[Alert]:
    settings = Settings(inventory=folder / "inventory.yaml", data_dir=folder)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened:
        return opened.alerts()


def test_a_change_is_an_alert_within_one_refresh_and_told_once(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    holders = iter(("First Holder", "First Holder", "Second Holder", "Second Holder"))

    def ripestat(asked: Asked, _: int) -> Reply:
        answer = envelope(end=NOON) if asked.path == PATH else overview(holder=next(holders), end=NOON)
        return Reply(body=json.dumps(answer))

    with web(ripestat) as origin:
        source = f"{{kind: ripestat, asns: [138699], base_url: '{origin.url}'}}"
        for count in (0, 0, 1, 1):
            refreshed(tmp_path, source)
            assert len(alerts(tmp_path)) == count
    [told] = alerts(tmp_path)
    assert (told.kind, told.subject, told.at) == ("renamed", "AS138699", NOON)
    assert told.message == "AS138699 is held by Second Holder now, before by First Holder"
    assert told.detail == {
        "old_holder": "First Holder",
        "new_holder": "Second Holder",
        "sources": ["ripestat:AS138699"],
    }


def test_a_change_is_told_once_also_under_a_pin(tmp_path: Path, migrated: Path) -> None:
    """What is found waits, refresh after refresh, and differs each time from what is in force."""
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "list.txt").write_text("103.136.220.0/23\ntiktok.com\n", encoding="utf-8")
    mine = f"{{kind: list, name: mine, file: {tmp_path}/list.txt}}"
    refreshed(tmp_path, mine)
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened:
        opened.pin_snapshot(None, actor="cli:ada", reason="known to be good")
    assert len(refreshed(tmp_path, "{kind: curated}")) == 1
    told = alerts(tmp_path)
    assert {alert.kind for alert in told} == {"new-asn"}
    assert refreshed(tmp_path, "{kind: curated}") == []
    assert alerts(tmp_path) == told


def test_a_change_is_told_also_when_a_guard_holds_the_list(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    refreshed(tmp_path, "{kind: curated}")
    (tmp_path / "list.txt").write_text("tiktok.com\n", encoding="utf-8")
    mine = f"{{kind: list, name: mine, file: {tmp_path}/list.txt}}"
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(YAML.replace("{kind: curated}", mine), encoding="utf-8")
    settings = Settings(inventory=inventory, data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened:
        for _ in range(2):
            with pytest.raises(GuardTripped):
                opened.refresh_intel(actor="test")
            told = opened.alerts()
            assert {alert.kind for alert in told} == {"lost-asn"}
            assert [a.subject for a in told if a.subject == "AS138699"] == ["AS138699"]


def moved(kind: Drift, network: str, *origins: int, asn: int = 1, source: str = "curated") -> OriginChange:
    return OriginChange(kind=kind, network=parse_network(network), asn=asn, source=source, origins=origins)


def notes(*changes: OriginChange) -> list[AlertNote]:
    return list(origin_alerts(changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            moved(Drift.NEW_ASN, "203.0.113.0/24", 1),
            "AS1 originated nothing of the list before, now 203.0.113.0/24; so curated",
        ),
        (
            moved(Drift.LOST_ASN, "203.0.113.0/24"),
            "AS1 originates nothing of the list any more, before 203.0.113.0/24; so curated",
        ),
        (moved(Drift.MOVED, "203.0.113.0/24", 1, 2), "AS1 also originates 203.0.113.0/24; so curated"),
        (
            moved(Drift.MOVED, "203.0.113.0/24", 2),
            "AS1 does not originate any more, but others still do, 203.0.113.0/24; so curated",
        ),
        (moved(Drift.NEW_PREFIX, "203.0.113.0/24", 1), "AS1 originates now 203.0.113.0/24; so curated"),
        (moved(Drift.LOST_PREFIX, "203.0.113.0/24"), "AS1 does not originate any more 203.0.113.0/24; so curated"),
    ],
)
def test_every_change_has_a_sentence(change: OriginChange, message: str) -> None:
    assert [note.message for note in notes(change)] == [message]


def test_a_network_that_moves_with_all_its_prefixes_is_one_alert() -> None:
    blocks = [f"203.0.{at // 256}.{at % 256}/32" for at in range(1200)]
    changes = [moved(Drift.NEW_ASN, block, 1, source=s) for block in blocks for s in ("curated", "ripestat:AS1")]
    [note] = notes(*changes, moved(Drift.CONFIRMED, "203.0.113.0/24", 1))
    assert note.message.endswith("203.0.0.3/32, 203.0.0.4/32 and 1195 more; so curated and ripestat:AS1")
    assert (note.detail["count"], len(note.detail["networks"])) == (1200, 1000)


def test_a_kind_says_what_happens_in_every_direction_there_is() -> None:
    for kind in Drift:
        for origins in ((), (1,), (2,)):
            with_asn = 1 in origins
            if kind in {Drift.NEW_ASN, Drift.NEW_PREFIX} and not with_asn:
                continue  # gained by definition
            if kind in {Drift.LOST_ASN, Drift.LOST_PREFIX} and with_asn:
                continue
            notes(moved(kind, "203.0.113.0/24", *origins))
