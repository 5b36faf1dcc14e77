"""Files that people write for judging: any bytes are rules, or an error of ours that says file, line and key."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.net import DomainName, parse_network
from ipsets import rulebook
from ipsets.ages import Ages
from ipsets.catalogue import load_catalogue, parse_catalogue
from ipsets.judgement import Reason, parse_rules
from tests.ipsets.mutating import mutated

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
CATALOGUE, JUDGEMENT = ((files("ipsets") / "data" / name).read_bytes() for name in ("catalogue.yaml", "judgement.yaml"))
PLACE = re.compile(r"fuzz\.yaml:(\d+)(: .+)?")
GOOD = [re.sub(rb"(?m)^\s*#.*\n|[ ]{2,}#.*", b"", raw) for raw in (CATALOGUE, JUDGEMENT)]
"""Without comments, so that what is changed means something."""
REASONS: tuple[Reason, ...] = ("abandoned", "gone", "stale")


def check_error(error: ConfigError, raw: bytes) -> None:
    """It says where, in a line that the file has, and what, in one line that a terminal can show."""
    place = PLACE.fullmatch(error.place or "")
    assert place is not None, error.place
    assert 1 <= int(place[1]) <= raw.count(b"\n") + raw.count(b"\r") + raw.count(b"\xc2\x85") + raw.count(b"\xe2") + 1
    assert error.message
    assert str(error).isprintable()
    assert len(str(error)) < 2000


def check_catalogue(raw: bytes) -> None:
    try:
        found = parse_catalogue(raw, place="fuzz.yaml")
    except ConfigError as exc:
        check_error(exc, raw)
        return
    for name, service in found.services.items():
        assert service.name == name
    chosen = found.choosing(apps=found.single_apps, owners=found.single_owners)
    assert all(app in chosen.services[found.service_of_app(app)].apps for app in found.single_apps)
    assert all(text.encode() is not None for text in (*found.single_apps.values(), *found.refused_apps.values()))


def check_judgement(raw: bytes) -> None:
    try:
        found = parse_rules(raw, place="fuzz.yaml")
    except ConfigError as exc:
        check_error(exc, raw)
        return
    assert all(found.confidence.lowered[reason] >= 0 for reason in REASONS)
    for kind in ("dns", "list", "of no kind"):
        ages = found.age_out.get(kind, found.age_out["default"])
        for value in (DomainName("a.example"), parse_network("192.0.2.0/24")):
            assert ages.of(value).until(NOW, NOW) >= NOW
            assert Ages.model_validate(ages.model_dump()) == ages
    assert all(part for family in found.families.values() for part in family.addresses)


@given(mutated(GOOD[0]))
def test_any_catalogue_is_one_or_an_error_with_its_place(raw: bytes) -> None:
    check_catalogue(raw)


@given(mutated(GOOD[1]))
def test_any_rules_of_judgement_are_some_or_an_error_with_its_place(raw: bytes) -> None:
    check_judgement(raw)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_none_or_an_error_with_its_place(raw: bytes) -> None:
    check_catalogue(raw)
    check_judgement(raw)


def test_the_shipped_files_are_what_is_read() -> None:
    assert parse_catalogue(CATALOGUE, place="x") == load_catalogue()
    assert parse_rules(JUDGEMENT, place="x").age_out["dns"].names.until(NOW, NOW) > NOW


DEEP = b"services: " + b"[" * 100_000
LAUGHS = b"a: &a [x, x]\n" + b"\n".join(b"%c: &%c [*%c, *%c]" % (n + 1, n + 1, n, n) for n in range(97, 120))


@pytest.mark.parametrize(
    ("raw", "line", "key", "said"),
    [
        (b"services:\n  a: {title: A, apps: [a]}\napps:\n  b: 2024-13-45\n", 4, "", "month must be in 1..12"),
        (b"services:\n  a: {title: A, apps: [\xff]}\n", 2, "", "not UTF-8"),
        (b"services:\n  a: [\n", 3, "", "not YAML"),
        (b"services:\n  a: !!int ''\n", 2, "", "IndexError"),
        (b"services:\n  a: !!bool x\n", 2, "", "KeyError"),
        (b"services:\n  a: !!timestamp x\n", 2, "", "AttributeError"),
        (b"services:\n  a: " + b"9" * 5000 + b"\n", 2, "", "Exceeds the limit"),
        (b'services:\n  a: "\\ud800"\n', 2, "", "UnicodeEncodeError"),
        (b"services:\n  a: \x07\n", 2, "", "does not allow"),
        (b"services:\n  a: {title: A, apps: [a]}\n  a: {title: B, apps: [b]}\n", 2, "", "a key is there twice"),
        (DEEP, 1, "", "nested too deep"),
        (LAUGHS, 2, "", "aliases"),
        (b"services:\n  a:\n    titel: A\n", 2, "services.a.title", "required"),
        (b"services:\n  a:\n    title: A\n    apps: [a]\n    more: 1\n", 5, "services.a.more", "not permitted"),
        (b"services:\n  a: {title: A, apps: [a], name: b}\n", 1, "services", "the key is its name"),
        (b"services:\n  a: {title: A, apps: []}\n", 2, "services.a", "at least one app"),
        (b"services:\n  a: 7\n", 2, "services.a", "valid dictionary"),
        (b"services:\n  1: {title: A, apps: [a]}\n", 2, "services.1", "valid string"),
        (b"", 1, "", "valid dictionary"),
        (b"apps: {}\n", 1, "services", "required"),
    ],
)
def test_what_is_no_catalogue_is_told_with_file_line_and_key(raw: bytes, line: int, key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        parse_catalogue(raw, place="fuzz.yaml")
    assert caught.value.place == f"fuzz.yaml:{line}" + (f": {key}" if key else "")
    check_error(caught.value, raw)


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("default: {addresses: last_seen, names: last_seen}", "dns2: last_seen", "age_out", "`default`"),
        ("    gone: 1", "    gonne: 1", "confidence.lowered.gonne", "'abandoned', 'gone' or 'stale'"),
        ("    stale: 1 ", "    # stale", "confidence.lowered", "says nothing of stale"),
        ("    gone: 1 ", "    gone: -1", "confidence.lowered.gone", "greater than or equal to 0"),
        ("last_seen+30d}", "{event: first_seen, grace: 9e13}}", "age_out.ct.names", "is no age"),
        ("last_seen+30d}", "30}", "age_out.ct.names", "is no age"),
        ("[llacb47/mischosts,", "['',", "families.pihole-lists.addresses[0]", "at least 1 character"),
    ],
)
def test_what_judging_cannot_use_is_told_with_its_key(old: str, new: str, key: str, said: str) -> None:
    text = JUDGEMENT.decode()
    assert old in text
    raw = text.replace(old, new, 1).encode()
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        parse_rules(raw, place="fuzz.yaml")
    assert (caught.value.place or "").endswith(f": {key}")
    check_error(caught.value, raw)


def test_a_catalogue_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_catalogue(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_bytes(CATALOGUE)
    assert load_catalogue(tmp_path / "large.yaml") == load_catalogue()
    monkeypatch.setattr(rulebook, "MAX_BYTES", len(CATALOGUE) - 1)
    with pytest.raises(ConfigError, match="larger than"):
        load_catalogue(tmp_path / "large.yaml")
