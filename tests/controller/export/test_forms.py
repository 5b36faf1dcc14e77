"""Each form says the same things in its own words, and nobody's name is more than a name in any of them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from controller.evidence.model import Channel, EpisodeAction, EpisodeKind, Ground
from controller.export.forms import Form, body, line, render
from controller.export.record import Record, clean, of_episode
from controller.export.syslog_wire import framed
from tests.controller.export.records import AT, ORIGIN, episode, hostile_records, plain_records
from tests.controller.reporting import check_golden

LINES = (Form.RFC5424, Form.CEF, Form.LEEF)
DOCUMENTS = (Form.JSON, Form.ECS, Form.OCSF)
CHATS = (Form.SLACK, Form.TEAMS)
LOCAL0 = 16
SCHEMA = json.loads((Path(__file__).parent / "data" / "ocsf-1.8.0-detection_finding.json").read_text())


def one(form: Form, record: Record) -> str:
    return line(form, record, ORIGIN, facility=LOCAL0) if form in LINES else render(form, record, ORIGIN)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"count": 1}, "Use at berlin: once blocked, by fw-berlin, from EXAMPLE\\ann, to tiktok full", id="once"
        ),
        pytest.param(
            {"count": 2}, "Use at berlin: 2 times blocked, by fw-berlin, from EXAMPLE\\ann, to tiktok full", id="twice"
        ),
        pytest.param(
            {"kind": EpisodeKind.HITS, "count": 1},
            "Hits at berlin: 1 hit blocked, by fw-berlin, from EXAMPLE\\ann, to tiktok full",
            id="a-hit",
        ),
        pytest.param(
            {"kind": EpisodeKind.INSTALLED, "action": EpisodeAction.UNKNOWN, "count": 1},
            "App installed at berlin: tiktok full, on laptop-7, of EXAMPLE\\ann",
            id="nothing-went-to-it",
        ),
        pytest.param(
            {"kind": EpisodeKind.EVASION, "indicator": "dns.example", "count": 1},
            "Evasion at berlin: from EXAMPLE\\ann, to dns.example, after tiktok full was blocked",
            id="the-way-round-is-named",
        ),
    ],
)
def test_a_line_for_people_says(changes: dict[str, object], said: str) -> None:
    assert of_episode(episode(**changes), seq=1, at=AT).said == said


@pytest.mark.parametrize("form", [*LINES, *DOCUMENTS])
def test_a_form_looks_like_this(form: Form) -> None:
    check_golden(f"export_{form}.txt", "".join(f"{one(form, record)}\n" for record in plain_records()))


@pytest.mark.parametrize("form", CHATS)
def test_a_chat_message_looks_like_this(form: Form) -> None:
    said = json.loads(body(form, [render(form, record, ORIGIN) for record in plain_records()]))
    check_golden(f"export_{form}.json", json.dumps(said, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("form", [*LINES, *DOCUMENTS, *CHATS])
def test_no_text_of_others_is_obeyed(form: Form) -> None:
    """One line, nothing that a terminal or a viewer obeys, encodable, and within what every receiver must take."""
    for record in hostile_records():
        text = one(form, record).replace(" \ufeff", " ")  # the mark of UTF-8 at the head of a message
        assert not {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"}}
        assert len(text.encode()) <= 8_192


def test_what_is_unseen_is_shown_and_what_is_long_is_cut() -> None:
    assert clean("a\nb\u202ec") == "a�b�c"
    assert clean("x" * 500) == "x" * 125 + "…"
    assert clean("長" * 500) == "長" * 41 + "…"


# --- RFC 5424 ---------------------------------------------------------------------------------------------------------


HEADER = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<at>\S+) (?P<host>\S+) (?P<app>\S+) (?P<proc>\S+) (?P<id>\S+) (?P<rest>.*)"
)


def elements_of(rest: str) -> tuple[dict[str, dict[str, str]], str]:
    """Structured data by the grammar of RFC 5424, read a character at a time, and the message behind it."""
    found: dict[str, dict[str, str]] = {}
    at = 0
    while rest[at] == "[":
        name = re.compile(r'[^\s=\]"]{1,32}').match(rest, at + 1)
        assert name is not None
        at, values = name.end(), {}
        while rest[at] == " ":
            key = re.compile(r'[^\s=\]"]{1,32}="').match(rest, at + 1)
            assert key is not None
            at, value = key.end(), ""
            while rest[at] != '"':
                assert rest[at] != "]"
                if rest[at] == "\\":
                    at += 1
                    assert rest[at] in '"\\]'
                value += rest[at]
                at += 1
            values[key[0][:-2]] = value
            at += 1
        assert rest[at] == "]"
        found[name[0]] = values
        at += 1
    assert rest[at] == " "
    return found, rest[at + 1 :]


def test_structured_data_gives_back_what_went_in() -> None:
    for record in [*plain_records(), *hostile_records()]:
        match = HEADER.fullmatch(one(Form.RFC5424, record))
        assert match is not None
        assert (match["host"], match["app"], match["id"]) == ("control.example.net", "tokgate", record.kind)
        assert datetime.fromisoformat(match["at"]) == record.end
        elements, message = elements_of(match["rest"])
        own = elements["tokgate@32473"]
        assert set(elements) == {"origin", "tokgate@32473"}
        assert (own["id"], own["site"], own.get("user", "")) == (record.id, record.site, record.user)
        assert own.get("count") == (None if record.count is None else str(record.count))
        assert message.removeprefix("\ufeff") == record.said
        assert message.startswith("\ufeff") is not record.said.isascii()


def test_priority_is_facility_and_severity() -> None:
    by_kind = {record.kind: int(one(Form.RFC5424, record)[1:4]) for record in plain_records()}
    assert (by_kind[EpisodeKind.USE], by_kind[EpisodeKind.LEAK], by_kind[EpisodeKind.DORMANT]) == (133, 131, 134)


def test_octets_are_counted_not_characters() -> None:
    assert framed("<1>1 é", framing="octet-counting") == "7 <1>1 é".encode()
    assert framed("<1>1 é", framing="newline") == "<1>1 é\n".encode()


# --- CEF and LEEF -----------------------------------------------------------------------------------------------------


def cef_of(text: str) -> tuple[list[str], dict[str, str]]:
    """As ArcSight reads it: split at pipes and at keys that no backslash stands before."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", text, maxsplit=7)
    pairs = re.findall(r"(?:^|(?<= ))([A-Za-z0-9]+)=((?:[^=\\]|\\.)*?)(?= [A-Za-z0-9]+=|$)", parts[7])
    return parts[:7], {key: re.sub(r"\\(.)", r"\1", value) for key, value in pairs}


def test_cef_gives_back_what_went_in() -> None:
    for record in [*plain_records(), *hostile_records()]:
        text = one(Form.CEF, record)
        head, found = cef_of(text[text.index("CEF:") :])
        assert head[:6] == ["CEF:0", "tokgate", "tokgate", "1.2.3", str(record.kind), record.title]
        assert (found["externalId"], found["act"]) == (record.id, record.action)
        assert (found.get("shost", ""), found.get("suser", "")) == (record.host.strip(), record.user.strip())
        assert found.get("cs2", "") == record.rule.strip()
        assert found["rt"] == str(int(AT.timestamp() * 1000))


def test_cef_names_an_address_of_ipv6_as_such() -> None:
    _, found = cef_of(one(Form.CEF, plain_records()[1]).partition(" - hits - ")[2])
    assert (found["c6a2"], found["c6a2Label"], "src" in found) == ("2001:db8:20::5", "Source IPv6 Address", False)


def test_a_source_is_named_only_when_it_is_the_only_one() -> None:
    _, found = cef_of(one(Form.CEF, plain_records()[2]).partition(" - hits - ")[2])
    assert "src" not in found


def test_leef_gives_back_what_went_in() -> None:
    for record in [*plain_records(), *hostile_records()]:
        text = one(Form.LEEF, record)
        *head, rest = text[text.index("LEEF:") :].split("|", 6)
        assert head == ["LEEF:2.0", "tokgate", "tokgate", "1.2.3", str(record.kind), "^"]
        found = dict(pair.split("=", 1) for pair in rest.split("^"))
        assert (found["eventId"], found["site"]) == (record.id, record.site)
        assert found.get("usrName", "") == record.user.replace("^", "%5E")
        assert found.get("src") == (None if record.source is None else str(record.source))


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_ocsf_is_what_its_published_schema_asks() -> None:
    check = jsonschema_rs.validator_for(SCHEMA)
    for record in [*plain_records(), *hostile_records(), *_every_kind()]:
        wrong = [f"{list(found.instance_path)}: {found.message}" for found in check.iter_errors(_ocsf(record))]
        assert wrong == []


def test_the_published_schema_notices_what_is_wrong() -> None:
    check = jsonschema_rs.validator_for(SCHEMA)
    good = _ocsf(plain_records()[4])
    for spoilt in ({**good, "severity_id": 9}, {**good, "site": "berlin"}, {**good, "time": "now"}):
        assert not check.is_valid(spoilt)
    assert not check.is_valid({key: value for key, value in good.items() if key != "finding_info"})


def test_ocsf_numbers_fit_their_captions() -> None:
    """The schema's own list of captions is in its descriptions; these are the ones that are used."""
    pairs = {(said["disposition_id"], said["disposition"]) for said in map(_ocsf, _every_kind())}
    assert pairs == {(2, "Blocked"), (17, "Logged"), (1, "Allowed"), (0, "Unknown")}


def test_ecs_uses_only_values_that_it_allows() -> None:
    """Allowed values of `event.kind`, `category` and `type`: ECS 8.17."""
    for record in [*plain_records(), *hostile_records(), *_every_kind()]:
        said = json.loads(one(Form.ECS, record))
        assert said["event"]["kind"] in {"alert", "event"}
        assert said["event"]["category"] == ["network"]
        assert set(said["event"]["type"]) <= {
            "access",
            "allowed",
            "connection",
            "denied",
            "end",
            "info",
            "protocol",
            "start",
        }
        assert said["ecs"]["version"] == "8.17.0"
        assert None not in _leaves(said)
        assert datetime.fromisoformat(said["@timestamp"]) == record.end


def test_zero_is_said_and_unknown_is_left_out() -> None:
    counted, uncounted = plain_records()[3], plain_records()[2]
    assert json.loads(one(Form.JSON, counted))["count"] == 0
    assert "count" not in json.loads(one(Form.JSON, uncounted))
    assert json.loads(one(Form.ECS, counted))["tokgate"]["count"] == 0
    assert "count" not in json.loads(one(Form.ECS, uncounted))["tokgate"]


def test_why_there_is_a_leak_is_told_first_and_never_cut() -> None:
    signs = [Ground(trait=f"sign-{n}", text=f"sign {n}", weight=n, channel=Channel.TLS) for n in range(10, 18)]
    why = Ground(trait="rule:leak", text="2 of it passed while the policy enforces", weight=0, channel=Channel.TLS)
    told = of_episode(episode(kind=EpisodeKind.LEAK, grounds=(why, *signs)), seq=1, at=AT)
    assert told.grounds[:2] == ("2 of it passed while the policy enforces", "sign 17 (+17)")
    assert told.is_cut
    back = replace(why, trait="rule:taken-back", text="taken back", weight=-116)
    told = of_episode(episode(kind=EpisodeKind.LEAK, grounds=(back, why, *signs)), seq=1, at=AT)
    assert told.grounds[0] == "taken back (-116)"


def test_several_are_one_array() -> None:
    rendered = [render(Form.OCSF, record, ORIGIN) for record in plain_records()]
    assert [one["metadata"]["uid"] for one in json.loads(body(Form.OCSF, rendered))] == [r.id for r in plain_records()]


# --- chats ------------------------------------------------------------------------------------------------------------


def test_a_chat_reads_no_markup_in_the_names_of_others() -> None:
    """What is from outside stands where no markup is read; in the line of a notification it is escaped."""
    for record in hostile_records():
        said = json.loads(body(Form.SLACK, [render(Form.SLACK, record, ORIGIN)]))
        texts = [found for found in _objects(said["blocks"]) if "text" in found and isinstance(found["text"], str)]
        assert {found["type"] for found in texts} == {"plain_text"}
        assert not re.search("[<>]", said["text"])
        card = json.loads(body(Form.TEAMS, [render(Form.TEAMS, record, ORIGIN)]))["attachments"][0]["content"]
        assert {found["type"] for found in _objects(card["body"])} == {"RichTextBlock", "TextRun"}


def test_a_chat_says_how_many_it_leaves_out() -> None:
    """Slack takes 50 blocks of a message at most."""
    rendered = [render(Form.SLACK, plain_records()[0], ORIGIN)] * 70
    said = json.loads(body(Form.SLACK, rendered))
    assert len(said["blocks"]) == 41
    assert said["blocks"][-1]["elements"][0]["text"] == "and 50 more"


def _ocsf(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(one(Form.OCSF, record))
    return found


def _every_kind() -> list[Record]:
    from dataclasses import replace

    base = plain_records()[4]
    return [replace(base, kind=kind, action=action) for kind in EpisodeKind for action in EpisodeAction]


def _leaves(said: Any) -> Iterator[Any]:
    match said:
        case dict():
            for value in said.values():
                yield from _leaves(value)
        case list():
            for value in said:
                yield from _leaves(value)
        case _:
            yield said


def _objects(said: Any) -> Iterator[dict[str, Any]]:
    if isinstance(said, list):
        for value in said:
            yield from _objects(value)
    if isinstance(said, dict):
        yield said
        for value in said.values():
            yield from _objects(value)
