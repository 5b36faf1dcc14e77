"""What `set`, `delete`, `move` and `rename` do to a candidate. Whatever is refused changes nothing.

`set` merges; a member goes by `delete … MEMBER` (batfish, delete-and-move-lines).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from lab.emulators.panos import answers, schema
from lab.emulators.panos.answers import Invalid, Missing, Refused
from lab.emulators.panos.schema import Container, Entries, Leaf, Members, Reader, Step
from lab.emulators.panos.space import RULES, Space, arrow, new_uuid
from lab.emulators.panos.tree import Node, bare

Path = tuple[str, ...]
_NAMED: Final = frozenset({"address", "address-group", "tag", "external-list", "schedule", "service", "service-group"})
_serial = itertools.count(1)


def unit_of(path: Path) -> Path:
    """The thing that a change belongs to: an object, a rule, or a section of the device's own settings."""
    start = 4 if path[:3] == (*schema.DEVICE, "vsys") else 1 if path[0] == "shared" else 0
    if start and len(path) > start:
        if path[start] in _NAMED:
            return path[: start + 2]
        if path[start : start + 3] == RULES:
            return path[: start + 4]
        return path[: start + 2]
    return path[:4]


# --- set --------------------------------------------------------------------------------------------------------------


def put(space: Space, words: list[str]) -> list[Path]:
    """What `set` says, from the root. Returns the units that changed."""
    steps = Reader(words).read((), schema.ROOT)
    _complete(steps, len(words))
    _known_vsys(space, steps)
    for step in steps:
        _refuse_dangling(space, step)
        _refuse_taken(space, step)
        _refuse_other_type(space, step)
        _refuse_any_and_more(space, step)
    changed = [unit_of(step.path) for step in steps if apply(space.root, step) and len(step.path) > 1]
    return list(dict.fromkeys(changed))


def _complete(steps: list[Step], length: int) -> None:
    """A line must end at a value, at a name, or at a keyword that means something alone."""
    last = steps[-1]
    if last.value is not None or last.members is not None:
        return
    spec, _ = schema.spec_at(last.path)
    parent, _ = schema.spec_at(last.path[:-1])
    named = isinstance(parent, Entries) and last.path[-2] != "vsys"
    alone = isinstance(spec, Container) and not spec.kids and not spec.open
    if not (named or alone):
        raise Invalid(length)


def _known_vsys(space: Space, steps: list[Step]) -> None:
    path = steps[-1].path
    if path[:3] == (*schema.DEVICE, "vsys") and path[3:4] and path[3] not in space.vsys_names():
        raise Invalid(3)
    if path[0] == "devices" and path[: len(schema.DEVICE)] != schema.DEVICE:
        raise Invalid(0)


def _refuse_dangling(space: Space, step: Step) -> None:
    value = space.dangling(step)
    if value is None:
        return
    if RULES[0] in step.path and space.switches.rule_references == "commit":
        return
    raise Refused(*answers.bad_reference(relative(step.path), value))


def relative(path: Path) -> str:
    """From the object on: ``grp -> static``."""
    unit = unit_of(path)
    return " -> ".join(path[len(unit) - 1 :])


def _refuse_taken(space: Space, step: Step) -> None:
    """An address and a group of one name in one place."""
    if is_rule(step.path) and step.path[-1] in space.pushed_rules:
        raise answers.taken(step.path[-1])
    others = {"address": "address-group", "address-group": "address", "service": "service-group"}
    if not space.switches.one_name_space or len(step.path) < 2 or step.path != unit_of(step.path):
        return
    kind, name = step.path[-2:]
    beside = (*step.path[:-2], others.get(kind, ""), name)
    if kind in others and space.root.at(step.path) is None and space.root.at(beside) is not None:
        raise answers.taken(name)


def _refuse_other_type(space: Space, step: Step) -> None:
    if space.switches.other_type == "replaced" or len(step.path) < 2:
        return
    parent = space.root.at(step.path[:-1])
    if parent is not None and (schema.choice_of(step.path) - {step.path[-1]}) & set(parent.kids):
        raise Invalid(step.token)


def _refuse_any_and_more(space: Space, step: Step) -> None:
    if space.switches.any_and_more == "commit" or step.members is None:
        return
    there = space.root.at(step.path)
    together = {*(there.values or [] if there is not None else []), *step.members}
    if any_and_more(sorted(together)):
        raise Refused(f"{relative(step.path)} is invalid")


def any_and_more(members: Sequence[str]) -> bool:
    return len(members) > 1 and "any" in members


def apply(root: Node, step: Step) -> bool:
    """Make it so. Whether anything is new."""
    if step.kind == "foreign":
        return _foreign(root, step.path)
    if not step.path:
        return False
    parent = root
    for name in step.path[:-1]:
        parent = _levelled(parent.kids.setdefault(name, Node()))
    name = step.path[-1]
    for other in schema.choice_of(step.path) - {name}:
        parent.kids.pop(other, None)
    here = parent.kids.get(name)
    fresh = here is None
    if here is None:
        here = parent.kids[name] = Node(uuid=_uuid(step.path))
    if step.value is not None:
        fresh, here.values = fresh or here.values != [step.value], [step.value]
    elif step.members is not None:
        there = here.values or []
        new = [member for member in dict.fromkeys(step.members) if member not in there]
        fresh, here.values = fresh or bool(new), there + new
    return fresh


def _uuid(path: Path) -> str:
    return new_uuid(f"rule {next(_serial)}") if is_rule(path) else ""


def is_rule(path: Path) -> bool:
    return path[-4:-1] == RULES


def _foreign(root: Node, path: Path) -> bool:
    """Words of the site's own text: the last is a value, unless its level has others already."""
    here = root
    for name in path[:-2]:
        here = _levelled(here.kids.setdefault(name, Node()))
    if len(path) == 1 or path[-2] in here.kids:
        holder = here if len(path) == 1 else _levelled(here.kids[path[-2]])
        holder.kids.setdefault(path[-1], Node())
    else:
        here.kids[path[-2]] = Node(values=[path[-1]])
    return True


def _levelled(node: Node) -> Node:
    """What was taken for a value turns out to be a level."""
    if node.values is not None:
        node.kids, node.values = {value: Node() for value in node.values}, None
    return node


# --- delete -----------------------------------------------------------------------------------------------------------


def remove(space: Space, words: list[str]) -> list[Path]:
    """What `delete` names: an object, an attribute, or one member of a list."""
    path, member = _target(space, words)
    parent = space.root.at(path[:-1])
    node = space.root.at(path)
    if parent is None or node is None:
        raise Missing
    if member is not None:
        if node.values is None or member not in node.values:
            raise Missing
        node.values.remove(member)
        return [unit_of(path)]
    if path == unit_of(path) and not is_rule(path):
        places = [arrow(where) for where, _ in space.users(path)]
        if places:
            raise answers.in_use(path[-1], places)
    del parent.kids[path[-1]]
    return [unit_of(path)]


def _target(space: Space, words: list[str]) -> tuple[Path, str | None]:
    """The path that is meant, and the member of it."""
    spec: schema.Spec = schema.ROOT
    path: Path = ()
    for at, word in enumerate(words):
        match spec:
            case Container() if word in spec.kids:
                path, spec = (*path, word), spec.kids[word]
            case Container():
                raise Invalid(at)
            case Entries() if spec.name(bare(word)):
                path, spec = (*path, bare(word)), spec.of
            case Members() if at == len(words) - 1 and word not in ("[", "]"):
                return path, bare(word)
            case Leaf() if at == len(words) - 1:
                return _leaf_with_value(space, path, bare(word)), None
            case _:
                raise Invalid(at)
    _deletable(path, len(words))
    return path, None


def _leaf_with_value(space: Space, path: Path, value: str) -> Path:
    """`delete … ATTRIBUTE VALUE` names the attribute only where it has that value."""
    node = space.root.at(path)
    if node is None or node.values != [value]:
        raise Missing
    return path


def _deletable(path: Path, length: int) -> None:
    """Whole objects and what is in them, and single settings; not a kind, a rulebase or a virtual system."""
    spec, _ = schema.spec_at(path)
    inside = any(is_rule(path[:at]) or (at > 1 and path[at - 2] in _NAMED) for at in range(1, len(path) + 1))
    if not inside and not isinstance(spec, Leaf):
        raise Invalid(length)


# --- move, rename -----------------------------------------------------------------------------------------------------


def move(space: Space, words: list[str]) -> list[Path]:
    """`move … rules X top|bottom|before Y|after Y` (batfish, move-rulebase-security)."""
    path, at = _named(words)
    if not is_rule(path):
        raise Invalid(at - 1)
    where = words[at] if at < len(words) else ""
    anchored = where in ("before", "after")
    if where not in ("top", "bottom") and not anchored:
        raise Invalid(at)
    if len(words) != at + 1 + anchored:
        raise Invalid(min(len(words), at + 1 + anchored))
    rules = space.root.at(path[:-1])
    name, anchor = path[-1], bare(words[at + 1]) if anchored else ""
    if rules is None or name not in rules.kids or (anchored and anchor not in rules.kids):
        raise Missing
    if anchor == name:
        raise Invalid(at + 1)
    return [path] if place(rules, name, where, anchor) else []


def place(rules: Node, name: str, where: str, anchor: str = "") -> bool:
    """Put an entry elsewhere among its siblings. Whether that is another order."""
    before = list(rules.kids)
    order = [each for each in before if each != name]
    at = {"top": 0, "bottom": len(order)}.get(where)
    if at is None:
        at = order.index(anchor) + (where == "after")
    order.insert(at, name)
    rules.kids = {each: rules.kids[each] for each in order}
    return order != before


def _named(words: list[str]) -> tuple[Path, int]:
    """The object that a line begins with, and the first word behind its name."""
    spec: schema.Spec = schema.ROOT
    path: Path = ()
    for at, word in enumerate(words):
        if (
            len(path) > 1
            and path == unit_of(path)
            and isinstance(spec, Container)
            and (path[-2] in _NAMED or is_rule(path))
        ):
            return path, at
        match spec:
            case Container() if word in spec.kids:
                path, spec = (*path, word), spec.kids[word]
            case Entries() if spec.name(bare(word)):
                path, spec = (*path, bare(word)), spec.of
            case _:
                raise Invalid(at)
    return path, len(words)


def rename(space: Space, words: list[str]) -> list[Path]:
    """`rename … OLD to NEW`. A renamed rule loses its hit count (PAN-OS 8.1 new features, rule usage)."""
    path, at = _named(words)
    if len(words) != at + 2 or words[at : at + 1] != ["to"]:
        raise Invalid(min(len(words), at))
    spec, _ = schema.spec_at(path[:-1])
    new = bare(words[at + 1])
    if not isinstance(spec, Entries) or not spec.name(new):
        raise Invalid(at + 1)
    parent, old = space.root.at(path[:-1]), path[-1]
    if parent is None or old not in parent.kids:
        raise Missing
    if new in parent.kids:
        raise answers.taken(new)
    users = [] if is_rule(path) else list(space.users(path))
    if users and not space.switches.rename_follows:
        raise answers.in_use(old, [arrow(where) for where, _ in users])
    for _, node in users:
        node.values = [new if value == old else value for value in node.values or []]
    parent.kids = {new if name == old else name: kid for name, kid in parent.kids.items()}
    target = (*path[:-1], new)
    parent.kids[new].uuid = _uuid(target)
    return list(dict.fromkeys([path, target, *(unit_of(where) for where, _ in users)]))
