"""`packet-tracer` of an ASA: what would become of a packet, phase by phase. Pure.

    packet-tracer input inside tcp 10.0.1.5 50000 203.0.113.9 443

Syntax and the blocks of the answer: ASA command reference, `packet-tracer`. A packet that is traced moves the hit
counts and writes the messages of the entries that it meets as a real one does, so nobody is asked unless the inventory
says so.
"""

from __future__ import annotations

import re
from typing import Final

from vendors.cisco_asa.shape import PREFIX
from vendors.oracle import SOURCE_PORT, Answer, Answered, Question, Way, refused, told

_ACTION: Final = re.compile(r"^Action: (allow|drop)[ \t]*$", re.MULTILINE)
_PHASE: Final = re.compile(r"^Phase: \d+[ \t]*$", re.MULTILINE)
_END: Final = re.compile(r"^Result:[ \t]*$", re.MULTILINE)
_DROPS: Final = re.compile(r"^Result: DROP[ \t]*$", re.MULTILINE)
_OF_LIST: Final = re.compile(r"^Type: ACCESS-LIST[ \t]*$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^ *(access-list \S+ (?:line \d+ )?extended (?:permit|deny) .*?)[ \t]*$", re.MULTILINE)
_IMPLICIT: Final = re.compile(r"^ *Implicit Rule[ \t]*$", re.MULTILINE)
_OURS: Final = re.compile(
    rf"access-list \S+ extended deny ip object-group {PREFIX}\S+ object-group {PREFIX}\S+(?: .*)?"
)


def question_line(question: Question, way: Way) -> str:
    ends = f"{question.source} {SOURCE_PORT} {question.destination} {question.port}"
    return f"packet-tracer input {way.inside} {question.protocol} {ends}"


def answer_from(text: str, question: Question) -> Answer:
    """What the last block says, and which entry dropped it. What is dropped for want of a route proves nothing."""
    actions = _ACTION.findall(text)
    if len(actions) != 1 or not _END.search(text):
        return refused(question, text)
    if actions[0] == "allow":
        return told(question, Answered.PASSES, _last_lines(text))
    phases = _PHASE.split(_END.split(text)[0])[1:]
    dropping = [phase for phase in phases if _DROPS.search(phase)]
    if len(dropping) != 1 or not _OF_LIST.search(dropping[0]):
        return told(question, Answered.UNKNOWN, _last_lines(text))
    return _denied(dropping[0], question, _last_lines(text))


def _denied(phase: str, question: Question, words: str) -> Answer:
    entry = _ENTRY.search(phase)
    if entry is None:
        known = _IMPLICIT.search(phase) is not None
        rule = "implicit rule" if known else ""
        return told(question, Answered.OTHER if known else Answered.UNKNOWN, words, rule=rule)
    if " deny " not in entry[1]:  # a permit that drops: the answer contradicts itself
        return told(question, Answered.UNKNOWN, words)
    ours = _OURS.fullmatch(entry[1]) is not None
    return told(question, Answered.OURS if ours else Answered.OTHER, words, rule=entry[1])


def _last_lines(text: str) -> str:
    return text[text.rindex("Action: ") :]
