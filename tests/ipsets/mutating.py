"""Files that are nearly right: a word, a character or a line of a good one is another, gone, or there twice."""

from __future__ import annotations

import re
from typing import Final

from hypothesis import strategies as st

_PARTS: Final = re.compile(rb"[\w./+-]+|[^\S\n]+|.", re.DOTALL)
YAML: Final = (
    *(b"2024-13-45", b"2024-02-03", b"1:60", b"0x_", b"0b", b"9" * 4400, b"-1", b"1e999", b".nan", b"true", b"~", b"7"),
    *(
        b"!!int ''",
        b"!!bool x",
        b"!!timestamp x",
        b"!!float ''",
        b"!!binary x",
        b"!!set {a}",
        b"!!python/name:os.system",
    ),
    *(b"&a", b"*a", b"<<", b"<<: {a: 1}", b"[", b"]", b"{", b"}", b"{}", b"[]", b":", b": ", b"? ", b"- ", b"#", b"|"),
    *(b">", b"%", b"---", b"''", b"\t", b"\n", b"\n  ", b'"\\ud800"', b'"\\0"', b"\x07", b"default", b"name", b"{}: 1"),
    *(b"0.0.0.0/0", b"10.0.0.0/8", b"5.5.5.1/24", b"tiktok.com", b"*.example.com", b"1.2.3.4", b"x" * 300, b"AS0"),
    *(b"last_seen+9999w", b"first_seen", b"{event: first_seen, grace: 9e14}", b"kind: list", b"kind: none", b"64496"),
    *("\x85".encode(), "\u2028".encode(), "\ufeff".encode(), "\U0001f600".encode(), b"\xff", b"\xed\xa0\x80", b"\0"),
    *(b"[" * 500, b"{a: " * 400),
)


def mutated(good: bytes, words: tuple[bytes, ...] = YAML) -> st.SearchStrategy[bytes]:
    """``good`` with one to three of its words replaced, put before, cut out, doubled, or everything after them gone."""
    parts = _PARTS.findall(good)
    assert b"".join(parts) == good
    change = st.tuples(
        st.integers(0, len(parts) - 1), st.integers(0, 6), st.sampled_from(words) | st.sampled_from(sorted({*parts}))
    )
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _changed(parts, changes))


def _changed(parts: list[bytes], changes: list[tuple[int, int, bytes]]) -> bytes:
    found = list(parts)
    for at, how, word in changes:
        at = min(at, len(found) - 1)
        if at < 0:
            break
        match how:
            case 0:
                found[at : at + 1] = []
            case 1:
                found[at:at] = [word]
            case 2:
                found[at:at] = [found[at]]
            case 3:
                found[at + 1 :] = [word]
            case _:
                found[at] = word
    return b"".join(found)
