"""`show security match-policies` of an SRX: the policy that a connection meets. Pure.

    show security match-policies from-zone trust to-zone untrust source-ip 10.0.1.5 destination-ip 203.0.113.9
      source-port 50000 destination-port 443 protocol tcp
    Policy: tokgate-deny-company, action-type: deny, State: enabled, Index: 4 …

The options are those of the Junos YANG model, the first line that of `show security policies detail`. With ``global``
the global policies are asked, which decide only where no policy of the zones does. Whether the form without it looks at
them too is on no record: they are asked when it finds none.
"""

from __future__ import annotations

import re
from typing import Final

from vendors.juniper_srx.facts import is_refusal
from vendors.juniper_srx.shape import PREFIX
from vendors.oracle import SOURCE_PORT, Answer, Answered, Question, Way, refused, told

NO_SYSTEM: Final = "not asked: how a logical system or a tenant is asked is on no record"
_POLICY: Final = re.compile(r"^Policy: (?P<name>\S+), action-type: (?P<action>[a-z-]+),(?P<rest>.*)$", re.MULTILINE)
_STATE: Final = re.compile(r"State: (\w+)")
_DEFAULT: Final = "default-policy"
_DENIES: Final = frozenset({"deny", "reject"})
_ACTIONS: Final = {"permit": False, "permit-all": False, "deny": True, "reject": True, "deny-all": True}


def question_line(question: Question, way: Way, *, shared: bool = False) -> str:
    """``shared``: of the global policies alone."""
    zones = f"from-zone {way.inside} to-zone {way.outside}"
    ends = f"source-ip {question.source} destination-ip {question.destination}"
    ports = f"source-port {SOURCE_PORT} destination-port {question.port} protocol {question.protocol}"
    return f"show security match-policies {'global ' if shared else ''}{zones} {ends} {ports}"


def answer_from(text: str, question: Question) -> Answer:
    """Nodes of a cluster answer one below the other; where they differ, nobody knows."""
    found = {(each["name"], each["action"], _state(each["rest"])) for each in _POLICY.finditer(text)}
    if is_refusal(text) or not found:
        return refused(question, text)
    words = next(_POLICY.finditer(text))[0]
    (name, action, state), *others = sorted(found)
    if others or state != "enabled" or action not in _ACTIONS:
        return told(question, Answered.UNKNOWN, words, rule=name)
    if not _ACTIONS[action]:
        return told(question, Answered.PASSES, words, rule=name)
    ours = name.startswith(PREFIX) and action in _DENIES
    return told(question, Answered.OURS if ours else Answered.OTHER, words, rule=name)


def _state(rest: str) -> str:
    found = _STATE.search(rest)
    return found[1] if found else ""


def found_none(answer: Answer) -> bool:
    """Whether no policy of the zones decides."""
    return answer.rule in ("", _DEFAULT)
