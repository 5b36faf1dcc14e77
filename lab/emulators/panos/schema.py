"""Which words a configuration has: what `set` takes, what a loaded text may hold.

The editable part is what published configurations and the vendor's documents show (see each table). Everything else of
a site's own text is kept as it stands (``Container.open``) and cannot be edited here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lab.emulators.panos import values
from lab.emulators.panos.answers import Invalid
from lab.emulators.panos.switches import Model
from lab.emulators.panos.tree import Node, bare

Check: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value. ``kind``: what it must name."""

    check: Check = values.is_word
    kind: str = ""
    optional: bool = False  # a bare keyword is an empty text


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """A list: `set` adds to it."""

    check: Check = values.is_word
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Keywords. Of those in ``choice`` there is only one at a time. ``open``: a text may hold others as well."""

    kids: Mapping[str, Spec] = field(default_factory=dict)
    choice: frozenset[str] = frozenset()
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Things with names, each like ``of``."""

    of: Container
    name: Check = values.is_name


Spec: TypeAlias = Leaf | Members | Container | Entries


def _one_of(*words: str) -> Check:
    return frozenset(words).__contains__


_YES_NO: Final = Leaf(check=_one_of("yes", "no"))
_TEXT: Final = Leaf(check=values.is_text, optional=True)
_PRESENT: Final = Container()
_TAGS: Final = Members(check=values.is_name, kind="tag")

_ADDRESS: Final = Container(
    kids={
        "ip-netmask": Leaf(check=values.is_netmask),
        "ip-range": Leaf(check=values.is_range),
        "ip-wildcard": Leaf(check=values.is_wildcard),
        "fqdn": Leaf(check=values.is_fqdn),
        "description": _TEXT,
        "tag": _TAGS,
    },
    choice=frozenset({"ip-netmask", "ip-range", "ip-wildcard", "fqdn"}),
)
_GROUP: Final = Container(
    kids={
        "static": Members(check=values.is_name, kind="address"),
        "dynamic": Container(kids={"filter": Leaf(check=values.is_filter)}),
        "description": _TEXT,
        "tag": _TAGS,
    },
    choice=frozenset({"static", "dynamic"}),
)
_COLOURS: Final = tuple(f"color{number}" for number in range(1, 43))
_TAG: Final = Container(kids={"color": Leaf(check=_one_of(*_COLOURS)), "comments": _TEXT})
_HOURS: Final = Leaf(check=_one_of(*(f"{hour:02}" for hour in range(24))))
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RECURRING: Final = Container(
    kids={
        "five-minute": _PRESENT,
        "hourly": _PRESENT,
        "daily": Container(kids={"at": _HOURS}),
        "weekly": Container(kids={"day-of-week": Leaf(check=_one_of(*_DAYS)), "at": _HOURS}),
        "monthly": Container(
            kids={"day-of-month": Leaf(check=_one_of(*map(str, range(1, 32)))), "at": _HOURS},
        ),
    },
    choice=frozenset({"five-minute", "hourly", "daily", "weekly", "monthly"}),
)
_FEED: Final[dict[str, Spec]] = {
    "url": Leaf(check=values.is_url),
    "recurring": _RECURRING,
    "certificate-profile": Leaf(check=values.is_name, kind="certificate-profile"),
    "auth": Container(kids={"username": Leaf(), "password": Leaf()}),
    "description": _TEXT,
    "exception-list": Members(),
}
_PREDEFINED: Final = Container(kids={"url": Leaf(), "description": _TEXT, "exception-list": Members()})
_LIST: Final = Container(
    kids={
        "type": Container(
            kids={
                "ip": Container(kids=_FEED),
                "domain": Container(kids={**_FEED, "expand-domain": _YES_NO}),
                "url": Container(kids=_FEED),
                "predefined-ip": _PREDEFINED,
                "predefined-url": _PREDEFINED,
            },
            choice=frozenset({"ip", "domain", "url", "predefined-ip", "predefined-url"}),
        )
    }
)
_SPANS: Final = Members(check=values.is_daily)
_SCHEDULE: Final = Container(
    kids={
        "schedule-type": Container(
            kids={
                "recurring": Container(
                    kids={"daily": _SPANS, "weekly": Container(kids=dict.fromkeys(_DAYS, _SPANS))},
                    choice=frozenset({"daily", "weekly"}),
                ),
                "non-recurring": Members(check=values.is_once),
            },
            choice=frozenset({"recurring", "non-recurring"}),
        )
    }
)
_PORTS: Final = Container(
    kids={"port": Leaf(check=values.is_ports), "source-port": Leaf(check=values.is_ports)}, open=True
)
_SERVICE: Final = Container(
    kids={
        "protocol": Container(kids={"tcp": _PORTS, "udp": _PORTS}, choice=frozenset({"tcp", "udp"})),
        "description": _TEXT,
        "tag": _TAGS,
    }
)
_SERVICE_GROUP: Final = Container(kids={"members": Members(check=values.is_name, kind="service"), "tag": _TAGS})
ACTIONS: Final = ("allow", "deny", "drop", "reset-client", "reset-server", "reset-both")
NEEDED: Final = ("from", "to", "source", "destination", "application", "service", "action")
"""Without these a rule is not whole."""
_RULE: Final = Container(
    kids={
        "rule-type": Leaf(check=_one_of("universal", "intrazone", "interzone")),
        "description": _TEXT,
        "from": Members(kind="zone"),
        "to": Members(kind="zone"),
        "source": Members(kind="rule address"),
        "negate-source": _YES_NO,
        "source-user": Members(),
        "source-hip": Members(),
        "destination-hip": Members(),
        "hip-profiles": Members(),
        "destination": Members(kind="rule address"),
        "negate-destination": _YES_NO,
        "application": Members(kind="application"),
        "service": Members(kind="rule service"),
        "category": Members(kind="category"),
        "action": Leaf(check=_one_of(*ACTIONS)),
        "log-start": _YES_NO,
        "log-end": _YES_NO,
        "log-setting": Leaf(check=values.is_name, kind="log-setting"),
        "disabled": _YES_NO,
        "icmp-unreachable": _YES_NO,
        "schedule": Leaf(check=values.is_name, kind="schedule"),
        "tag": _TAGS,
        "group-tag": Leaf(check=values.is_name, kind="tag"),
        "option": Container(kids={"disable-server-response-inspection": _YES_NO}),
    },
    open=True,  # profile-setting, qos
)
_SCOPE: Final[dict[str, Spec]] = {
    "address": Entries(of=_ADDRESS),
    "address-group": Entries(of=_GROUP),
    "tag": Entries(of=_TAG, name=lambda text: 0 < len(text) <= 127),
    "external-list": Entries(of=_LIST, name=values.is_list_name),
    "schedule": Entries(of=_SCHEDULE, name=lambda text: values.is_name(text) and len(text) <= 31),
    "service": Entries(of=_SERVICE),
    "service-group": Entries(of=_SERVICE_GROUP),
}
_RULES: Final = Container(kids={"rules": Entries(of=_RULE)}, open=True)
_VSYS: Final = Container(
    kids={**_SCOPE, "rulebase": Container(kids={"security": _RULES}, open=True)},
    open=True,  # zones, interfaces, applications, NAT
)
_SHARED: Final = Container(kids=_SCOPE, open=True)
_DEVICECONFIG: Final = Container(
    kids={
        "system": Container(
            kids={"hostname": Leaf(check=lambda text: values.is_name(text) and len(text) <= 31), "timezone": Leaf()},
            open=True,
        ),
        "setting": Container(
            kids={"config": Container(kids={"rematch": _YES_NO}, open=True)},
            open=True,
        ),
    },
    open=True,
)
_HOST: Final = "localhost.localdomain"
_DEVICE: Final = Container(kids={"deviceconfig": _DEVICECONFIG, "vsys": Entries(of=_VSYS)}, open=True)
ROOT: Final = Container(kids={"shared": _SHARED, "devices": Entries(of=_DEVICE)}, open=True)
DEVICE: Final = ("devices", _HOST)
ONLY: Final = "vsys1"
"""The one virtual system of a box that has no others."""


def vsys_path(vsys: str) -> tuple[str, ...]:
    return (*DEVICE, "vsys", vsys)


def rooted(words: list[str], *, vsys: str | None) -> list[str]:
    """A line's words from the root of the tree. ``vsys``: where what names none belongs; None: nowhere.

    The line of a box with one virtual system does not name it; `shared`, `network` and the like stand where they are.
    """
    match words[0]:
        case "shared" | "mgt-config":
            return list(words)
        case "deviceconfig" | "network" | "vsys":
            return [*DEVICE, *words]
        case _ if vsys is not None:
            return [*vsys_path(vsys), *words]
    raise Invalid(0)


def shown(path: tuple[str, ...], *, multi: bool) -> tuple[str, ...]:
    """The other way round: how a path is printed."""
    if path[: len(DEVICE)] != DEVICE:
        return path
    if path[2:3] == ("vsys",) and not multi:
        return path[4:]
    return path[2:]


# --- reading a line ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that a line says: this path is there, with this value, or with these members."""

    path: tuple[str, ...]
    value: str | None = None
    members: tuple[str, ...] | None = None
    kind: str = ""
    token: int = 0


class Reader:
    """Reads the words behind `set` against the schema. ``loading``: a text of the device's own, which may hold more."""

    def __init__(self, words: list[str], *, loading: bool = False) -> None:
        self.words, self.loading = words, loading
        self.at = 0
        self.steps: list[Step] = []

    def read(self, path: tuple[str, ...], spec: Spec) -> list[Step]:
        self._into(path, spec)
        if self.at < len(self.words):
            raise Invalid(self.at)
        return self.steps

    def _into(self, path: tuple[str, ...], spec: Spec) -> None:
        match spec:
            case Leaf():
                self._leaf(path, spec)
            case Members():
                self._members(path, spec)
            case Entries():
                self._entry(path, spec)
            case Container():
                self._container(path, spec)

    def _take(self) -> str:
        if self.at >= len(self.words):
            raise Invalid(self.at)
        self.at += 1
        return self.words[self.at - 1]

    def _leaf(self, path: tuple[str, ...], spec: Leaf) -> None:
        if self.at >= len(self.words) and (spec.optional or self.loading):
            self.steps.append(Step(path=path, value=""))
            return
        word = self._take()
        value = bare(word)
        if word in ("[", "]") or not (spec.check(value) or (spec.optional and value == "")):
            raise Invalid(self.at - 1)
        self.steps.append(Step(path=path, value=value, kind=spec.kind, token=self.at - 1))

    def _members(self, path: tuple[str, ...], spec: Members) -> None:
        start = self.at
        if self.at >= len(self.words) and self.loading:
            self.steps.append(Step(path=path, members=()))
            return
        found: list[str] = []
        word = self._take()
        if word != "[":
            found.append(word)
        else:
            while (word := self._take()) != "]":
                found.append(word)
        plain = tuple(map(bare, found))
        for index, value in enumerate(plain):
            if found[index] in ("[", "]") or not spec.check(value):
                raise Invalid(start + index + (len(found) > 1))
        if not plain and not self.loading:
            raise Invalid(start)
        self.steps.append(Step(path=path, members=plain, kind=spec.kind, token=start))

    def _entry(self, path: tuple[str, ...], spec: Entries) -> None:
        if self.at >= len(self.words) and self.loading:
            self.steps.append(Step(path=path))
            return
        word = self._take()
        name = bare(word)
        if word in ("[", "]") or not spec.name(name):
            raise Invalid(self.at - 1)
        self._container((*path, name), spec.of)

    def _container(self, path: tuple[str, ...], spec: Container) -> None:
        self.steps.append(Step(path=path))
        while self.at < len(self.words):
            word = self.words[self.at]
            kid = spec.kids.get(word)
            if kid is not None:
                self.at += 1
                self._into((*path, word), kid)
            elif self.loading and spec.open:
                self._foreign(path)
            else:
                return

    def _foreign(self, path: tuple[str, ...]) -> None:
        """The site's own: every word is a level, and the last one, or the list, is the value."""
        words = self.words[self.at :]
        self.at = len(self.words)
        if words[-1] == "]":
            start = words.index("[")
            into = (*path, *map(bare, words[:start]))
            self.steps.append(Step(path=into, members=tuple(map(bare, words[start + 1 : -1]))))
        else:
            self.steps.append(Step(path=(*path, *map(bare, words)), kind="foreign"))


def spec_at(path: tuple[str, ...]) -> tuple[Spec | None, bool]:
    """What stands at a path from the root; and whether an open container was left for it."""
    here: Spec = ROOT
    for name in path:
        match here:
            case Container():
                kid = here.kids.get(name)
                if kid is None:
                    return None, here.open
                here = kid
            case Entries():
                here = here.of
            case _:
                return None, False
    return here, False


def choice_of(path: tuple[str, ...]) -> frozenset[str]:
    """The alternatives to the last word of a path, itself among them; empty where there are none."""
    parent, _ = spec_at(path[:-1])
    if isinstance(parent, Container) and path[-1] in parent.choice:
        return parent.choice
    return frozenset()


def applications(model: Model, *places: Node) -> set[str]:
    found = set(model.applications)
    for place in places:
        for kind in ("application", "application-group", "application-filter"):
            node = place.kids.get(kind)
            found |= set(node.kids) if node is not None else set()
    return found
