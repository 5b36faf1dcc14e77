"""A pack as one page for people, made of nothing but its own JSON files. Needs nothing else and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from controller.reports.as_html import STATES
from controller.reports.making import plain


def render(
    documents: Mapping[str, Any],
    about: Mapping[str, Any],
    files: Iterable[str],
    *,
    regulation: Mapping[str, Any] | None,
) -> bytes:
    """``documents`` by the names of their files."""
    named = {name.removesuffix(".json"): said for name, said in documents.items() if name != "regulation.json"}
    page = _environment().get_template("pack.html.j2")
    states = {state.value: label for state, label in STATES.items()}
    told = page.render(**named, about=about, files=sorted(files), states=states, regulation=regulation)
    return plain(told).encode()


def render_sample(sample: Mapping[str, Any]) -> bytes:
    """The page of a sample of site-days."""
    states = {state.value: label for state, label in STATES.items()}
    return plain(_environment().get_template("sample.html.j2").render(sample=sample, states=states)).encode()


def render_reconciliation(said: Mapping[str, Any]) -> bytes:
    """The page of endpoints, firewalls and coverage; ``said`` as the API says it."""
    return plain(_environment().get_template("reconciliation.html.j2").render(said=said)).encode()


def share(seconds: Mapping[str, float], state: str) -> str:
    """Rounded down: 99.996 % never reads 100 %. Time below what is shown is still told."""
    total = sum(seconds.values())
    if not total or not seconds[state]:
        return "–"
    return f"{int(seconds[state] / total * 10_000) / 100:.2f} %"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    both = ChoiceLoader([PackageLoader("controller.packs"), PackageLoader("controller.reports")])
    found = Environment(loader=both, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters["share"] = share
    return found
