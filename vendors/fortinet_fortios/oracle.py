"""`diagnose firewall iprope lookup` of a FortiGate: the id of the policy that a connection meets. Pure.

    diagnose firewall iprope lookup 10.0.1.5 50000 203.0.113.9 443 tcp port2
    <src [10.0.1.5-50000] dst [203.0.113.9-443] proto tcp dev port2> matches policy id: 900001

Source: community articles 192912 and 195435. Policy 0 is the implicit deny, and also the answer where there is no route
or no such interface: it proves nothing. What a policy does is asked by its id, for the lookup does not tell. No source
shows the command for IPv6, so such a connection is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vendors.errors import Unreadable
from vendors.fortinet_fortios import names
from vendors.fortinet_fortios.syntax import table_of
from vendors.oracle import SOURCE_PORT, Answer, Answered, Question, Way, refused, told

POLICY: Final = "firewall policy"
NO_IPV6: Final = "not asked: no command for IPv6 is on record"
_FOUND: Final = re.compile(
    r"<src \[(?P<source>[0-9.]+)-(?P<sport>\d+)\] dst \[(?P<destination>[0-9.]+)-(?P<port>\d+)\] "
    r"proto \S+ dev (?P<dev>.+)> matches policy id: (?P<id>\d+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a policy once its id is known."""

    name: str
    denies: bool
    ours: bool


def question_line(question: Question, way: Way) -> str:
    ends = f"{question.source} {SOURCE_PORT} {question.destination} {question.port}"
    return f"diagnose firewall iprope lookup {ends} {question.protocol} {way.inside}"


def policy_line(number: int) -> str:
    return f"show {POLICY} {number}"


def met(text: str, question: Question) -> int | None:
    """The id of the policy; None when the answer is not of this question, or none at all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = _FOUND.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None:
        return None
    asked = (str(question.source), SOURCE_PORT, str(question.destination), question.port)
    said = (found["source"], int(found["sport"]), found["destination"], int(found["port"]))
    return int(found["id"]) if said == asked else None


def policy_from(text: str, number: int) -> Policy | None:
    """What a policy is, from `show firewall policy ID`; None when that is not what was said."""
    try:
        entries = table_of(text, POLICY).entries
    except Unreadable:
        return None
    found = [entry for entry in entries if entry.name == str(number)]
    if len(entries) != 1 or not found or _value(found[0].attrs, "status") == "disable":
        return None
    attrs = found[0].attrs
    name, comment, action = (_value(attrs, key) for key in ("name", "comments", "action"))
    denies = action in ("", "deny")  # a default is not shown
    return Policy(name=name, denies=denies, ours=denies and names.rule_from(name, comment) is not None)


def _value(attrs: Mapping[str, object], key: str) -> str:
    words = attrs.get(key, ())
    return " ".join(words) if isinstance(words, tuple | list) else str(words)


def answer_from(text: str, question: Question, policies: Mapping[int, Policy | None]) -> Answer:
    number = met(text, question)
    if number is None:
        return refused(question, text)
    if number == 0:
        return told(question, Answered.UNKNOWN, f"{text} (the implicit deny, or no route)", rule="policy 0")
    policy = policies.get(number)
    if policy is None:
        return told(question, Answered.UNKNOWN, text, rule=f"policy {number}")
    rule = f"policy {number} {policy.name}".strip()
    if not policy.denies:
        return told(question, Answered.PASSES, text, rule=rule)
    return told(question, Answered.OURS if policy.ours else Answered.OTHER, text, rule=rule)
