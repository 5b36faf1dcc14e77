"""The file of services of one's own that an inventory names: read, and checked as strictly as the inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.inventory.document import Document, Problem, Spot, read_document
from controller.inventory.wording import problems_of
from ipsets.catalogue import load_catalogue
from ipsets.services import OwnService, OwnServices, entries_of, refusals, with_defaults
from ipsets.sources.catalogued import KIND as CATALOGUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """What the file says, or everything that is wrong with it."""

    services: Mapping[str, OwnService] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def parse_services(text: str, inventory: Document) -> Further:
    """The services that ``text`` defines beside the shipped ones, for this inventory."""
    document = read_document(text)
    if document.problems:
        return Further(problems=document.problems)
    if document.data is None:
        return Further(problems=(Problem(1, "", "the file is empty"),))
    try:
        file = OwnServices.model_validate(with_defaults(document.data))
    except ValidationError as exc:
        return Further(problems=tuple(problems_of(exc, document, (), services_schema())))
    said = (*refusals(file.services, load_catalogue()), *_twins(file.services, _source_names(inventory)))
    found = tuple(document.problem(spot, why) for spot, why in said)
    return Further(services={} if found else file.services, problems=found)


def _twins(services: Mapping[str, OwnService], taken: set[str]) -> Iterator[tuple[Spot, str]]:
    """Each source keeps its last good answer under its name, so no two have one."""
    for name, service in services.items():
        for number, source in enumerate(service.sources):
            if source.name in taken:
                said = f"a source is already named {source.name!r}; give this one another `name`"
                yield ("services", name, "sources", number), said
            taken.add(source.name)
    if CATALOGUE in taken and entries_of(services):
        yield ("services",), f"what stands here comes by a source named {CATALOGUE!r}; call no other one that"


def _source_names(inventory: Document) -> set[str]:
    """The names of the inventory's own sources, whatever else is wrong with it."""
    data = inventory.data if isinstance(inventory.data, dict) else {}
    intelligence = data.get("intelligence")
    sources = intelligence.get("sources") if isinstance(intelligence, dict) else None
    known = (s for s in sources if isinstance(s, dict)) if isinstance(sources, list) else ()
    return {str(s.get("name") or s.get("kind")) for s in known}


def services_schema() -> dict[str, Any]:
    """The JSON schema of the file."""
    schema = OwnServices.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tokgate services of one's own"
    return schema


def named_in(document: Document, folder: Path) -> Path | None:
    """The file that an inventory names, whatever else is wrong with the inventory."""
    data = document.data if isinstance(document.data, dict) else {}
    intelligence = data.get("intelligence")
    given = intelligence.get("catalogue") if isinstance(intelligence, dict) else None
    return folder / given if isinstance(given, str) and given and "\0" not in given else None
