"""`show | compare`: a section for each place that changed (notes of an SRX lab, 2019; vSRX 24.4).

Moved entries of an ordered list get `!`: those that stand before what they stood behind, in their new order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.emulators.srx.switches import Switches
from lab.emulators.srx.tree import Key, Node, Path, Style, bracketed, statement_lines, words_of


@dataclass(frozen=True, slots=True)
class _Line:
    sign: str
    text: str


def compare(old: Node, new: Node, switches: Switches) -> str:
    """Empty where nothing differs."""
    return "".join(_Comparison(switches).sections(old, new, ()))


class _Comparison:
    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._style = Style(always_quoted=switches.always_quoted)

    def sections(self, old: Node, new: Node, path: Path) -> Iterator[str]:
        lines = list(self._own(old, new))
        if lines:
            indent = " " * (4 if self._switches.compare_indent == "four" else 2 + len(path))
            yield f"[edit{' ' if path else ''}{words_of(path)}]\n"
            yield from (f"{line.sign}{indent}{line.text}\n" for line in lines)
        for key, child in new.children.items():
            before = old.children.get(key)
            if before is not None and before.part == child.part:
                yield from self.sections(before, child, (*path, child.part))

    def _own(self, old: Node, new: Node) -> Iterator[_Line]:
        """Removed ones where they stood, added ones where they stand, moved ones in their new order."""
        for name in _names(old, new):
            was = [node for node in old.children.values() if node.name == name]
            now = [node for node in new.children.values() if node.name == name]
            if (was or now)[0].part.statement.kind == "many":
                yield from self._many(old, new, name)
            else:
                yield from self._kind(was, now)

    def _many(self, old: Node, new: Node, name: str) -> Iterator[_Line]:
        texts = [
            bracketed(side, name, self._style) if any(child.name == name for child in side.children.values()) else ""
            for side in (old, new)
        ]
        if texts[0] != texts[1]:
            yield from (_Line(sign, text) for sign, text in zip("-+", texts, strict=True) if text)

    def _kind(self, was: Sequence[Node], now: Sequence[Node]) -> Iterator[_Line]:
        before, after = ({node.part.key: node for node in side} for side in (was, now))
        yield from (line for key, node in before.items() if key not in after for line in self._whole("-", node))
        moved = _moved([key for key in before if key in after], [key for key in after if key in before])
        shown = self._shown_siblings(list(after), set(before), moved)
        for key, node in after.items():
            yield from self._entry(before.get(key), node, moved=key in moved, context=key in shown)

    def _entry(self, before: Node | None, node: Node, *, moved: bool, context: bool) -> Iterator[_Line]:
        if before is None:
            yield from self._whole("+", node)
        elif before.part != node.part:
            yield from self._whole("-", before)
            yield from self._whole("+", node)
        elif before.inactive != node.inactive:
            yield _Line("!", f"{'inactive' if node.inactive else 'active'}: {self._brief(node)}")
        elif moved:
            yield _Line("!", self._brief(node))
        elif context:
            yield _Line(" ", self._brief(node))

    def _shown_siblings(self, keys: Sequence[Key], old: set[Key], moved: set[Key]) -> set[Key]:
        """Unchanged neighbours of what is new, where order matters."""
        sides = {"both": (-1, 1), "before": (-1,), "none": ()}[self._switches.neighbours]
        added = [at for at, key in enumerate(keys) if key not in old]
        near = {keys[at + side] for at in added for side in sides if 0 <= at + side < len(keys)}
        return {key for key in near if key in old and key not in moved}

    def _whole(self, sign: str, node: Node) -> Iterator[_Line]:
        return (_Line(sign, line) for line in statement_lines(node, self._style))

    def _brief(self, node: Node) -> str:
        """`name { ... }`, or the whole of a short one."""
        lines = list(statement_lines(node, self._style))
        return lines[0].removeprefix("inactive: ") if len(lines) == 1 else f"{self._style.words(node)} {{ ... }}"


def _names(old: Node, new: Node) -> list[str]:
    rank = (new.part.statement.rank or old.part.statement.rank).get
    found = dict.fromkeys([*(n.name for n in old.children.values()), *(n.name for n in new.children.values())])
    return sorted(found, key=lambda name: rank(name, 1_000))


def _moved(was: Sequence[Key], now: Sequence[Key]) -> set[Key]:
    """Walk the new order along the old one: what does not come next there has moved."""
    left, moved = deque(was), set()
    for key in now:
        if left[0] == key:
            left.popleft()
        else:
            moved.add(key)
            left.remove(key)
    return moved
