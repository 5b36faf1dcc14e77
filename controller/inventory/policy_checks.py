"""What only several keys of policies, sites and calendars together can have wrong. Works on plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from controller.inventory.document import Document, Problem, Spot
from controller.inventory.fields import did_you_mean

CHOICES: Final = ("services", "apps", "owners")
MARKED_ROLE_LENGTH: Final = 27
"""Names on devices have at most 40 characters: ``deny-``, the role, the mark of a set of services, that of a part."""


def problems(document: Document) -> Iterator[Problem]:
    """Everything below, over the whole document."""
    for check in (_window_choices, _long_roles, _named_calendars, _missing_calendars):
        yield from check(document)


def _policies(data: Any) -> Iterator[tuple[Spot, dict[str, Any]]]:
    for name, policy in _mapping(_mapping(data).get("policies")).items():
        yield ("policies", name), _mapping(policy)


def _windows(spot: Spot, policy: dict[str, Any]) -> Iterator[tuple[Spot, dict[str, Any]]]:
    for role, rules in _mapping(policy.get("roles")).items():
        for number, window in enumerate(_list(_mapping(rules).get("windows"))):
            yield (*spot, "roles", role, "windows", number), _mapping(window)


def _window_choices(document: Document) -> Iterator[Problem]:
    """A window names only what its policy chooses, in the same words."""
    for spot, policy in _policies(document.data):
        for place, window in _windows(spot, policy):
            for key in CHOICES:
                known = _words(policy.get(key))
                for name in _words(window.get(key)):
                    if name not in known:
                        said = f"the policy does not choose the {key.removesuffix('s')} {name[:40]!r}"
                        also = did_you_mean(name, known) or f"; add it to `{key}` of the policy"
                        yield document.problem((*place, key), said + also)


def _long_roles(document: Document) -> Iterator[Problem]:
    for spot, policy in _policies(document.data):
        named = {place[-3] for place, window in _windows(spot, policy) if any(window.get(key) for key in CHOICES)}
        for role in sorted(str(role) for role in named if len(str(role)) > MARKED_ROLE_LENGTH):
            said = f"the name of a role whose windows name services is at most {MARKED_ROLE_LENGTH} characters"
            yield document.problem((*spot, "roles", role), f"{said}: it is a part of names on devices")


def _named_calendars(document: Document) -> Iterator[Problem]:
    """Every calendar that a site or a policy names is there."""
    known = _mapping(_mapping(document.data).get("calendars"))
    for kind in ("policies", "sites"):
        for owner, part in _mapping(_mapping(document.data).get(kind)).items():
            for name in _words(_mapping(part).get("calendars")):
                if name not in known:
                    said = f"no calendar {name[:40]!r}{did_you_mean(name, known)}"
                    yield document.problem((kind, owner, "calendars"), said)


def _missing_calendars(document: Document) -> Iterator[Problem]:
    """Whoever asks for holidays says where they stand."""
    data = _mapping(document.data)
    policies = _mapping(data.get("policies"))
    common = _mapping(_mapping(data.get("defaults")).get("changes"))
    for name, part in _mapping(data.get("sites")).items():
        site = _mapping(part)
        policy = _mapping(policies.get(str(site.get("policy"))))
        if _words(site.get("calendars")) or _words(policy.get("calendars")):
            continue
        asked = [window for _, window in _windows((), policy)]
        for said in (common, _mapping(policy.get("changes")), _mapping(site.get("changes"))):
            asked += [_mapping(hours) for key in ("windows", "freezes") for hours in _list(said.get(key))]
        if any(hours.get("on") in ("holidays", "workdays") for hours in asked):
            why = "something that holds here is `on` holidays or workdays, and no calendar says which days those are"
            yield document.problem(("sites", name), f"{why}: give `calendars`, here or in the policy")


def _words(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(word for word in _list(given) if isinstance(word, str))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
