"""`test security-policy-match` of a PAN-OS firewall: the rules that a session meets, the deciding one first. Pure.

    test security-policy-match from trust to untrust source 10.0.1.5 destination 203.0.113.9 protocol 6
      destination-port 443
    "tokgate-deny-company; index: 1" {
            from trust;
            …
            action deny;
            icmp-unreachable: no
            terminal no;
    }

The form is that of `show running security-policy` (ntc-templates). No application is named: our rules deny every one,
and what the firewall answers for a rule above them that allows a single application alone is on no record.
"""

from __future__ import annotations

import re
from typing import Final

from vendors.oracle import Answer, Answered, Question, Way, refused, told
from vendors.paloalto_panos.shape import PREFIX

_NUMBERS: Final = {"tcp": 6, "udp": 17}
_BLOCK: Final = re.compile(
    r'^(?:"(?P<quoted>[^"\n]+)"|(?P<plain>[^\s"{}][^"{}\n]*?)) \{\n(?P<inside>(?: .*\n)*)\}', re.MULTILINE
)
_INDEX: Final = re.compile(r"; index: \d+\Z")
_FIELD: Final = re.compile(r"^ +(?P<key>[a-z/()-]+):? +(?P<value>.+?);?[ \t]*$", re.MULTILINE)
_NEEDED: Final = frozenset({"from", "to", "source", "destination", "action", "terminal"})
_DENIES: Final = frozenset({"deny", "drop", "reset-client", "reset-server", "reset-both"})


def question_line(question: Question, way: Way) -> str:
    zones = f"from {_word(way.inside)} to {_word(way.outside or '')}"
    ends = f"source {question.source} destination {question.destination}"
    what = f"protocol {_NUMBERS[question.protocol]} destination-port {question.port}"
    return f"test security-policy-match {zones} {ends} {what}"


def _word(name: str) -> str:
    return f'"{name}"' if " " in name else name


def answer_from(text: str, question: Question) -> Answer:
    """By the first rule that is told. A session that meets none is told of in no form that is on record."""
    found = _BLOCK.match(text.replace("\r", "").lstrip())
    if found is None:
        return refused(question, text)
    fields = {each["key"]: each["value"] for each in _FIELD.finditer(found["inside"])}
    name = _INDEX.sub("", found["quoted"] or found["plain"])
    if not set(fields) >= _NEEDED:
        return told(question, Answered.UNKNOWN, text, rule=name)
    words = f"{name}: action {fields['action']}"
    match fields["action"]:
        case "allow":
            return told(question, Answered.PASSES, words, rule=name)
        case action if action in _DENIES:
            ours = name.startswith(PREFIX)
            return told(question, Answered.OURS if ours else Answered.OTHER, words, rule=name)
    return told(question, Answered.UNKNOWN, words, rule=name)
