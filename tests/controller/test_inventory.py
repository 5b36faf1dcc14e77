"""The inventory is refused whole, with every problem's line and key; a good one says what it said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml

from controller.errors import InventoryError, NotFound
from controller.inventory import Inventory, inventory_schema, load_inventory, parse_inventory
from controller.inventory.file import MAX_BYTES
from controller.inventory.model import LegacyAlgorithm
from controller.model import Mode
from core.secret import SecretRef
from vendors.registry import known_vendors
from vendors.session import WEAK

EXAMPLE = Path(__file__).parents[2] / "inventory.example.yaml"

GOOD = """\
version: 1
intelligence:
  sources:
    - {kind: curated}
defaults:
  device:
    username: netops
    key_file: secret://file/etc/tokgate/id_ed25519
    budget_seconds: 90
policies:
  standard:
    services: [tiktok]
    roles:
      company: {mode: enforce}
      guest:
        mode: off
        windows:
          - {days: weekdays, from: 08:00, to: "18:00", mode: enforce}
sites:
  berlin:
    time_zone: Europe/Berlin
    policy: standard
    networks:
      company: [10.20.0.0/24, "2001:db8:20::/64"]
      guest: [10.20.1.0/24]
    devices:
      fw-berlin:
        vendor: linux_nftables
        host: 192.0.2.1
"""


@dataclass(frozen=True)
class Bad:
    """GOOD with one text replaced, the line and key that must be named, and what must be said."""

    name: str
    old: str
    new: str
    place: str
    said: str

    def __str__(self) -> str:
        return self.name


MORE = "\n      fw-two:\n        vendor: linux_nftables\n        host: "
PARIS = """host: 192.0.2.1
  paris:
    time_zone: UTC
    policy: standard
    networks: {}
    devices:
      fw-berlin: {vendor: linux_nftables, host: 192.0.2.2}
"""
BAD = [
    Bad(
        "unknown-key", "    policy: standard", "    polcy: standard", "22: sites.berlin.polcy", "did you mean 'policy'"
    ),
    Bad(
        "unknown-key-at-the-top",
        "version: 1",
        "version: 1\nsite: {}",
        "2: site",
        "unknown key; did you mean 'sites'",
    ),
    Bad(
        "unknown-key-of-a-device",
        "        host:",
        "        prt: 2\n        host:",
        "29: sites.berlin.devices.fw-berlin.prt",
        "did you mean 'port'",
    ),
    Bad(
        "unknown-option",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        options: {sudoo: true}",
        "30: sites.berlin.devices.fw-berlin.options.sudoo",
        "did you mean 'sudo'",
    ),
    Bad(
        "feed-from-nowhere",
        "host: 192.0.2.1",
        "host: fw.example\n        feed: {stale_after: 3h}",
        "30: sites.berlin.devices.fw-berlin.feed",
        "no address is known from which it pulls",
    ),
    Bad(
        "feed-for-everybody",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        feed: {auth: address, allow: [10.0.0.0/8]}",
        "30: sites.berlin.devices.fw-berlin.feed",
        "10.0.0.0/8 is too wide",
    ),
    Bad(
        "feed-key",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        feed: {alow: [10.0.0.1]}",
        "30: sites.berlin.devices.fw-berlin.feed.alow",
        "did you mean 'allow'",
    ),
    Bad(
        "name-is-the-key-not-a-field",
        "    policy: standard",
        "    policy: standard\n    name: x",
        "23: sites.berlin.name",
        "unknown key",
    ),
    Bad(
        "bad-option",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        options: {nft: 'rm -rf'}",
        "30: sites.berlin.devices.fw-berlin.options.nft",
        "pattern",
    ),
    Bad(
        "role-too-long-for-a-device",
        "      company: {mode: enforce}",
        f"      {'c' * 33}: {{mode: enforce}}",
        f"14: policies.standard.roles.{'c' * 33}",
        "at most 32 characters",
    ),
    Bad(
        "role-like-a-part-of-a-rule",
        "      company: {mode: enforce}",
        "      company--2: {mode: enforce}",
        "14: policies.standard.roles.company--2",
        "two hyphens",
    ),
    Bad("missing-key", "    time_zone: Europe/Berlin\n", "", "20: sites.berlin.time_zone", "is missing"),
    Bad("missing-section", "intelligence:\n  sources:\n    - {kind: curated}\n", "", "1: intelligence", "is missing"),
    Bad(
        "key-twice",
        "    policy: standard",
        "    policy: standard\n    policy: other",
        "23: sites.berlin.policy",
        "twice; first in line 22",
    ),
    Bad(
        "device-twice-at-a-site",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n      fw-berlin: {}",
        "30: sites.berlin.devices.fw-berlin",
        "twice",
    ),
    Bad(
        "device-at-two-sites",
        "host: 192.0.2.1\n",
        PARIS,
        "35: sites.paris.devices.fw-berlin",
        "already at site 'berlin' (line 27)",
    ),
    Bad(
        "one-firewall-two-names",
        "host: 192.0.2.1",
        f"host: 192.0.2.1{MORE}192.0.2.1",
        "32: sites.berlin.devices.fw-two.host",
        "already device 'fw-berlin' (line 27)",
    ),
    Bad("wrong-version", "version: 1", "version: 2", "1: version", "expected 1"),
    Bad(
        "unknown-vendor",
        "linux_nftables",
        "linux_nftable",
        "28: sites.berlin.devices.fw-berlin.vendor",
        "did you mean 'linux_nftables'",
    ),
    Bad(
        "unknown-policy",
        "policy: standard",
        "policy: standrad",
        "22: sites.berlin.policy",
        "did you mean 'standard'",
    ),
    Bad("unknown-service", "[tiktok]", "[tiktock]", "12: policies.standard.services[0]", "did you mean 'tiktok'"),
    Bad(
        "role-without-policy",
        "      guest: [10.20.1.0/24]",
        "      guests: [10.20.1.0/24]",
        "25: sites.berlin.networks.guests",
        "did you mean 'guest'",
    ),
    Bad(
        "bad-mode",
        "{mode: enforce}",
        "{mode: block}",
        "14: policies.standard.roles.company.mode",
        "'enforce', 'monitor' or 'off', not 'block'",
    ),
    Bad("bad-zone", "Europe/Berlin", "Europe/Berln", "21: sites.berlin.time_zone", "did you mean 'Europe/Berlin'"),
    Bad("zone-as-a-path", "Europe/Berlin", "../../etc/passwd", "21: sites.berlin.time_zone", "no time zone"),
    Bad(
        "host-bits", "10.20.1.0/24", "10.20.1.7/24", "25: sites.berlin.networks.guest[0]", "did you mean '10.20.1.0/24'"
    ),
    Bad("no-network", "10.20.1.0/24", "10.20.1.0/33", "25: sites.berlin.networks.guest[0]", "is no network"),
    Bad(
        "network-with-a-zone",
        "10.20.1.0/24",
        "'fe80::1%x;reboot'",
        "25: sites.berlin.networks.guest[0]",
        "IPv6 zone",
    ),
    Bad("network-as-a-number", "[10.20.1.0/24]", "[42]", "25: sites.berlin.networks.guest[0]", "expected a network"),
    Bad(
        "one-network-two-roles",
        "10.20.1.0/24",
        "10.20.0.0/24",
        "25: sites.berlin.networks.guest[0]",
        "already in role 'company' (line 24)",
    ),
    Bad(
        "one-network-twice",
        "[10.20.1.0/24]",
        "[10.20.1.0/24, 10.20.1.0/24]",
        "25: sites.berlin.networks.guest[1]",
        "already in",
    ),
    Bad("bad-name", "  berlin:", "  Berlin:", "20: sites.Berlin", "lower-case"),
    Bad("name-with-a-shell-in-it", "fw-berlin:", "'fw;reboot':", "27: sites.berlin.devices.fw;reboot", "lower-case"),
    Bad(
        "unknown-day",
        "weekdays",
        "[mon, wendsday]",
        "18: policies.standard.roles.guest.windows[0].days",
        "'wendsday' is no day",
    ),
    Bad("no-day", "weekdays", "[]", "18: policies.standard.roles.guest.windows[0].days", "a list of days"),
    Bad("bad-time", "08:00", "8am", "18: policies.standard.roles.guest.windows[0].from", '"08:00"'),
    Bad("time-past-the-day", "08:00", "24:00", "18: policies.standard.roles.guest.windows[0].from", '"23:59"'),
    Bad("time-as-a-number", "08:00", "800", "18: policies.standard.roles.guest.windows[0].from", '"08:00"'),
    Bad("window-of-no-time", '"18:00"', "08:00", "18: policies.standard.roles.guest.windows[0]", "are equal"),
    Bad(
        "port-too-high",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        port: 99999",
        "30: sites.berlin.devices.fw-berlin.port",
        "65535, not '99999'",
    ),
    Bad(
        "bad-host",
        "host: 192.0.2.1",
        "host: 192.0.2.1.9",
        "29: sites.berlin.devices.fw-berlin.host",
        "neither an address nor a host name",
    ),
    Bad(
        "host-with-a-shell-in-it",
        "host: 192.0.2.1",
        "host: 'a b;c'",
        "29: sites.berlin.devices.fw-berlin.host",
        "neither",
    ),
    Bad("bad-user", "username: netops", "username: -oProxyCommand", "7: defaults.device.username", "a user name"),
    Bad(
        "bad-default",
        "budget_seconds: 90",
        "budget_seconds: 1",
        "9: defaults.device.budget_seconds",
        "greater than or equal to 5",
    ),
    Bad(
        "bad-host-key",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        host_keys: [ssh-ed25519 AAAA]",
        "30: sites.berlin.devices.fw-berlin.host_keys[0]",
        "ssh-keyscan",
    ),
    Bad(
        "no-way-to-log-in",
        "    key_file: secret://file/etc/tokgate/id_ed25519\n",
        "",
        "26: sites.berlin.devices.fw-berlin",
        "no way to log in",
    ),
    Bad(
        "passphrase-without-key",
        "host: 192.0.2.1",
        "host: 192.0.2.1\n        password: secret://env/P\n        key_passphrase: secret://env/Q",
        "27: sites.berlin.devices.fw-berlin",
        "without `key_file`",
    ),
    Bad(
        "unknown-source",
        "kind: curated",
        "kind: curate",
        "4: intelligence.sources[0].kind",
        "did you mean 'curated'",
    ),
    Bad(
        "two-sources-one-name",
        "    - {kind: curated}",
        "    - {kind: curated}\n    - {kind: curated}",
        "3: intelligence.sources",
        "two sources are named 'curated'",
    ),
    Bad("source-without-kind", "{kind: curated}", "{name: x}", "4: intelligence.sources[0].kind", "is missing"),
    Bad(
        "list-where-a-mapping-belongs",
        "      company: {mode: enforce}",
        "      company: [enforce]",
        "14: policies.standard.roles.company",
        "expected a mapping",
    ),
    Bad(
        "word-where-a-list-belongs",
        "[10.20.1.0/24]",
        "10.20.1.0/24",
        "25: sites.berlin.networks.guest",
        "expected a list",
    ),
    Bad(
        "nothing-where-a-mapping-belongs",
        "  standard:\n    services: [tiktok]\n",
        "  other:\n  standard:\n    services: [tiktok]\n",
        "11: policies.other",
        "expected a mapping",
    ),
    Bad(
        "alias",
        "      company: {mode: enforce}",
        "      company: &x {mode: enforce}\n      byod: *x",
        "15: policies.standard.roles.byod",
        "aliases",
    ),
    Bad("tag", "[tiktok]", "!!python/object:os.system [tiktok]", "12: policies.standard.services", "tags"),
    Bad("second-document", "version: 1", "---\nversion: 1\n---", "3", "a second document"),
    Bad("broken-yaml", "[tiktok]", "[tiktok", "13: policies.standard.services", "not YAML"),
    Bad("tabulator", "    policy: standard", "\tpolicy: standard", "22: sites.berlin.time_zone", "not YAML"),
    Bad("control-character", "[tiktok]", "[tik\x01tok]", "12", "character that YAML does not allow"),
]


def refused(text: str) -> str:
    with pytest.raises(InventoryError) as caught:
        parse_inventory(text, name="i.yaml")
    return str(caught.value)


@pytest.mark.parametrize("case", BAD, ids=str)
def test_a_bad_inventory_is_refused_with_line_and_key(case: Bad) -> None:
    assert case.old in GOOD
    said = refused(GOOD.replace(case.old, case.new, 1))
    assert f"i.yaml:{case.place}: " in said
    assert case.said in said


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = GOOD
    for case in [c for c in BAD if c.name in ("unknown-service", "bad-mode", "bad-zone", "bad-time", "bad-host")]:
        text = text.replace(case.old, case.new, 1)
    lines = [int(n) for n in re.findall(r"^i\.yaml:(\d+): ", refused(text), re.MULTILINE)]
    assert lines == [12, 14, 18, 21, 29]


@pytest.mark.parametrize("key", ["password", "key_file", "key_passphrase", "pasword"])
def test_i09_a_plain_secret_is_refused_and_not_repeated(key: str) -> None:
    said = refused(GOOD.replace("host: 192.0.2.1", f"host: 192.0.2.1\n        {key}: canary-Hunter2!"))
    assert f"fw-berlin.{key}: " in said
    assert "anary" not in said
    assert "Hunter" not in said


@pytest.mark.parametrize(
    "value", ["!canary", "&canary", "*canary", '"canary', "@canary", "%canary", "[canary", "12345"]
)
def test_i09_a_secret_that_breaks_the_yaml_is_not_repeated_either(value: str) -> None:
    said = refused(GOOD.replace("host: 192.0.2.1", f"host: 192.0.2.1\n        password: {value}"))
    assert "canary" not in said
    assert "4711" not in said


def test_what_is_wrong_is_told_once_and_not_in_words_of_python() -> None:
    life = refused(f"{GOOD}exceptions: {{reasons: {{other: {{max_life: 1000d}}}}}}\n")
    assert "366 d, not '1000d'" in life
    role = refused(f"{GOOD}access: {{rules: [{{claim: groups, value: x, roles: [king]}}]}}\n")
    assert "not 'king'" in role
    assert "at least" not in role
    assert "1 at least" in refused(f"{GOOD}access: {{rules: [{{claim: groups, value: x, roles: []}}]}}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "the file is empty", id="empty"),
        pytest.param("# nothing but a comment\n", "the file is empty", id="comments"),
        pytest.param("tiktok", "expected a mapping", id="a-word"),
        pytest.param("- version: 1", "expected a mapping", id="a-list"),
        pytest.param("a: " + "[" * 40 + "]" * 40, "nested more than", id="deep"),
        pytest.param("{" * 100_000, "nesting", id="very-deep"),
    ],
)
def test_what_is_no_inventory_at_all_is_refused(text: str, said: str) -> None:
    assert said in refused(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"version: 1\ntitle: caf\xe9\n", "not UTF-8", id="latin-1"),
        pytest.param(b"#" * (MAX_BYTES + 1), "larger than", id="huge"),
        pytest.param(None, "cannot be read", id="absent"),
    ],
)
def test_a_file_that_cannot_be_an_inventory_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InventoryError, match=said) as caught:
        load_inventory(path)
    assert str(caught.value.place).startswith(str(path))


# --- a good one -------------------------------------------------------------------------------------------------------


def test_a_good_inventory_says_what_it_said() -> None:
    inventory = parse_inventory(GOOD)
    site = inventory.site("berlin")
    assert (site.name, site.title, site.time_zone, site.policy) == ("berlin", "berlin", "Europe/Berlin", "standard")
    assert site.networks["company"] == (ip_network("10.20.0.0/24"), ip_network("2001:db8:20::/64"))
    guest = inventory.policies["standard"].roles["guest"]
    assert guest.mode is Mode.OFF
    window = guest.windows[0]
    assert window.days == ("mon", "tue", "wed", "thu", "fri")
    assert (window.start, window.end, window.mode) == (time(8), time(18), Mode.ENFORCE)


def test_a_device_inherits_the_defaults() -> None:
    endpoint = parse_inventory(GOOD).device("fw-berlin").endpoint()
    assert (endpoint.device, endpoint.host, endpoint.port, endpoint.username) == (
        "fw-berlin",
        "192.0.2.1",
        22,
        "netops",
    )
    assert endpoint.key_file == SecretRef("file", "etc/tokgate/id_ed25519")
    assert (endpoint.budget, endpoint.connect_timeout) == (timedelta(seconds=90), timedelta(seconds=10))


def test_a_device_with_a_credential_of_its_own_inherits_none() -> None:
    own = "host: 192.0.2.1\n        password: secret://env/FW"
    device = parse_inventory(GOOD.replace("host: 192.0.2.1", own)).device("fw-berlin")
    assert (device.password, device.key_file) == (SecretRef("env", "FW"), None)


def test_options_arrive_as_the_vendors_own_model() -> None:
    text = GOOD.replace("host: 192.0.2.1", "host: 192.0.2.1\n        options: {conntrack: false}")
    assert parse_inventory(text).device("fw-berlin").options.conntrack is False  # type: ignore[union-attr]
    assert parse_inventory(GOOD).device("fw-berlin").options.conntrack is True  # type: ignore[union-attr]


@pytest.mark.parametrize("options", ["", "\n        options:", "\n        options: {}"])
def test_options_that_cannot_be_left_out_are_missed_with_their_place(options: str) -> None:
    text = GOOD.replace("vendor: linux_nftables", "vendor: cisco_asa", 1).replace(
        "host: 192.0.2.1", f"host: 192.0.2.1{options}", 1
    )
    with pytest.raises(InventoryError, match="is missing") as caught:
        parse_inventory(text)
    assert caught.value.place is not None
    assert caught.value.place.endswith("sites.berlin.devices.fw-berlin.options.lists")


def test_a_whole_day_may_end_at_24_00() -> None:
    window = parse_inventory(GOOD.replace("08:00", "00:00").replace("18:00", "24:00"))
    assert window.policies["standard"].roles["guest"].windows[0].end == time(0)


@pytest.mark.parametrize("name", ["paris", "berln"])
def test_an_unknown_site_or_device_is_not_found(name: str) -> None:
    inventory = parse_inventory(GOOD)
    with pytest.raises(NotFound, match=f"no site '{name}'"):
        inventory.site(name)
    with pytest.raises(NotFound, match=f"no device '{name}'"):
        inventory.device(name)


@pytest.mark.parametrize("kind", ["list", "rpki", "asndb", "mrt", "ranges, format: plain, operator: x"])
def test_a_relative_file_starts_at_the_inventorys_folder(kind: str, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(GOOD.replace("{kind: curated}", f"{{kind: {kind}, file: ./ours.txt}}"))
    (source,) = load_inventory(tmp_path / "inventory.yaml").intelligence.sources
    assert source.file == tmp_path / "ours.txt"  # type: ignore[union-attr]


def test_the_digest_is_of_what_it_says_not_of_how() -> None:
    same = yaml.safe_dump(yaml.load(GOOD, yaml.BaseLoader), sort_keys=True)
    same = same.replace("'1'", "1").replace("'90'", "90")
    assert parse_inventory(GOOD).digest == parse_inventory(f"# a comment\n{same}").digest
    assert parse_inventory(GOOD).digest != parse_inventory(GOOD.replace("10.20.1.0/24", "10.20.2.0/24")).digest


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("host: 192.0.2.1", ["192.0.2.1/32"], id="its-host"),
        pytest.param(
            "host: 192.0.2.1\n        own_addresses: [10.0.0.1]", ["192.0.2.1/32", "10.0.0.1/32"], id="and-own"
        ),
        pytest.param("host: 192.0.2.1\n        feed: {allow: [10.0.0.0/30]}", ["10.0.0.0/30"], id="as-said"),
        pytest.param("host: fw.example", [], id="a-name-is-no-address"),
    ],
)
def test_where_a_device_pulls_from(given: str, expected: list[str]) -> None:
    device = parse_inventory(GOOD.replace("host: 192.0.2.1", given)).device("fw-berlin")
    assert [str(net) for net in device.pulls_from] == expected
    assert (device.feed.auth, device.feed.stale_after) == ("token", timedelta(hours=2))


def test_the_example_is_good_and_complete() -> None:
    inventory = load_inventory(EXAMPLE)
    assert isinstance(inventory, Inventory)
    assert len(inventory.digest) == 64
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, definition in inventory_schema()["$defs"].items():
        if name in (
            "SiteEntry",
            "DeviceEntry",
            "DeviceDefaults",
            "Policy",
            "RolePolicy",
            "PolicyWindow",
            "Intelligence",
            "Calendar",
            "Changes",
            "ChangeWindow",
            "Freeze",
            "SyslogExport",
            "WebhookExport",
            "KafkaExport",
            "Mail",
            "Privacy",
            "PrivacyHere",
            "Retention",
            "ScheduledReport",
            "Target",
            "Bucket",
        ):
            missing = [key for key in definition["properties"] if f"{key}:" not in text]
            assert missing == [], f"the example shows no {name}.{missing}"


def test_the_schema_knows_each_vendors_options() -> None:
    device = inventory_schema()["$defs"]["DeviceEntry"]
    assert "linux_nftables" in device["properties"]["vendor"]["enum"]
    referred = [choice["then"]["properties"]["options"]["$ref"] for choice in device["allOf"]]
    assert referred == [f"#/$defs/options_{vendor}" for vendor in known_vendors()]


def test_the_weak_algorithms_a_device_may_name_are_those_a_session_knows() -> None:
    assert set(LegacyAlgorithm.__args__) == {name for names in WEAK.values() for name in names}  # type: ignore[attr-defined]
