"""What firewalls say of a connection that nobody makes, read strictly: what is not understood is unknown."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Final

import pytest

from vendors.cisco_asa import oracle as asa
from vendors.fortinet_fortios import oracle as fortios
from vendors.juniper_srx import oracle as srx
from vendors.linux_nftables import LinuxNftables, LinuxNftablesOptions
from vendors.oracle import Answered, Question, Way, finding, one_way, oracle_of, refused, way_of
from vendors.paloalto_panos import oracle as panos
from vendors.registry import ADAPTERS, adapter_for

Q: Final = Question(source=ip_address("10.0.1.5"), destination=ip_address("203.0.113.9"))
OURS, OTHER, PASSES, UNKNOWN = Answered.OURS, Answered.OTHER, Answered.PASSES, Answered.UNKNOWN

# --- ASA: the blocks of https://notes.networklessons.com/asa-implicit-rule, with an entry of ours in the middle -------

_ASA: Final = """\

Phase: 1
Type: ROUTE-LOOKUP
Subtype: input
Result: ALLOW
Config:
Additional Information:
in   0.0.0.0         0.0.0.0         outside

Phase: 2
Type: {kind}
Subtype: log
Result: {result}
Config:
{config}
Additional Information:

Result:
input-interface: inside
input-status: up
input-line-status: up
output-interface: outside
output-status: up
output-line-status: up
Action: {action}
{reason}
"""
_GROUP: Final = "access-group INSIDE_IN in interface inside\n"
_ACL: Final = "access-list INSIDE_IN extended"
_MINE: Final = f"{_ACL} deny ip object-group tokgate-src-company object-group tokgate-dst-tiktok log "
_DROP: Final = "Drop-reason: (acl-drop) Flow is denied by configured rule\n"


def traced(config: str, *, kind: str = "ACCESS-LIST", action: str = "drop", reason: str = _DROP) -> str:
    result = "ALLOW" if action == "allow" else "DROP"
    return _ASA.format(kind=kind, result=result, config=config, action=action, reason=reason)


@pytest.mark.parametrize(
    ("text", "said", "rule"),
    [
        pytest.param(traced(_GROUP + _MINE), OURS, _MINE.strip(), id="ours"),
        pytest.param(
            traced(_GROUP + _MINE.replace(" deny", " line 1 deny").replace("extended line 1", "line 1 extended")),
            OTHER,
            None,
            id="a form that we do not write",
        ),
        pytest.param(traced(f"{_GROUP}{_ACL} deny ip any any "), OTHER, f"{_ACL} deny ip any any", id="another deny"),
        pytest.param(traced("Implicit Rule"), OTHER, "implicit rule", id="the deny at the end"),
        pytest.param(traced(f"{_GROUP}{_ACL} permit ip any any", action="allow", reason=""), PASSES, "", id="passes"),
        pytest.param(traced("", kind="NAT"), UNKNOWN, "", id="dropped by a translation"),
        pytest.param(traced("something new"), UNKNOWN, "", id="dropped by what is not told"),
        pytest.param(traced(_GROUP + _MINE.replace("deny", "permit")), UNKNOWN, "", id="a permit that drops"),
        pytest.param(traced(_GROUP + _MINE).partition("Action")[0], UNKNOWN, "", id="cut off"),
        pytest.param(" ^\nERROR: % Invalid input detected at '^' marker.\n", UNKNOWN, "", id="refused"),
        pytest.param("", UNKNOWN, "", id="nothing"),
    ],
)
def test_packet_tracer(text: str, said: Answered, rule: str | None) -> None:
    found = asa.answer_from(text, Q)
    assert found.said is said
    assert rule is None or found.rule == rule


def test_what_an_asa_is_asked() -> None:
    line = asa.question_line(Q, Way(inside="inside"))
    assert line == "packet-tracer input inside tcp 10.0.1.5 50000 203.0.113.9 443"


# --- PAN-OS: the two rules of ntc-templates, and the older form -------------------------------------------------------

_BLOCK: Final = """\
"{name}; index: 1" {{
        from inside;
        source [ 10.0.1.0/24 10.0.2.0/24 ];
        source-region none;
        to outside;
        destination any;
        destination-region none;
        user any;
        source-device any;
        destinataion-device any;
        category any;
        application/service [0:any/tcp/any/443 1:any/udp/any/443 ];
        action {action};
        icmp-unreachable: no
        terminal {terminal};
}}
"""


def shown(name: str, action: str) -> str:
    return _BLOCK.format(name=name, action=action, terminal="yes" if action == "allow" else "no")


@pytest.mark.parametrize(
    ("text", "said", "rule"),
    [
        pytest.param(shown("tokgate-deny-company", "deny"), OURS, "tokgate-deny-company", id="ours"),
        pytest.param(shown("tokgate-deny-company", "reset-both"), OURS, "tokgate-deny-company", id="ours, by a reset"),
        pytest.param(shown("tokgate-mine", "allow"), PASSES, "tokgate-mine", id="a rule of our name that lets pass"),
        pytest.param(shown("web out", "allow") + "\n" + shown("tokgate-x", "deny"), PASSES, "web out", id="two: first"),
        pytest.param(shown("block all", "drop"), OTHER, "block all", id="another"),
        pytest.param(shown("web", "deny").replace('"web; index: 1"', "web"), OTHER, "web", id="the older form"),
        pytest.param(shown("web", "maybe"), UNKNOWN, "web", id="an action that we do not know"),
        pytest.param(shown("tokgate-x", "deny").replace("        action deny;\n", ""), UNKNOWN, "tokgate-x", id="none"),
        pytest.param(shown("tokgate-x", "deny")[:-2], UNKNOWN, "", id="cut off"),
        pytest.param("Server error : vsys1\n", UNKNOWN, "", id="refused"),
        pytest.param("", UNKNOWN, "", id="nothing"),
    ],
)
def test_security_policy_match(text: str, said: Answered, rule: str) -> None:
    found = panos.answer_from(text, Q)
    assert (found.said, found.rule) == (said, rule)


def test_what_a_pan_os_is_asked() -> None:
    line = panos.question_line(
        Question(source=Q.source, destination=Q.destination, protocol="udp"), Way(inside="my lan", outside="out")
    )
    assert line == (
        'test security-policy-match from "my lan" to out source 10.0.1.5 destination 203.0.113.9 '
        "protocol 17 destination-port 443"
    )


# --- FortiOS: community articles 192912 and 195435 --------------------------------------------------------------------

_MET: Final = "<src [10.0.1.5-50000] dst [203.0.113.9-443] proto {proto} dev port2> matches policy id: {id}\n"


def met_by(number: int, proto: str = "tcp") -> str:
    return _MET.format(proto=proto, id=number)


def policy(number: int, *lines: str) -> str:
    inside = "".join(f"        set {line}\n" for line in lines)
    return f"config firewall policy\n    edit {number}\n{inside}    next\nend\n"


_DENY: Final = ('name "tokgate-deny-company"', 'comments "tokgate 01kb rule deny-company"', "schedule always")


@pytest.mark.parametrize(
    ("met", "policies", "said", "rule"),
    [
        pytest.param(met_by(900001), policy(900001, *_DENY), OURS, "policy 900001 tokgate-deny-company", id="ours"),
        pytest.param(met_by(900001, "6"), policy(900001, *_DENY), OURS, None, id="the protocol by number"),
        pytest.param(met_by(2), policy(2, "action accept"), PASSES, "policy 2", id="passes"),
        pytest.param(met_by(3), policy(3, 'name "no"'), OTHER, "policy 3 no", id="another"),
        pytest.param(met_by(900001), policy(900001, *_DENY, "action accept"), PASSES, None, id="ours, turned"),
        pytest.param(met_by(900001), policy(900001, *_DENY, "status disable"), UNKNOWN, None, id="off"),
        pytest.param(met_by(2), "Command fail. Return code -61\n", UNKNOWN, "policy 2", id="untold"),
        pytest.param(met_by(0), "", UNKNOWN, "policy 0", id="implicit, or no route"),
        pytest.param(met_by(2).replace("113.9", "113.8"), policy(2), UNKNOWN, "", id="not asked"),
        pytest.param("Unknown action 0\n", "", UNKNOWN, "", id="refused"),
    ],
)  # fmt: skip
def test_iprope_lookup(met: str, policies: str, said: Answered, rule: str | None) -> None:
    number = fortios.met(met, Q)
    known = {} if not number else {number: fortios.policy_from(policies, number)}
    found = fortios.answer_from(met, Q, known)
    assert found.said is said
    assert rule is None or found.rule == rule


# --- SRX: the first line of `show security policies detail` of a vSRX 24.4 --------------------------------------------

_SRX: Final = (
    "Policy: {name}, action-type: {action}, services-offload:not-configured , State: {state}, Index: 4, "
    "Scope Policy: 0\n"
    "  Policy Type: Configured\n  Sequence number: 1\n"
)


def matched(name: str, action: str = "deny", state: str = "enabled") -> str:
    return _SRX.format(name=name, action=action, state=state)


@pytest.mark.parametrize(
    ("text", "said", "rule"),
    [
        pytest.param(matched("tokgate-deny-company"), OURS, "tokgate-deny-company", id="ours"),
        pytest.param(matched("tokgate-deny-company", "permit"), PASSES, "tokgate-deny-company", id="ours, turned"),
        pytest.param(matched("web", "reject"), OTHER, "web", id="another"),
        pytest.param("Policy: p1, action-type: permit, State: enabled, Index: 4\n", PASSES, "p1", id="the older form"),
        pytest.param(matched("tokgate-x", state="inactive"), UNKNOWN, "tokgate-x", id="not in force"),
        pytest.param(matched("tokgate-x", "count"), UNKNOWN, "tokgate-x", id="an action that we do not know"),
        pytest.param(matched("tokgate-x") + matched("web", "permit"), UNKNOWN, "tokgate-x", id="two nodes differ"),
        pytest.param(matched("tokgate-x") * 2, OURS, "tokgate-x", id="two nodes agree"),
        pytest.param("error: syntax error\n", UNKNOWN, "", id="refused"),
    ],
)
def test_match_policies(text: str, said: Answered, rule: str) -> None:
    found = srx.answer_from(text, Q)
    assert (found.said, found.rule) == (said, rule)


# --- the border -------------------------------------------------------------------------------------------------------


def test_which_way_a_source_comes_in() -> None:
    guests, rest = Way(inside="guest", sources=(ip_network("10.9.0.0/16"),)), Way(inside="lan")
    assert way_of((rest, guests), ip_address("10.9.1.1")) is guests
    assert way_of((guests, rest), ip_address("10.0.1.5")) is rest
    assert way_of((guests,), ip_address("10.0.1.5")) is None, "a way that names others is not theirs"


def test_what_other_options_say_already() -> None:
    assert one_way(("lan",), ("wan",)) == (Way(inside="lan", outside="wan"),)
    assert one_way(("any",), ("wan",)) == ()
    assert one_way(("lan", "dmz")) == ()


def test_every_vendor_has_an_oracle_and_one_that_forwards_nothing_is_not_asked() -> None:
    assert all(oracle_of(_adapter(vendor)) is not None for vendor in ADAPTERS)
    end = oracle_of(LinuxNftables(LinuxNftablesOptions(forward=False, output=True), "gw"))  # type: ignore[arg-type]
    assert end is not None
    assert not end.asks


def _adapter(vendor: str) -> object:
    options = {"lists": [{"acl": "INSIDE_IN"}]} if vendor == "cisco_asa" else {}
    return adapter_for(vendor, options, "gw")  # type: ignore[arg-type]


def test_the_doctor_says_whether_it_may_be_asked() -> None:
    ways = (Way(inside="lan"),)
    assert finding(ways, [asa.answer_from(traced("Implicit Rule"), Q)]).ok
    bad = finding(ways, [refused(Q, "Command authorization failed\n")])
    assert (bad.ok, bad.message) == (False, "the question is not answered: Command authorization failed")
