"""A candidate configuration, as plainly as possible: lines in, `show` in set form out. Judges what is rendered."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

CONTAINERS = ("rulebase security rules", "address-group", "external-list", "address", "schedule", "tag")
LEAVES = ("ip-netmask", "fqdn", "description", "comments", "color", "action", "log-end", "log-start", "log-setting")
LEAVES += ("disabled", "negate-source", "negate-destination", "schedule", "rule-type")
LISTS = ("static", "tag", "from", "to", "source", "destination", "application", "service", "source-user", "category")
REFERENCES = ("static", "source", "destination", "schedule")
HOURS = "schedule-type recurring weekly "
LONGEST = 480
BUILT_IN = ("any", "color1", "application-default")


@dataclass
class Candidate:
    """Entries by container and name; attributes are lists of values. Everything unknown is an error."""

    vsys: str = ""
    held: dict[str, dict[str, dict[str, list[str]]]] = field(default_factory=lambda: {c: {} for c in CONTAINERS})

    def play(self, lines: list[str] | tuple[str, ...]) -> None:
        for line in lines:
            assert len(line) < LONGEST, f"{len(line)} characters: the terminal would break the line up"
            self._one(line)
        self._check_whole()

    def _one(self, line: str) -> None:
        verb, *words = shlex.split(line)
        if self.vsys:
            assert words[:2] == ["vsys", self.vsys], line
            words = words[2:]
        container = next(c for c in CONTAINERS if words[: len(c.split())] == c.split())
        name, *rest = words[len(container.split()) :]
        getattr(self, f"_{verb}")(container, name, rest)

    def _set(self, container: str, name: str, words: list[str]) -> None:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9 _.-]{0,62}", name), f"not a name: {name}"
        assert container != "rulebase security rules" or len(name) <= 31
        entry = self.held[container].setdefault(name, {})
        while words:
            key, *words = words
            if container == "schedule":
                key, words = " ".join([key, *words[:3]]), words[3:]
                assert key.startswith(HOURS), key
            assert key in LEAVES + LISTS or container == "schedule", f"not an attribute: {key}"
            if words[0] == "[":
                values, words = words[1 : words.index("]")], words[words.index("]") + 1 :]
                assert _is_list(key)
            else:
                values, words = words[:1], words[1:]
            self._check_references(key, values)
            if _is_list(key):
                entry[key] = [*entry.get(key, []), *(v for v in values if v not in entry.get(key, []))]
                assert "any" not in entry[key] or len(entry[key]) == 1, f"{name} {key}: any beside others"
            else:
                entry[key] = values

    def _check_references(self, key: str, values: list[str]) -> None:
        known = {"NIGHT", *BUILT_IN}
        known |= {
            name for kind in ("schedule", "address", "address-group", "external-list") for name in self.held[kind]
        }
        if key == "tag":
            known = set(self.held["tag"])
        if key in (*REFERENCES, "tag"):
            assert set(values) <= known, f"not a valid reference: {set(values) - known}"

    def _delete(self, container: str, name: str, words: list[str]) -> None:
        entry = self.held[container][name]  # what is not there cannot be deleted
        if not words:
            users = self._users(name) if container in CONTAINERS[1:5] else []
            assert not users, f"{name} cannot be deleted because of references from {users}"
            del self.held[container][name]
        elif len(words) == 1:
            del entry[words[0]]
        else:
            entry[words[0]].remove(words[1])
            if not entry[words[0]]:
                del entry[words[0]]

    def _users(self, name: str) -> list[str]:
        return [
            f"{owner} {key}"
            for named in self.held.values()
            for owner, entry in named.items()
            for key in REFERENCES
            if name in entry.get(key, ())
        ]

    def _move(self, container: str, name: str, words: list[str]) -> None:
        rules = self.held[container]
        entry = rules.pop(name)
        order = list(rules.items())
        names = [n for n, _ in order]
        place = {"top": 0, "bottom": len(order)}.get(words[0])
        if place is None:
            place = names.index(words[1]) + (words[0] == "after")
        order.insert(place, (name, entry))
        self.held[container] = dict(order)

    def _check_whole(self) -> None:
        """What a commit would refuse."""
        for name, entry in self.held["address-group"].items():
            assert 0 < len(entry.get("static", ())) <= 2500, f"{name} has {len(entry.get('static', ()))} members"
        for name, entry in self.held["rulebase security rules"].items():
            for key in ("from", "to", "source", "destination", "application", "service", "action"):
                assert entry.get(key), f"rule {name} has no {key}"

    # --- showing --------------------------------------------------------------------------------------------------

    def show(self, container: str, *, flip: bool = False) -> str:
        """Statements, one per attribute. ``flip``: attributes in the other order, and members one to a line."""
        scope = f"vsys {self.vsys} " if self.vsys else ""
        lines = []
        for name, entry in self.held[container].items():
            shown = f'"{name}"' if " " in name else name
            head = f"set {scope}{container} {shown}"
            items = list(entry.items())
            for key, values in reversed(items) if flip else items:
                if flip and _is_list(key):
                    lines += [f"{head} {key} {_word(v)}" for v in values]
                elif len(values) > 1:
                    lines.append(f"{head} {key} [ {' '.join(map(_word, values))} ]")
                else:
                    lines.append(f"{head} {key} {_word(values[0])}")
            if not items:
                lines.append(head)
        return "".join(f"{line}\n" for line in lines)


def _is_list(key: str) -> bool:
    return key in LISTS or key.startswith(HOURS)


def _word(value: str) -> str:
    return f'"{value}"' if " " in value or not value else value
