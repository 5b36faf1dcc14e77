"""A policy that somebody proposes, checked as strictly as one of the inventory, without being in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from controller.errors import Invalid
from controller.inventory import checks, policy_checks
from controller.inventory.document import Document, Problem, Spot, read_document
from controller.inventory.file import joined
from controller.inventory.model import Inventory, Policy, Site
from controller.inventory.wording import problems_of
from ipsets.catalogue import load_catalogue
from ipsets.services import with_own

PROPOSED: Final = "proposed"
MAX_BYTES: Final = 256 * 1024


def read_policy(path: Path, inventory: Inventory, site: Site) -> Policy:
    """A YAML file with what stands under the name of a policy in an inventory. Raises ``Invalid``."""
    return _checked(read_proposal(path), inventory, site, name=f"{path}:")


def read_proposal(path: Path) -> Document:
    """What such a file says, not checked yet. Raises ``Invalid``."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise Invalid(f"{path}: cannot be read: {getattr(exc, 'strerror', None) or 'not UTF-8'}") from exc
    if len(text) > MAX_BYTES:
        raise Invalid(f"{path}: larger than {MAX_BYTES // 1024} KiB")
    return read_document(text)


def check_policy(said: Mapping[str, Any], inventory: Inventory, site: Site) -> Policy:
    """The same of plain data. Raises ``Invalid``."""
    return _checked(Document(data=dict(said), lines={}, problems=(), is_whole=True), inventory, site, name="")


def _checked(document: Document, inventory: Inventory, site: Site, *, name: str) -> Policy:
    catalogue = with_own(load_catalogue(), inventory.own_services)
    found, policy = list(document.problems), None
    if not found:
        try:
            policy = Policy.model_validate(document.data, by_name=False, by_alias=True)
        except ValidationError as exc:
            found = problems_of(exc, document, (), Policy.model_json_schema(by_alias=True))
    inside = _placed(document, inventory, site)
    found += [*policy_checks.problems(inside), *checks.chosen(inside, catalogue)]
    if policy is not None and (missing := [role for role in site.networks if role not in policy.roles]):
        found.append(Problem(1, "roles", f"does not name the role {missing[0]!r} of site {site.name}"))
    if found or policy is None:
        lines = (f"{name}{f'{p.line}: ' if name else ''}{_spot(p)}{p.message}" for p in sorted(set(found)))
        raise Invalid("; ".join(lines), hint="what stands under the name of a policy in an inventory")
    return joined(policy, catalogue)


def _spot(problem: Problem) -> str:
    spot = problem.spot.removeprefix(f"policies.{PROPOSED}").lstrip(".")
    return f"{spot}: " if spot else ""


def _placed(document: Document, inventory: Inventory, site: Site) -> Document:
    """Where it would stand in an inventory with that site alone."""
    at: Spot = ("policies", PROPOSED)
    lines = {(*at, *spot): line for spot, line in document.lines.items()}
    calendars: dict[str, Any] = {name: {} for name in inventory.calendars}
    here = {"policy": PROPOSED, "calendars": list(inventory.calendars_of(site))}
    data: dict[str, Any] = {"policies": {PROPOSED: document.data}, "sites": {site.name: here}, "calendars": calendars}
    return replace(document, data=data, lines=lines)


__all__ = ["check_policy", "read_policy"]
