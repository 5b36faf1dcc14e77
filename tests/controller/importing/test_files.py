"""Ansible's JSON, Nornir's SimpleInventory and tables."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.inventory.importing.ansible import parse_ansible
from controller.inventory.importing.csv_file import parse_csv
from controller.inventory.importing.errors import SourceFailed
from controller.inventory.importing.model import MAX_DEVICES, Wishes, fitted
from controller.inventory.importing.nornir import parse_nornir
from controller.inventory.importing.platforms import vendor_of
from controller.inventory.importing.sources import read_source
from controller.model import ImportKind

ANSIBLE = {
    "_meta": {
        "hostvars": {
            "fw-a": {
                "ansible_host": "192.0.2.1", "ansible_port": 2222, "ansible_network_os": "cisco.asa.asa",
                "ansible_password": "hunter2", "tokgate_site": "Berlin", "tokgate_time_zone": "Europe/Berlin",
                "tokgate_networks": {"company": ["10.1.0.0/24"]},
            },
            "sw-a": {"ansible_network_os": "arista.eos.eos"},
        }
    },
    "all": {"children": ["ungrouped", "firewalls"]},
    "firewalls": {"hosts": ["fw-a", "bare"]},
}  # fmt: skip


def test_ansible_hosts_and_their_variables() -> None:
    found = fitted(parse_ansible(json.dumps(ANSIBLE)), Wishes())
    assert found.devices["fw-a"].fields == {"vendor": "cisco_asa", "host": "192.0.2.1", "port": 2222}
    assert found.sites["berlin"].networks == {"company": ("10.1.0.0/24",)}
    assert found.names == {"fw-a", "sw-a", "bare"}
    assert "hunter2" not in repr(found)


def test_nornir_inherits_as_nornir_does() -> None:
    hosts = "fw-a: {hostname: 192.0.2.1, groups: [edge], data: {site: berlin}}\nfw-b: {groups: [edge, last]}\n"
    groups = "edge: {groups: [all], port: 2222}\nall: {platform: fortinet, groups: [edge]}\n"
    groups += "last: {port: 1, data: {site: paris}}\n"
    found = parse_nornir(hosts, groups, "username: tokgate\ndata: {time_zone: UTC}\n")
    one, two = found.devices
    assert (one.host, one.port, one.platforms, one.username, one.site) == (
        "192.0.2.1", "2222", ("fortinet",), "tokgate", "berlin",
    )  # fmt: skip
    assert (two.host, two.port, two.site) == ("fw-b", "2222", "paris"), "the first group that says it"
    assert [site.time_zone for site in found.sites] == ["UTC", "UTC"]


def test_a_table() -> None:
    text = "name,host,platform,site,prefixes,colour\nfw-a,192.0.2.1,srx,Berlin,company=10.1.0.0/24,red\n"
    found = fitted(parse_csv(text), Wishes(roles={"company": "staff"}))
    assert found.devices["fw-a"].fields["vendor"] == "juniper_srx"
    assert found.sites["berlin"].networks == {"staff": ("10.1.0.0/24",)}
    with pytest.raises(SourceFailed, match="no column host"):
        parse_csv("name,platform\na,b\n")


def test_no_other_source_is_taken_for_a_fleet_of_that_size_either(tmp_path: Path) -> None:
    hosts = {f"fw-{number}": {} for number in range(MAX_DEVICES + 1)}
    (tmp_path / "all.json").write_text(json.dumps({"_meta": {"hostvars": hosts}}))
    with pytest.raises(SourceFailed, match="more than 100000 devices"):
        read_source(ImportKind.ANSIBLE, str(tmp_path / "all.json"), token=None, filters={}, ca_file=None)


def test_many_networks_of_one_site_are_read_once() -> None:
    lines = (f"fw-{n},192.0.2.1,srx,berlin,company=10.{n // 256}.{n % 256}.0/24" for n in range(20_000))
    [site] = parse_csv("name,host,platform,site,prefixes\n" + "\n".join(lines)).sites
    assert len(site.networks) == 20_000


@pytest.mark.parametrize(
    ("word", "vendor"),
    [("Pan OS", "paloalto_panos"), ("juniper_junos", "juniper_srx"), ("ASA", "cisco_asa"), ("eos", None), ("", None)],
)
def test_platforms(word: str, vendor: str | None) -> None:
    assert vendor_of((word,), {}) == vendor


def test_a_platform_of_ones_own_goes_first() -> None:
    assert vendor_of(("house-os",), {"house-os": "linux_nftables"}) == "linux_nftables"


@pytest.mark.parametrize("kind", [ImportKind.ANSIBLE, ImportKind.NORNIR, ImportKind.CSV])
@pytest.mark.parametrize("raw", [b"\xff", b"{", b"[1]", b"\0"])
def test_rubbish_and_missing_files_are_told(kind: ImportKind, raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "it"
    for _ in range(2):
        with pytest.raises(SourceFailed) as raised:
            read_source(kind, str(file), token=None, filters={}, ca_file=None)
        assert raised.value.hint
        file.write_bytes(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["ansible_host", "ansible_port", "ansible_network_os", "tokgate_site", "tokgate_networks", "x",
                        "hostname", "groups", "data", "port", "platform", "password"])  # fmt: skip


@given(values=st.dictionaries(KEYS, JSON), other=JSON)
def test_unknown_fields_and_shapes_never_crash(values: dict[str, Any], other: Any) -> None:
    for read in (
        lambda: parse_ansible(json.dumps({"_meta": {"hostvars": {"a": values, "b": other}}, "all": other})),
        lambda: parse_nornir(json.dumps({"a": values, "b": other}), json.dumps({"g": values}), json.dumps(values)),
    ):
        try:
            fitted(read(), Wishes())
        except SourceFailed:
            continue


def test_a_million_lines_are_refused_before_they_are_kept() -> None:
    """A fleet is thousands; whoever names the wrong file is told so, and no memory is spent on it."""
    text = "name,host,platform,site\n" + "fw,10.0.0.1,asa,berlin\n" * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(SourceFailed, match="more than 100000 lines"):
            parse_csv(text)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * len(text)
