"""A policy that chooses apps and owners: from the inventory to the gateway, exceptions and answers included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.errors import Invalid, InventoryError
from controller.exceptions import ExceptionRequest
from controller.inventory import Inventory, parse_inventory
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from core.errors import ConfigError
from core.ids import NAME
from tests.controller.offices import NIGHT, NOON, YAML, facts
from tests.controller.planned import first_plan

CHOOSING = YAML.replace(
    "    services: [tiktok]\n    roles:", "    apps: [capcut, tiktok]\n    owners: [bytedance]\n    roles:", 1
)


@pytest.fixture
def opened(tmp_path: Path, migrated: Path) -> Controller:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "inventory.yaml").write_text(CHOOSING, encoding="utf-8")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    controller = Controller.open(settings, clock=ManualClock(NOON))
    controller.refresh_intel(actor="test")
    return controller


def inventory(text: str) -> Inventory:
    return parse_inventory(text, name="i.yaml")


def test_whatever_a_policy_chooses_by_devices_meet_services() -> None:
    policy = inventory(CHOOSING).policies["standard"]
    assert policy.services == ("app-capcut", "tiktok", "owner-bytedance")
    assert (policy.apps, policy.owners) == (("capcut", "tiktok"), ("bytedance",))
    joined = CHOOSING.replace("    apps: [capcut", "    services: tiktok\n    apps: [capcut")
    assert inventory(joined).policies["standard"].services == ("tiktok", "app-capcut", "owner-bytedance")


def test_the_names_of_such_services_fit_on_every_device() -> None:
    made = inventory(CHOOSING.replace("[bytedance]", "[bytedance, tiktok-usds]")).catalogue.services
    assert all(NAME.fullmatch(f"fqdn-{name}") for name in made)


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("[capcut,", "[capcutt,", "7: policies.standard.apps[0]", "no app 'capcutt'; did you mean 'capcut'"),
        ("[capcut,", "[zoom,", "7: policies.standard.apps[0]", "no app 'zoom'; known: capcut, lemon8, tiktok"),
        ("[capcut,", "[douyin,", "7: policies.standard.apps[0]", "'douyin' cannot be chosen: another app, for China"),
        ("[capcut,", "[bytedance-shared,", "7: policies.standard.apps[0]", "what several apps share"),
        ("[bytedance]", "[bytedanse]", "8: policies.standard.owners[0]", "did you mean 'bytedance'"),
        ("[bytedance]", "oracle", "8: policies.standard.owners", "known: bytedance, tiktok-usds"),
        ("[bytedance]", "[bytedance-cloud]", "8: policies.standard.owners[0]", "unrelated customers"),
        ("[bytedance]", "[Bytedance]", "8: policies.standard.owners[0]", "lower-case"),
        ("    apps: [capcut, tiktok]\n    owners: [bytedance]\n", "", "6: policies.standard", "at least one of"),
        ("apps: [capcut, tiktok]", "services: [app-capcut]", "7: policies.standard.services[0]", "no service"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_line_key_and_the_known_ones(
    old: str, new: str, place: str, said: str
) -> None:
    assert old in CHOOSING
    with pytest.raises(InventoryError) as caught:
        inventory(CHOOSING.replace(old, new, 1).lstrip("\n"))
    message = str(caught.value)
    assert f"i.yaml:{place}: " in message
    assert said in message


def test_a_gateway_is_sent_the_app_and_the_owner(opened: Controller) -> None:
    with opened:
        site = opened.inventory.site("berlin")
        held = replace(facts(opened.inventory), snapshot=opened.snapshot())
        text = first_plan(held, site.devices["fw-berlin"], NOON)  # type: ignore[index]
    assert "dst-owner-bytedance" in text
    assert "71.18.4.0/23" in text
    assert "fqdn-app-capcut" in text
    assert "dst-app-capcut" not in text, "no network is CapCut's alone"


def test_explain_exceptions_and_the_record_name_the_chosen_service(opened: Controller) -> None:
    with opened:
        found = opened.explain("www.capcut.com").explanation
        assert {c.service for c in found.entries} == {"app-capcut", "owner-bytedance"}
        address = opened.explain("71.18.5.1").explanation
        assert (address.entries[0].service, address.decisions[0].rule) == ("owner-bytedance", "owner")
        asked = ExceptionRequest(
            sites=("berlin",),
            sources=("10.20.1.7",),
            service="app-capcut",
            starts=NOON,
            ends=NIGHT,
            reason="r",
            owner="o",
        )
        made = opened.exceptions.request(asked, actor="ann")
        assert opened.exceptions.approve(made.id, actor="bob").service == "app-capcut"
        held = replace(facts(opened.inventory), snapshot=opened.snapshot(), exceptions=opened.exceptions.find())
        text = first_plan(held, opened.inventory.device("fw-berlin"), NOON)
        assert f"exc-{made.id}" in text
        with pytest.raises(Invalid, match="known: app-capcut, owner-bytedance, tiktok"):
            opened.exceptions.request(replace(asked, service="app-lemon8"), actor="ann")


def test_a_service_that_was_chosen_since_the_last_refresh_says_what_to_do(opened: Controller) -> None:
    with opened:
        known = facts(opened.inventory)  # a snapshot of before
        with pytest.raises(ConfigError, match="no service 'app-capcut'") as caught:
            first_plan(known, opened.inventory.device("fw-berlin"), NOON)
    assert "tokgate intel refresh" in caught.value.hint
