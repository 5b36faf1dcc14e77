"""Services of one's own, from their file to the gateway: defined without code, judged like the shipped one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import InventoryError
from controller.inventory import Inventory, load_inventory, services_schema
from controller.inventory.document import read_document
from controller.inventory.services import parse_services
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from core.net import DomainName, overlaps
from ipsets.catalogue import load_catalogue
from ipsets.errors import GuardTripped
from ipsets.model import Dedication, ServiceSet
from ipsets.services import OwnService, entries_of
from ipsets.sources.config import build_source
from ipsets.text import entry_text, read_entry
from tests.controller.offices import NOON, YAML, facts
from tests.controller.planned import first_plan
from tests.ipsets.mutating import mutated
from tests.ipsets.origins import Asked, Reply, web
from tests.ipsets.test_ripestat import envelope

EXAMPLE = Path(__file__).parents[2] / "services.example.yaml"
OWN, FOREIGN = "5.5.4.0/22", "5.5.8.0/24"
"""Stand-ins for what the networks of the example announce."""

GOOD = """\
version: 1
services:
  rednote:
    title: RedNote
    asns: [64496]
    names:
      web: [xiaohongshu.com]
      login: ["full:login.example.net"]
    shared: [login]
"""


def folder_with(folder: Path, services: str, inventory: str = YAML) -> Path:
    (folder / "services.yaml").write_text(services, encoding="utf-8")
    text = inventory.replace("{sources: [{kind: curated}]}", "{sources: [{kind: curated}], catalogue: ./services.yaml}")
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    return folder / "inventory.yaml"


def loaded(folder: Path, services: str, inventory: str = YAML) -> Inventory:
    return load_inventory(folder_with(folder, services, inventory))


# --- the worked example -----------------------------------------------------------------------------------------------

CHOOSING = YAML.replace("    services: [tiktok]\n    roles:", "    services: [tiktok, rednote]\n    roles:", 1)


def announced(asked: Asked, _: int) -> Reply:
    """RIPEstat's word on the two networks of the example; of holders it knows none."""
    if "as-overview" in asked.path:
        return Reply(status=404)
    asn = int(asked.query["resource"].removeprefix("AS"))
    prefixes = {64496: (OWN, "2a10:1234:5678::/48"), 64497: (FOREIGN,)}[asn]
    return Reply(body=json.dumps(envelope(asn, prefixes, end=NOON)))


@contextmanager
def example(folder: Path, migrated: Path, inventory: str = CHOOSING) -> Iterator[Controller]:
    """The example as it is shipped, refreshed once, with RIPEstat on the loopback."""
    with web(announced) as origin:
        text = EXAMPLE.read_text(encoding="utf-8")
        told = text.replace("{kind: ripestat,", f'{{kind: ripestat, base_url: "{origin.url}",')
        assert told != text
        path = folder_with(folder, told, inventory)
        (folder / "store.db").write_bytes(migrated.read_bytes())
        where = Settings(inventory=path, data_dir=folder)
        with Controller.open(where, clock=ManualClock(NOON)) as opened:
            opened.refresh_intel(actor="test")
            yield opened


def service(opened: Controller, name: str) -> ServiceSet:
    return next(s for s in opened.snapshot().services if s.service == name)


def test_the_example_becomes_a_list_by_the_rules_of_the_shipped_one(tmp_path: Path, migrated: Path) -> None:
    with example(tmp_path, migrated) as opened:
        assert [(r.name, r.error) for r in opened.sources()] == [
            ("catalogue", None),
            ("curated", None),
            ("rednote-ripestat", None),
        ]
        own = service(opened, "rednote")
        assert own.networks == (ip_network(OWN), ip_network("2a10:1234:5678::/48"))
        assert {d.name for d in own.domains} == {"xiaohongshu.com", "xhscdn.com"}, "the shared name stays out"
        assert {d.name for d in service(opened, "deepseek").domains} == {"deepseek.com"}
        known = {str(i.value): (i.app, i.dedication) for i in opened.snapshot().indicators}
        assert known[FOREIGN] == ("rednote-shared", Dedication.SHARED)
        owners = {opened.owners.of(i) for i in opened.snapshot().indicators if i.app.startswith("rednote")}
        assert owners == {"xingin"}


def test_what_tiktok_is_does_not_change_by_it(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "inventory.yaml").write_text(YAML, encoding="utf-8")
    with Controller.open(
        Settings(inventory=tmp_path / "plain" / "inventory.yaml", data_dir=tmp_path / "plain"), clock=ManualClock(NOON)
    ) as plain:
        plain.refresh_intel(actor="test")
        before = service(plain, "tiktok")
    with example(tmp_path, migrated) as opened:
        assert service(opened, "tiktok") == before


def test_a_gateway_is_sent_it_and_explain_says_why(tmp_path: Path, migrated: Path) -> None:
    with example(tmp_path, migrated) as opened:
        held = replace(facts(opened.inventory), snapshot=opened.snapshot())
        text = first_plan(held, opened.inventory.device("fw-berlin"), NOON)
        assert "dst-rednote" in text
        assert OWN in text
        assert "fqdn-rednote" in text
        address = opened.explain("5.5.5.5").explanation
        assert [(c.service, c.entry) for c in address.entries] == [("rednote", OWN)]
        assert "RedNote (Xiaohongshu)'s alone (announced by AS64496" in address.decisions[0].reason
        name = opened.explain("www.xiaohongshu.com").explanation
        assert [c.service for c in name.entries] == ["rednote"]
        assert name.known[0].sources[0].detail == "defined for the service rednote"
        other = opened.explain("login.example.net").explanation
        assert not other.covered
        assert "shared with others" in other.decisions[0].reason


def test_a_policy_may_choose_it_by_app_and_by_owner_too(tmp_path: Path, migrated: Path) -> None:
    chosen = CHOOSING.replace("[tiktok, rednote]", "[tiktok]\n    apps: [deepseek]\n    owners: [xingin]")
    with example(tmp_path, migrated, chosen) as opened:
        assert opened.inventory.policies["standard"].services == ("tiktok", "deepseek", "owner-xingin")
        own = service(opened, "owner-xingin")
        assert own.networks == service(opened, "rednote").networks
        assert {d.name for d in own.domains} == {"xiaohongshu.com", "xhscdn.com", "login.example.net"}


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [key for key in OwnService.model_fields if f"{key}:" not in text] == []
    assert services_schema()["$defs"]["OwnService"]["properties"].keys() == set(OwnService.model_fields)


# --- the same rules ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Live:
    """A service with networks, and what else names it."""

    networks: str
    more: str = ""

    def controller(self, folder: Path, migrated: Path) -> Controller:
        text = GOOD + f"    networks: {self.networks}\n{self.more}"
        (folder / "store.db").write_bytes(migrated.read_bytes())
        where = Settings(inventory=folder_with(folder, text, CHOOSING), data_dir=folder)
        return Controller.open(where, clock=ManualClock(NOON))


def test_a_list_of_its_own_claims_and_what_may_be_originated_confirms(tmp_path: Path, migrated: Path) -> None:
    """One list is one voice; an entry of a table of routes under the service's network is the second."""
    (tmp_path / "list.txt").write_text("5.5.4.0/24\n5.5.9.0/24\nshop.xhs-example.com\n", encoding="utf-8")
    (tmp_path / "table.jsonl").write_text('{"CIDR":"5.5.4.0/22","ASN":64496,"Hits":900}\n', encoding="utf-8")
    sources = "    sources:\n      - {kind: list, file: ./list.txt}\n      - {kind: asndb, file: ./table.jsonl}\n"
    with Live("[5.6.0.0/24]", sources).controller(tmp_path, migrated) as opened:
        opened.refresh_intel(actor="test")
        assert [r.error for r in opened.sources()] == [None] * 4
        own = service(opened, "rednote")
        assert own.networks == (ip_network("5.5.4.0/24"), ip_network("5.6.0.0/24"))
        assert "shop.xhs-example.com" in {d.name for d in own.domains}
        dropped = {v.entry: v.guard for v in opened.snapshot().dropped}
        assert dropped["5.5.9.0/24"] == "one-voice"
        assert dropped["5.5.4.0/22"] == "not-dedicated", "a table of routes confirms, and names nothing alone"
        reasons = [v.reason for v in opened.snapshot().dropped if v.entry == "5.5.4.0/22"]
        assert reasons == ["not known to be RedNote's alone: known, never enforced (from asndb:AS64496)"]


def test_a_source_of_the_inventory_may_be_of_its_app(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "list.txt").write_text("5.5.4.0/24\nshop.xhs-example.com\n", encoding="utf-8")
    own = "{kind: list, name: theirs, file: ./list.txt, app: rednote, dedicated: true}"
    text = YAML.replace("[{kind: curated}]}", f"[{{kind: curated}}, {own}], catalogue: ./services.yaml}}")
    (tmp_path / "services.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    where = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(where, clock=ManualClock(NOON)) as opened:
        opened.refresh_intel(actor="test")
        found = service(opened, "rednote")
        assert found.networks == (ip_network("5.5.4.0/24"),)
        assert {d.name for d in found.domains} == {"xiaohongshu.com", "shop.xhs-example.com"}
        scored = {row.record.name for row in opened.scoreboard().sources}
        assert {"catalogue", "curated", "theirs"} <= scored


def test_i07_its_own_list_never_brings_what_is_never_blocked(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "list.txt").write_text(
        "8.8.8.0/24\n23.32.0.0/16\n10.0.0.0/16\ntiktok.com\ndouyin.com\n", encoding="utf-8"
    )
    sources = "    sources: [{kind: list, file: ./list.txt, dedicated: true}]\n"
    with Live("[5.6.0.0/24]", sources).controller(tmp_path, migrated) as opened:
        opened.refresh_intel(actor="test")
        own = service(opened, "rednote")
        assert not any(overlaps(own.networks, ip_network(n)) for n in ("8.8.8.8/32", "23.32.0.0/16", "10.0.0.0/16"))
        assert not {"tiktok.com", "douyin.com"} & {d.name for d in own.domains}


def test_an_entry_that_is_taken_out_of_the_file_is_gone_after_the_next_refresh(tmp_path: Path, migrated: Path) -> None:
    with Live("[5.6.0.0/24, 5.6.2.0/24]").controller(tmp_path, migrated) as opened:
        opened.refresh_intel(actor="test")
    with Live("[5.6.0.0/24]").controller(tmp_path, migrated) as again:
        again.refresh_intel(actor="test")
        assert service(again, "rednote").networks == (ip_network("5.6.0.0/24"),)


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("title: RedNote", "titel: RedNote", "4: services.rednote.titel", "unknown key; did you mean 'title'?"),
        ("    title: RedNote\n", "", "3: services.rednote.title", "is missing"),
        (
            "title: RedNote",
            "title: RedNote\n    title: x",
            "5: services.rednote.title",
            "is there twice; first in line 4",
        ),
        ("version: 1", "version: 2", "1: version", "expected 1"),
        ("rednote:", "tiktok:", "3: services.tiktok", "is a shipped service, which no file redefines"),
        ("rednote:", "owner-x:", "3: services.owner-x", "are made by tokgate"),
        ("rednote:", f"{'r' * 25}:", f"3: services.{'r' * 25}", "at most 24 characters"),
        ("asns: [64496]", "asns: [AS20940]", "5: services.rednote.asns[0]", "AS20940 is Akamai's"),
        ("asns: [64496]", "asns: [396986]", "5: services.rednote.asns[0]", "AS396986 is Bytedance Inc.'s"),
        ("asns: [64496]", "asns: [150436]", "5: services.rednote.asns[0]", "AS150436 is Byteplus Pte. Ltd.'s"),
        ("asns: [64496]", "asns: [0]", "5: services.rednote.asns[0]", "greater than or equal to 1"),
        (
            "asns: [64496]",
            "asns: [64496]\n    shared_asns: [64496]",
            "6: services.rednote.shared_asns[0]",
            "in `asns` too",
        ),
        ("asns: [64496]", "apps: [douyin]", "5: services.rednote.apps[0]", "refused to every source: another app"),
        ("asns: [64496]", "apps: [capcut]", "5: services.rednote.apps[0]", "a policy chooses it by `apps`"),
        ("asns: [64496]", "apps: [off-limits]", "5: services.rednote.apps[0]", "a word of tokgate's own"),
        ("asns: [64496]", "owner: bytedance-cloud", "5: services.rednote.owner", "unrelated customers"),
        ("[xiaohongshu.com]", "[www.tiktok.com]", "7: services.rednote.names.web[0]", "known as a name of tiktok"),
        ("[xiaohongshu.com]", "[volces.com]", "7: services.rednote.names.web[0]", "unrelated customers"),
        ("[xiaohongshu.com]", "[x.akamaized.net]", "7: services.rednote.names.web[0]", "a name at Akamai"),
        ("[xiaohongshu.com]", "[akamaized.net]", "7: services.rednote.names.web[0]", "a whole content network"),
        ("[xiaohongshu.com]", "[co.uk]", "7: services.rednote.names.web[0]", "a whole registry"),
        ("[xiaohongshu.com]", "[tiktokio.com]", "7: services.rednote.names.web[0]", "lookalike"),
        ("[xiaohongshu.com]", "[192.0.2.1]", "7: services.rednote.names.web[0]", "networks stand in `networks`"),
        ("[xiaohongshu.com]", "[a.com, a.com]", "7: services.rednote.names.web[1]", "already of the same service"),
        ("shared: [login]", "shared: [log]", "9: services.rednote.shared[0]", "no category 'log' in `names`"),
        ("shared: [login]", "networks: [23.32.0.0/16]", "9: services.rednote.networks[0]", "published ranges of CDNs"),
        ("shared: [login]", "networks: [71.18.5.0/24]", "9: services.rednote.networks[0]", "prefixes of TikTok"),
        ("shared: [login]", "networks: [8.8.8.8]", "9: services.rednote.networks[0]", "public DNS resolvers"),
        ("shared: [login]", "networks: [10.0.0.0/24]", "9: services.rednote.networks[0]", "special-purpose"),
        ("shared: [login]", "networks: [45.0.0.0/9]", "9: services.rednote.networks[0]", "wider than /16"),
        ("shared: [login]", "networks: [5.5.5.1/24]", "9: services.rednote.networks[0]", "is no network"),
        ("shared: [login]", "sources: [{kind: dns}]", "9: services.rednote.sources[0].resolvers", "is missing"),
        ("shared: [login]", "sources: [{kind: curated}]", "9: services.rednote.sources[0].kind", "not of one service"),
        (
            "shared: [login]",
            "sources: [{kind: ripestat, asns: [138699]}]",
            "9: services.rednote.sources[0].asns",
            "AS138699 is not in the service's",
        ),
        (
            "shared: [login]",
            "sources: [{kind: list, name: curated, file: x}]",
            "9: services.rednote.sources[0]",
            "already named 'curated'",
        ),
    ],
)
def test_what_a_service_may_not_say_is_refused_with_file_line_key_and_reason(
    old: str, new: str, place: str, said: str, tmp_path: Path
) -> None:
    assert old in GOOD
    with pytest.raises(InventoryError) as caught:
        loaded(tmp_path, GOOD.replace(old, new, 1))
    message = str(caught.value)
    assert f"{tmp_path / 'services.yaml'}:{place}: " in message
    assert said in message


def test_two_services_never_have_the_same_name_app_or_network(tmp_path: Path) -> None:
    twin = (
        GOOD.split("services:\n")[1]
        .replace("rednote:", "other:")
        .replace("    title", "    apps: [rednote]\n    title")
    )
    with pytest.raises(InventoryError) as caught:
        loaded(tmp_path, GOOD + twin)
    message = str(caught.value)
    for key in ("apps[0]", "asns[0]", "names.web[0]", "names.login[0]"):
        assert f"services.other.{key}: is already of the service 'rednote'" in message


def test_both_files_tell_all_their_problems_at_once(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        loaded(
            tmp_path,
            GOOD.replace("title:", "titel:"),
            CHOOSING.replace("time_zone: UTC", "time_zone: x").replace("Europe/Berlin", "Europe/Berlim"),
        )
    message = str(caught.value)
    assert "inventory.yaml:" in message
    assert "services.yaml:4: services.rednote.titel" in message
    assert "no service 'rednote'" not in message, "of a broken file nothing is known"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "the file is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"services: {}\n", "1 at least"),
        (b"- 1\n", "expected a mapping"),
        (b"services: &a {x: *a}\n", "anchors"),
        (b"{" * 100_000, "nesting"),
        (b'"\\e[2Jx": 1', "services.yaml:1: \\x1b[2Jx: unknown key"),
    ],
)
def test_a_file_that_is_none_is_an_error_of_the_inventory(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = folder_with(tmp_path, GOOD)
    if content is None:
        (tmp_path / "services.yaml").unlink()
    else:
        (tmp_path / "services.yaml").write_bytes(content)
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    assert "services.yaml" in str(caught.value)
    assert said in str(caught.value)


def test_a_service_that_no_file_defines_any_more_is_unknown_to_policies(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(CHOOSING, encoding="utf-8")
    with pytest.raises(InventoryError, match="no service 'rednote'; known: tiktok"):
        load_inventory(tmp_path / "inventory.yaml")


def test_an_owner_that_the_shipped_data_knows_gets_the_service_too(tmp_path: Path) -> None:
    more = GOOD.replace("    asns", "    owner: bytedance\n    asns")
    catalogue = loaded(
        tmp_path, more, CHOOSING.replace("[tiktok, rednote]", "[tiktok]\n    owners: [bytedance]")
    ).catalogue
    made = catalogue.services["owner-bytedance"]
    assert "rednote" in made.apps
    assert made.owner_asns == load_catalogue().owners.known["bytedance"].alone | {64496}


def test_the_digest_of_an_inventory_is_of_its_services_too(tmp_path: Path) -> None:
    first = loaded(tmp_path, GOOD).digest
    assert loaded(tmp_path, GOOD.replace("xiaohongshu", "xhs")).digest != first
    assert loaded(tmp_path, f"# a comment\n{GOOD}").digest == first


# --- whatever is in the file ------------------------------------------------------------------------------------------

KEYS = (*OwnService.model_fields, "kind", "entries", "deny", "reason", "app", "file", "rednote", "web")
VALUES = st.sampled_from(
    [
        "tiktok.com",
        "full:a.example.com",
        "5.5.5.0/24",
        64496,
        "AS64496",
        "list",
        "ripestat",
        "manual",
        "rednote",
        "",
        None,
        True,
    ]
)
ANYTHING = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=16,
)


WHOLE = re.sub(r"(?m)^\s*#.*\n|[ ]{2,}#.*", "", EXAMPLE.read_text(encoding="utf-8")).encode()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an inventory beside which each example writes its file."""
    return folder_with(tmp_path_factory.mktemp("fuzzed"), GOOD).parent


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["rednote", "tiktok", "owner-x", ""]), st.dictionaries(st.sampled_from(KEYS), ANYTHING)
    )
)
def test_any_file_is_services_or_problems_with_a_line(services: dict[str, object]) -> None:
    text = json.dumps({"version": 1, "services": {name: {"title": "T", **given} for name, given in services.items()}})
    found = parse_services(text, read_document(YAML))
    assert bool(found.services) is not bool(found.problems)
    assert all(problem.line == 1 and problem.message for problem in found.problems)


@given(mutated(WHOLE))
def test_any_bytes_are_services_or_problems_with_their_place(fuzzed: Path, raw: bytes) -> None:
    """The worked example with some words changed: what it makes can be used, or every mistake has its line."""
    (fuzzed / "services.yaml").write_bytes(raw)
    try:
        inventory = load_inventory(fuzzed / "inventory.yaml")
    except InventoryError as exc:
        check_refusal(exc, raw)
        return
    catalogue, entries = inventory.catalogue, entries_of(inventory.own_services)
    assert set(inventory.own_services) < set(catalogue.services)
    assert {e.app for e in entries} <= catalogue.single_apps.keys() | catalogue.shared_apps
    for e in entries:
        assert read_entry(entry_text(e.value)) == e.value
        assert isinstance(e.value, DomainName) or not overlaps([e.value], ip_network("10.0.0.0/8"))
    for service in inventory.own_services.values():
        assert [build_source(source).name for source in service.sources] == [source.name for source in service.sources]
    assert inventory.digest


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_few_bytes_are_an_error_with_their_place(fuzzed: Path, raw: bytes) -> None:
    (fuzzed / "services.yaml").write_bytes(raw)
    with pytest.raises(InventoryError) as caught:
        load_inventory(fuzzed / "inventory.yaml")
    check_refusal(caught.value, raw)


def check_refusal(error: InventoryError, raw: bytes) -> None:
    """Each mistake stands in a line of the file, and is said in words that a terminal can show."""
    said = str(error)
    lines = re.findall(r"services\.yaml:(\d+): ", said)
    assert lines
    last = len(raw.decode("utf-8", "replace").splitlines()) + 1
    assert all(1 <= int(line) <= last for line in lines)
    assert all(line.isprintable() for line in said.split("\n"))


def test_a_service_that_is_taken_out_of_the_file_is_out_of_the_next_list(tmp_path: Path, migrated: Path) -> None:
    with Live("[5.6.0.0/24]").controller(tmp_path, migrated) as opened:
        opened.refresh_intel(actor="test")
        assert {s.service for s in opened.snapshot().services} == {"rednote", "tiktok"}
    (tmp_path / "inventory.yaml").write_text(YAML, encoding="utf-8")
    again = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(again, clock=ManualClock(NOON)) as opened:
        opened.refresh_intel(actor="test")
        assert {s.service for s in opened.snapshot().services} == {"tiktok"}


def test_a_service_without_any_entry_holds_the_refresh_and_is_named(tmp_path: Path, migrated: Path) -> None:
    """Nothing would be enforced for it, and nobody would notice."""
    (tmp_path / "list.txt").write_text("10.0.0.0/24\n", encoding="utf-8")
    empty = "version: 1\nservices:\n  rednote: {title: RedNote, sources: [{kind: list, file: ./list.txt}]}\n"
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    where = Settings(inventory=folder_with(tmp_path, empty), data_dir=tmp_path)
    with (
        Controller.open(where, clock=ManualClock(NOON)) as opened,
        pytest.raises(GuardTripped, match="guard empty: rednote no entry is left"),
    ):
        opened.refresh_intel(actor="test")
