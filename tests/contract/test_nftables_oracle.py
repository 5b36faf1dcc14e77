"""What the oracle of a Linux gateway says, beside what its kernel really does with the same connection.

The rules are loaded, and four connections are made for real: whatever the oracle says aloud has to be what happens,
and where it cannot know it has to say so.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

import pytest

from lab.topology import Lab
from lab.world import Kind, host
from tests.contract.conftest import LOGINS
from tests.contract.rig import NftablesRig, push
from tests.contract.wishes import wish
from vendors.errors import Unreadable
from vendors.linux_nftables import oracle
from vendors.oracle import Answer, Answered, Oracle, Question, Way, oracle_of

pytestmark = pytest.mark.root

LISTED, OTHER = host(Kind.TIKTOK), host(Kind.ORDINARY)
WAY: Final = Way(inside="lan-company", outside="wan0")
BLOCKED: Final = frozenset({Answered.OURS, Answered.OTHER, Answered.BLOCKED})


@pytest.fixture(scope="module")
def rig(lab: Lab) -> Iterator[NftablesRig]:
    made = NftablesRig(lab.sites[LOGINS["root"]])
    made.wipe()
    yield made
    made.wipe()


@pytest.fixture
def guest_rules(rig: NftablesRig) -> Iterator[None]:
    """Tables of the test's own, beside ours and the owner's."""
    yield
    for table in rig.gateway.namespace.run("nft", "list", "tables").stdout.splitlines():
        if table.split()[2].startswith("t_"):
            rig.gateway.nft(f"delete {table}\n")


def asked(rig: NftablesRig, *, ways: tuple[Way, ...] = (WAY,), targets: tuple[str, ...] = ()) -> dict[str, Answer]:
    """By the words of the lab's probe: `tcp:ADDRESS:443` …"""
    client = rig.clients["company"].network
    sources = {4: ip_address(f"{client.v4}.10"), 6: ip_address(f"{client.v6}::10")}
    questions = {}
    for target in targets or (LISTED.v4, LISTED.v6):
        address = ip_address(target)
        for way in ("tcp", "udp"):
            name = f"{way}{'6' * (address.version == 6)}:{host_of(target)}:443"
            questions[name] = Question(source=sources[address.version], destination=address, protocol=way)
    answering = oracle_of(rig.adapter(oracle=[way.model_dump(mode="json") for way in ways]))
    assert isinstance(answering, Oracle)
    with rig.session() as session:
        before = rig.gateway.namespace.run("nft", "-s", "list", "ruleset").stdout
        answers = answering.ask(session, list(questions.values()))
        assert rig.gateway.namespace.run("nft", "-s", "list", "ruleset").stdout == before, "it only reads"
    return dict(zip(questions, answers, strict=True))


def host_of(address: str) -> str:
    return next(one.name for one in (LISTED, OTHER) if address in (one.v4, one.v6))


def happens(rig: NftablesRig, *targets: str) -> dict[str, bool]:
    results = rig.clients["company"].browse(*targets)
    return {target: results[target].outcome == "ok" for target in targets}


def agree(rig: NftablesRig, answers: dict[str, Answer]) -> None:
    really = happens(rig, *answers)
    for target, answer in answers.items():
        if answer.said is not Answered.UNKNOWN:
            assert (answer.said is Answered.PASSES) is really[target], (target, answer)


def test_ours_decides_before_the_owners_rules_and_by_its_name(rig: NftablesRig) -> None:
    assert {answer.said for answer in asked(rig, ways=()).values()} == {Answered.PASSES}, "nothing of ours yet"
    push(rig, wish(rig))
    try:
        answers = asked(rig, ways=())
        assert {(answer.said, answer.rule) for answer in answers.values()} == {
            (Answered.OURS, "rule deny-company in table inet tokgate")
        }
        agree(rig, answers)
        free = asked(rig, targets=(OTHER.v4, OTHER.v6))
        assert {answer.said for answer in free.values()} == {Answered.PASSES}
        agree(rig, free)
        rig.damage("the rules gone")
        answers = asked(rig)
        assert {answer.said for answer in answers.values()} == {Answered.PASSES}, "a leak"
        agree(rig, answers)
    finally:
        rig.wipe()


CASES: Final = {
    "an accept above ours ends its own chain alone": (
        ("chain c { type filter hook forward priority -20; tcp dport 443 accept; udp dport 443 accept; }"),
        {"blocked": 4},
    ),
    "a drop of another table": (
        ("chain c { type filter hook forward priority 5; meta l4proto udp drop; }"),
        {"blocked": 2},
    ),
    "a policy that drops": (
        (
            "chain c { type filter hook forward priority 5; policy drop; ct state established,related accept; "
            "iifname lan-guest accept; }"
        ),
        {"blocked": 4},
    ),
    "the interfaces that the inventory names": (
        (
            "chain c { type filter hook forward priority 5; policy drop; ct state established,related accept; "
            'iifname "lan-*" oifname { "wan0", "wan1" } accept; }'
        ),
        {"blocked": 0},
    ),
    "a mark that nobody knows": (
        ("chain c { type filter hook forward priority 5; meta mark 0x7 drop; tcp dport 443 accept; }"),
        {"unknown": 4},
    ),
    "a limit": (
        ("chain c { type filter hook forward priority 5; meta l4proto tcp limit rate 1/hour drop; }"),
        {"unknown": 2},
    ),
    "a mark after the decision": (
        (
            "chain c { type filter hook forward priority 5; ip protocol tcp accept; ip6 nexthdr tcp accept; "
            "meta mark 0x7 drop; }"
        ),
        {"unknown": 2},
    ),
    "a verdict map, a jump and a return": (
        (
            "set s { type ipv4_addr; flags interval; elements = { 103.136.220.0/24, 10.0.0.0-10.0.0.9 }; }\n"
            "chain back { return; }\nchain no { counter log reject; }\n"
            "chain c { type filter hook forward priority 5; jump back; ip daddr != @s accept; "
            "meta l4proto vmap { tcp : goto no, udp : accept }; }"
        ),
        {"blocked": 2},
    ),
    "addresses in a pair, and a range of ports": (
        (
            "set p { type ipv4_addr . inet_service; elements = { 103.136.220.10 . 443 }; }\n"
            "chain c { type filter hook forward priority 5; ip daddr . tcp dport @p reject; udp dport 400-500 reject; }"
        ),
        {"blocked": 3},
    ),
    "sent elsewhere": (
        (
            "chain c { type nat hook prerouting priority -100; ip daddr 103.136.220.10 tcp dport 443 "
            "dnat ip to 198.51.100.80; }"
        ),
        {"unknown": 1},
    ),
    "not tracked": (
        (
            "chain r { type filter hook prerouting priority -300; tcp dport 443 notrack; }\n"
            "chain c { type filter hook forward priority 5; ct state new drop; }"
        ),
        {"unknown": 2, "blocked": 2},
    ),
}


@pytest.mark.usefixtures("guest_rules")
@pytest.mark.parametrize("name", CASES)
def test_what_it_says_aloud_is_what_happens(rig: NftablesRig, name: str) -> None:
    rules, wanted = CASES[name]
    if "above ours" in name:
        push(rig, wish(rig))
    rig.gateway.nft(f"table inet t_one {{\n{rules}\n}}\n")
    try:
        answers = asked(rig)
        agree(rig, answers)
        said = [answer.said for answer in answers.values()]
        assert sum(one in BLOCKED for one in said) == wanted.get("blocked", 0), answers
        assert said.count(Answered.UNKNOWN) == wanted.get("unknown", 0), answers
        assert all(answer.words for answer in answers.values())
    finally:
        if "above ours" in name:
            rig.wipe()


@pytest.mark.usefixtures("guest_rules")
def test_a_table_that_sleeps_blocks_nothing(rig: NftablesRig) -> None:
    """nft 1.0.6 crashes when it prints one as JSON: then nothing is known, and nothing is said to be blocked."""
    chain = "chain c { type filter hook forward priority 5; policy drop; }"
    rig.gateway.nft(f"table inet t_one {{\nflags dormant;\n{chain}\n}}\n")
    assert not {answer.said for answer in asked(rig).values()} & BLOCKED
    base = {"family": "inet", "table": "t", "name": "c", "hook": "forward", "type": "filter", "prio": 5}
    question = Question(source=ip_address("10.20.0.10"), destination=ip_address(LISTED.v4))
    for flags in ("dormant", ["dormant"]):
        table = {"family": "inet", "name": "t", "flags": flags}
        text = json.dumps({"nftables": [{"table": table}, {"chain": {**base, "policy": "drop"}}]})
        ruleset = oracle.ruleset_from(f"@@legacy\n@@json\n{text}\n@@end\n")
        assert oracle.answer_from(ruleset, question, None).said is Answered.PASSES


PIECES: Final = (
    "ip daddr 103.136.220.0/24 {}",
    "ip6 daddr {{ 2404:9dc0::/32, 2605:340::/32 }} {}",
    "ip saddr 10.20.0.0/22 tcp dport 443 {}",
    "meta nfproto ipv6 meta l4proto udp {}",
    "udp dport {{ 53, 443 }} {}",
    "th dport != 443 {}",
    'iifname "lan-company" ip6 saddr 2001:db8:20::/64 {}',
    "ct state new meta l4proto tcp {}",
    "ct state established {}",
    "ip daddr != 103.136.220.10 {}",
    "meta mark 9 {}",
    "tcp sport > 1023 {}",
)


@pytest.mark.usefixtures("guest_rules")
@pytest.mark.parametrize("seed", range(5))
def test_rules_that_nobody_thought_of_are_played_as_the_kernel_plays_them(rig: NftablesRig, seed: int) -> None:
    draw = random.Random(seed)
    verdicts = ("accept", "reject", "jump x", "goto x", "return", "counter")
    tables = []
    for number in range(2):
        inner = "; ".join(draw.choice(PIECES).format(draw.choice(("accept", "reject", "return"))) for _ in range(3))
        outer = "; ".join(draw.choice(PIECES).format(draw.choice(verdicts)) for _ in range(5))
        hook = draw.choice(("forward", "forward", "prerouting", "postrouting"))
        outer = outer if hook == "forward" else outer.replace("reject", "accept")
        inner = inner if hook == "forward" else inner.replace("reject", "accept")
        tables.append(
            f"table inet t_{number} {{\nchain x {{ {inner}; }}\n"
            f"chain c {{ type filter hook {hook} priority {draw.randrange(-20, 20)}; {outer}; }}\n}}\n"
        )
    rig.gateway.nft("".join(tables))
    answers = asked(rig)
    agree(rig, answers)


def test_rules_of_iptables_own_kind_make_a_pass_unknown_and_no_block(rig: NftablesRig) -> None:
    listing = rig.gateway.namespace.run("nft", "-j", "list", "ruleset").stdout
    question = Question(source=ip_address("10.20.0.10"), destination=ip_address(LISTED.v4))
    for legacy, said in (("", Answered.PASSES), ("filter ", Answered.UNKNOWN)):
        ruleset = oracle.ruleset_from(f"@@legacy {legacy}\n@@json\n{listing}\n@@end\n")
        assert oracle.answer_from(ruleset, question, WAY).said is said


def test_i06_a_listing_that_is_not_whole_answers_nothing(rig: NftablesRig) -> None:
    whole = f"@@legacy \n@@json\n{rig.gateway.namespace.run('nft', '-j', 'list', 'ruleset').stdout}\n@@end\n"
    for cut in range(0, len(whole) - 1, 97):
        with pytest.raises(Unreadable):
            oracle.ruleset_from(whole[:cut])
    for nonsense in ("@@json\n[]\n@@end\n", '@@json\n{"nftables": [{"chain": {"hook": "forward"}}]}\n@@end\n'):
        with pytest.raises(Unreadable):
            oracle.ruleset_from(nonsense)


def test_a_rule_that_is_not_understood_is_never_passed_over() -> None:
    """Every statement and value that we do not know makes it unknown, where it could matter."""
    question = Question(source=ip_address("10.0.1.5"), destination=ip_address("203.0.113.9"))
    for expression in (
        [{"match": {"op": "==", "left": {"fib": {"result": "type"}}, "right": "local"}}, {"drop": None}],
        [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "ttl"}}, "right": 1}}, {"drop": None}],
        [
            {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "@none"}},
            {"drop": None},
        ],
        [{"xt": None}],
        [{"queue": {"num": 1}}],
        [{"something new": {}}],
        ["something newer"],
    ):
        rule = {"family": "ip", "table": "t", "chain": "c", "handle": 4, "expr": expression}
        base = {"family": "ip", "table": "t", "name": "c", "hook": "forward", "type": "filter", "prio": 0}
        text = json.dumps({"nftables": [{"chain": {**base, "policy": "accept"}}, {"rule": rule}]})
        answer = oracle.answer_from(oracle.ruleset_from(f"@@legacy\n@@json\n{text}\n@@end\n"), question, None)
        assert answer.said is Answered.UNKNOWN, expression
        assert re.match("not known: .+", answer.words)


def test_members_of_a_set_are_found_by_address_prefix_and_range() -> None:
    elements = ["10.0.0.1", {"prefix": {"addr": "10.1.0.0", "len": 16}}, {"range": ["10.2.0.5", "10.2.0.9"]}]
    elements += [{"elem": {"val": "2001:db8::1", "expires": 5}}]
    four, six = oracle._members(elements, 4), oracle._members(elements, 6)
    for text, inside in (("10.0.0.1", True), ("10.1.255.255", True), ("10.2.0.9", True), ("10.2.0.10", False)):
        assert four.holds(int(ip_address(text))) is inside
    assert six.holds(int(ip_address("2001:db8::1")))
    assert not oracle._members(["not an address"], 4).holds(1)
    assert oracle._members(["not an address"], 4).rest, "perhaps it is in it"


@pytest.mark.usefixtures("guest_rules")
def test_an_oracle_that_takes_an_accept_for_the_last_word_is_found_out(
    rig: NftablesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison with the kernel is able to fail."""
    kept = oracle._Walk.ends_of

    def hasty(walk: oracle._Walk, base: oracle.Chain) -> set[oracle.End]:
        ends = kept(walk, base)
        accepted = oracle.End() in ends and walk.table == ("inet", "t_one")
        if accepted:
            monkeypatch.setattr(oracle._Walk, "ends_of", lambda *_: {oracle.End()})
        return ends

    push(rig, wish(rig))
    rig.gateway.nft(f"table inet t_one {{\n{CASES['an accept above ours ends its own chain alone'][0]}\n}}\n")
    try:
        monkeypatch.setattr(oracle._Walk, "ends_of", hasty)
        answers = asked(rig)
        with pytest.raises(AssertionError):
            agree(rig, answers)
    finally:
        rig.wipe()
