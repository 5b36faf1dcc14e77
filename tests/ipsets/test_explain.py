"""Covered or not, and why: read from the snapshot, and from the rules where the snapshot is silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import DomainName, parse_network
from ipsets import dataset
from ipsets.catalogue import load_catalogue
from ipsets.explain import Basis, Decision, Explanation, explain, parse_question
from ipsets.guard import GuardLimits, NeverBlock, default_never_block
from ipsets.model import Dedication, Snapshot
from tests.ipsets.making import LATER, NOW, curated, entry, snapshot

SHIPPED = snapshot(curated())


def ask(question: str, of: Snapshot = SHIPPED, *, own: tuple[str, ...] = ()) -> Explanation:
    mine = NeverBlock(reason="your never_block list", networks=tuple(map(parse_network, own)))
    never_block = (*default_never_block(), mine)
    return explain(parse_question(question), of, catalogue=load_catalogue(), never_block=never_block)


def rules(found: Explanation) -> list[tuple[str, str, Basis]]:
    return [(decision.rule, decision.entry, decision.basis) for decision in found.decisions]


def entries(found: Explanation) -> list[tuple[str, str]]:
    return [(covering.service, covering.entry) for covering in found.entries]


def test_an_address_that_is_allowed_above_its_entry_is_not_covered_and_says_by_which() -> None:
    holes = tuple(f"5.5.0.{host}" for host in range(1, 32, 2))
    of = snapshot([entry("5.5.0.0/24")], limits=GuardLimits(never_block=holes, max_pieces=4))
    assert entries(ask("5.5.0.2", of)) == [("tiktok", "5.5.0.0/24")]
    found = ask("5.5.0.3", of, own=holes)
    assert entries(found) == []
    assert [rule for rule, *_ in rules(found)] == ["allowed-above", "never-block", "never-block"]
    assert rules(found)[0] == ("allowed-above", "5.5.0.0/24", Basis.SNAPSHOT)
    assert found.decisions[0].reason.startswith("5.5.0.3/32 is never blocked and stands allowed above it")
    assert found.notes == (), "what is never blocked is not blocked by a live answer either"


# --- addresses --------------------------------------------------------------------------------------------------------


def test_an_address_is_covered_by_the_entry_that_holds_it_and_every_source_is_told_with_its_dates() -> None:
    found = ask(
        "198.18.0.7",
        snapshot(
            [
                entry("198.18.0.0/25", source="ripestat:AS138699", detail="announced by AS138699"),
                entry("198.18.0.0/25", source="list:ours", seen=LATER),
                entry("198.18.0.128/25"),
            ],
            never_block=(),
        ),
    )
    assert entries(found) == [("tiktok", "198.18.0.0/24")], "as it is enforced: aggregated"
    assert rules(found) == [("dedicated", "198.18.0.0/25", Basis.SNAPSHOT)], "as it was named"
    assert "TikTok's alone (announced by AS138699)" in found.decisions[0].reason
    [known] = found.known
    assert [(p.source, p.first_seen, p.last_seen) for p in known.sources] == [
        ("list:ours", LATER, LATER),
        ("ripestat:AS138699", NOW, NOW),
    ]
    assert found.notes == ()


def test_the_narrowest_entry_stands_first() -> None:
    found = ask("198.18.0.7", snapshot([entry("198.18.0.0/24"), entry("198.18.0.0/28")], never_block=()))
    assert [str(i.value) for i in found.known] == ["198.18.0.0/28", "198.18.0.0/24"]
    assert found.decisions[0].entry == "198.18.0.0/28"


def test_a_range_that_is_never_blocked_is_named_with_what_it_is() -> None:
    found = ask("10.1.2.3")
    assert not found.covered
    assert rules(found) == [("never-block", "10.0.0.0/8", Basis.RULES)]
    assert "Private use, RFC 1918" in found.decisions[0].reason
    assert found.notes == (), "no live answer can block it either"


def test_a_public_resolver_that_was_cut_out_of_an_entry_is_told_from_both_sides() -> None:
    found = ask("8.8.8.8", snapshot([*curated(), entry("8.8.8.0/24")]))
    assert rules(found) == [
        ("never-block", "8.8.8.8/32", Basis.RULES),
        ("never-block", "8.8.8.0/24", Basis.SNAPSHOT),
    ]
    assert "Google Public DNS" in found.decisions[0].reason
    assert "carved out, the rest stays (from list:test)" in found.decisions[1].reason
    assert ask("8.8.8.9", snapshot([*curated(), entry("8.8.8.0/24")])).covered, "the rest stays"


def test_the_users_own_list_is_called_that_and_nothing_else() -> None:
    found = ask("8.8.8.9", own=("8.8.8.0/24",))
    assert [(d.entry, d.reason) for d in found.decisions] == [("8.8.8.0/24", "never blocked: your never_block list")]


def test_cloud_customers_are_told_by_who_originates_them() -> None:
    found = ask("14.103.0.9")
    assert rules(found) == [("never-block", "14.103.0.0/16", Basis.RULES)]
    assert "AS137718" in found.decisions[0].reason
    assert "Volcano" in found.decisions[0].reason


def test_a_range_of_a_shared_cdn_is_told_with_its_operator_and_that_live_answers_may_still_block() -> None:
    found = ask("23.45.12.10")
    assert rules(found) == [("shared-cdn", "23.32.0.0/11", Basis.RULES)]
    assert "Akamai" in found.decisions[0].reason
    assert "while a covered name resolves to it, unless the policy says `shared_addresses: spare`" in found.notes[0]


def test_what_only_the_owners_shared_network_originates_is_known_and_not_enforced() -> None:
    found = ask("71.18.1.5")
    assert rules(found) == [("not-dedicated", "71.18.1.0/24", Basis.SNAPSHOT)]
    assert "AS396986" in found.decisions[0].reason
    assert [i.dedication for i in found.known] == [Dedication.SHARED]


def test_the_shipped_set_is_asked_when_no_source_of_the_snapshot_named_it() -> None:
    found = ask("71.18.1.5", snapshot([entry("198.18.0.0/24")], never_block=()))
    assert found.known == ()
    assert rules(found) == [("not-dedicated", "71.18.1.0/24", Basis.RULES)]
    assert "AS396986 (" in found.decisions[0].reason


@pytest.mark.parametrize(
    ("brought", "rule"),
    [
        pytest.param(entry("64.0.0.0/8"), "too-wide", id="too-wide"),
        pytest.param(entry("64.1.2.0/24", dedication=Dedication.UNKNOWN), "not-dedicated", id="not-dedicated"),
        pytest.param(entry("64.1.2.0/24", app="pangle"), "never-block", id="refused-app"),
        pytest.param(entry("64.1.2.0/24", app="capcut"), "not-dedicated", id="another-app"),
    ],
)
def test_what_a_guard_took_out_of_this_snapshot_is_told_once(brought: object, rule: str) -> None:
    found = ask("64.1.2.3", snapshot([*curated(), brought]))  # type: ignore[list-item]
    assert [(d.rule, d.basis) for d in found.decisions] == [(rule, Basis.SNAPSHOT)]
    assert "(from list:test)" in found.decisions[0].reason


def test_what_nobody_named_is_said_to_be_unknown() -> None:
    assert rules(ask("1.2.3.4")) == [("unknown", "1.2.3.4", Basis.SNAPSHOT)]


def test_ipv6_and_ipv4_are_not_mixed_up() -> None:
    both = snapshot([entry("2400:100::/32"), entry("64.1.2.0/24")], never_block=())
    assert entries(ask("2400:100::7", both)) == [("tiktok", "2400:100::/32")]
    assert not ask("2400:101::7", both).covered


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_is_covered_by_the_suffix_above_it_and_says_why_its_addresses_are_not() -> None:
    found = ask("v16.webapp.tiktokcdn.com")
    assert entries(found) == [("tiktok", ".tiktokcdn.com")]
    assert [(d.rule, d.basis) for d in found.decisions] == [
        ("suffix", Basis.SNAPSHOT),
        ("name-only", Basis.RULES),
    ]
    assert "content networks that others use" in found.decisions[1].reason


def test_a_name_that_only_ends_alike_is_another_name() -> None:
    assert ask("tiktok.com").covered
    found = ask("nottiktok.com")
    assert rules(found) == [("unknown", "nottiktok.com", Basis.SNAPSHOT)]
    assert "does not make it TikTok's" in found.decisions[0].reason


def test_an_exact_entry_covers_nothing_below_it() -> None:
    one = snapshot([entry("only.example.com")], never_block=())
    assert rules(ask("only.example.com", one))[0] == ("name", "only.example.com", Basis.SNAPSHOT)
    assert not ask("www.only.example.com", one).covered


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        pytest.param("tiktokio.com", "lookalike", "is not TikTok's", id="lookalike"),
        pytest.param("www.tiktokio.com", "lookalike", "tiktokio.com is not TikTok's", id="below-a-lookalike"),
        pytest.param("musical.ly", "abandoned", "legacy", id="abandoned"),
        pytest.param("www.capcut.com", "other-app", "capcut.com belongs to capcut", id="another-app"),
        pytest.param("byteoversea.com", "not-dedicated", "is shared", id="shared-by-the-owner"),
        pytest.param("amemv.com", "never-block", "another app, for China", id="refused-app"),
        pytest.param("akamaized.net", "too-wide", "a whole content network (Akamai)", id="content-network"),
        pytest.param("co.uk", "too-wide", "a whole registry", id="registry"),
        pytest.param("example.akamaized.net", "shared-cdn", "Akamai", id="another-tenant"),
    ],
)
def test_why_a_name_is_not_covered(name: str, rule: str, said: str) -> None:
    found = ask(name)
    assert not found.covered
    assert [(d.rule, d.basis) for d in found.decisions] == [(rule, Basis.RULES)]
    assert said in found.decisions[0].reason


def test_a_name_that_a_guard_took_out_names_who_brought_it() -> None:
    found = ask("www.tiktokio.com", snapshot([*curated(), entry(".tiktokio.com")]))
    assert rules(found) == [("lookalike", ".tiktokio.com", Basis.SNAPSHOT)]
    assert "(from list:test)" in found.decisions[0].reason


def test_letters_that_only_look_alike_are_pointed_out() -> None:
    found = ask("tiktоk.com")  # a Cyrillic letter: that is the point
    assert found.text.startswith("xn--")
    assert not found.covered
    assert "beyond a to z" in found.notes[0]


# --- all of it --------------------------------------------------------------------------------------------------------


def test_every_entry_of_the_shipped_snapshot_explains_itself() -> None:
    [tiktok] = SHIPPED.services
    edges = [str(address) for n in tiktok.networks for address in (n[0], n[-1])]
    for question in (*edges, *(d.name for d in tiktok.domains)):
        found = ask(question)
        assert found.covered, question
        assert found.known, question
        assert found.decisions[0].rule in ("dedicated", "suffix", "name"), question


def test_what_is_never_blocked_is_never_covered_and_says_why() -> None:
    for block in default_never_block():
        for network in block.networks[:40]:
            found = explain(network[0], SHIPPED, catalogue=load_catalogue(), never_block=default_never_block())
            assert not found.covered
            assert found.decisions[0].rule == "never-block", network
            assert block.reason in found.decisions[0].reason


def test_every_lookalike_outside_tiktoks_own_names_is_told_as_one() -> None:
    for name in dataset.lookalikes():
        found = ask(name)
        assert found.covered or found.decisions[0].rule == "lookalike", name
    assert not ask("tiktokio.com").covered


def test_no_answer_is_without_a_reason_and_equal_questions_have_equal_answers() -> None:
    for question in ("1.2.3.4", "example.org", "103.136.220.10", "www.tiktok.com", "::1"):
        assert ask(question).decisions
        assert ask(question) == ask(question)


# --- then -------------------------------------------------------------------------------------------------------------


def at(question: str, of: Snapshot, hours: int) -> tuple[str, ...]:
    never_block = default_never_block()
    then = NOW + timedelta(hours=hours)
    asked = parse_question(question)
    return explain(asked, of, catalogue=load_catalogue(), never_block=never_block, at=then).notes


def test_words_that_are_later_than_the_question_are_said_to_be() -> None:
    again = replace(SHIPPED, source_ages=(("curated", NOW + timedelta(hours=5)),))
    assert at("103.136.220.10", again, 6) == ()
    [note] = at("103.136.220.10", again, 4)
    assert "as of 2026-11-25T17:00:00Z" in note


def test_rules_of_now_are_said_to_be_of_now() -> None:
    [note] = at("10.0.0.1", SHIPPED, 1)
    assert "rules and the shipped data are those of now" in note


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param(" 103.136.220.10\n", "103.136.220.10", id="spaces"),
        pytest.param("103.136.220.10/32", "103.136.220.10", id="host-as-network"),
        pytest.param("2001:DB8::1/128", "2001:db8::1", id="v6"),
        pytest.param("WWW.TikTok.COM.", "www.tiktok.com", id="case-and-dot"),
        pytest.param(".tiktok.com", "tiktok.com", id="as-shown"),
        pytest.param("tiktok。com", "tiktok.com", id="another-dot"),
    ],
)
def test_a_question_is_read_as_people_paste_it(text: str, meant: str) -> None:
    found = parse_question(text)
    assert (found.name if isinstance(found, DomainName) else str(found)) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "neither", id="nothing"),
        pytest.param("   ", "neither", id="blank"),
        pytest.param("https://www.tiktok.com/@x", "URL", id="url"),
        pytest.param("103.136.220.1/23", "ask for 103.136.220.0/23 or for", id="inside-a-network"),
        pytest.param("010.1.2.3", "neither", id="zero-padded"),
        pytest.param("1.2.3", "neither", id="three-octets"),
        pytest.param("1.2.3.4:443", "neither", id="port"),
        pytest.param("[2001:db8::1]", "neither", id="brackets"),
        pytest.param("fe80::1%eth0", "zone", id="zone"),
        pytest.param("::ffff:1.2.3.4", "ask for 1.2.3.4", id="mapped"),
        pytest.param("*.tiktok.com", "ask for one", id="wildcard"),
        pytest.param("a..b", "neither", id="empty-label"),
        pytest.param("localhost", "neither", id="one-label"),
        pytest.param("a b.com", "neither", id="space"),
        pytest.param("a.com\nb.com", "neither", id="two-lines"),
        pytest.param("a.com\x1b[2J", "neither", id="terminal"),
        pytest.param("a.\x00b", "neither", id="nul"),
        pytest.param("a.com#x", "neither", id="comment"),
        pytest.param("full:a.com", "neither", id="list-syntax"),
        pytest.param("[Adblock.com", "neither", id="list-header"),
        pytest.param("\udcff.com", "no name", id="not-utf-8"),
        pytest.param(f"{'a' * 64}.com", "neither", id="long-label"),
        pytest.param("a." * 200 + "com", "too long", id="long"),
        pytest.param("٣.٣.٣.٣", "neither", id="other-digits"),
    ],
)
def test_what_is_no_question_is_refused_in_one_printable_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as told:
        parse_question(text)
    assert str(told.value).isprintable()
    assert str(told.value).isascii()


@given(st.text(max_size=320) | st.from_regex(r"[0-9a-f:./%]{1,45}") | st.from_regex(r"[a-z0-9.*\[-]{1,70}"))
def test_whatever_is_asked_is_answered_or_refused(text: str) -> None:
    found, refusal = answer_to(text)
    if found is None:
        assert refusal.isprintable()
        assert "unpack" not in refusal, "a refusal of ours, not of Python"
    else:
        assert ask(found.text) == found, "what is shown can be asked"


def answer_to(text: str) -> tuple[Explanation | None, str]:
    try:
        return ask(text), ""
    except ValueError as exc:
        return None, str(exc)


def test_a_decision_is_plain_data() -> None:
    found = ask("10.1.2.3").decisions[0]
    assert found == Decision(rule="never-block", entry="10.0.0.0/8", reason=found.reason, basis=Basis.RULES)
    assert ip_network(found.entry)
