"""What a provider says of somebody, and what that makes them here. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.errors import NotAllowed
from controller.inventory.access import Access, AccessRule, Provider
from controller.people import Identity
from core.ids import PERSON_NAME, SiteName

_UNFIT: Final = re.compile(r"[^a-z0-9._@+-]")
MAX_TITLE: Final = 200


def identity_of(claims: Mapping[str, Any], access: Access, provider: Provider) -> Identity:
    """Who somebody is, by the claims that the provider vouches for; with no role when no rule fits.

    Roles of all rules that fit add up. Where one of them names sites, what they may is limited to the sites that all of
    them name together: a rule may only ever narrow what another one gives.

    Raises ``NotAllowed`` when there is no name, or none that records can hold.
    """
    fitting = [rule for rule in access.rules if _fits(rule, claims)]
    sites = frozenset(SiteName(site) for rule in fitting for site in rule.sites)
    name = _name(claims, provider)
    return Identity(
        issuer=provider.issuer,
        subject=str(claims["sub"]),
        name=name,
        title=_title(claims.get(provider.title_claim)) or name,
        roles=frozenset(role for rule in fitting for role in rule.roles),
        sites=sites or None,
    )


def _fits(rule: AccessRule, claims: Mapping[str, Any]) -> bool:
    return rule.value in _values(_claim(claims, rule.claim))


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, or the one that its dots lead to."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _values(claim: Any) -> Iterator[str]:
    """Words and lists of words count, nothing else: ``true`` is no group."""
    yield from (value for value in (claim if isinstance(claim, list) else [claim]) if isinstance(value, str))


def _name(claims: Mapping[str, Any], provider: Provider) -> str:
    said = _claim(claims, provider.name_claim)
    if not isinstance(said, str) or not said.strip():
        raise NotAllowed(
            f"the provider does not say {provider.name_claim}, by which people are called here",
            hint="ask for the scope that holds it, or set `access.provider.name_claim`",
        )
    name = _UNFIT.sub("-", said.strip().casefold())
    if not PERSON_NAME.fullmatch(name):
        raise NotAllowed(
            f"{provider.name_claim} holds no name that records can hold", hint="letters, digits and . _ @ + -"
        )
    return name


def _title(said: Any) -> str:
    text = said if isinstance(said, str) else ""
    return "".join(c for c in text if c.isprintable()).strip()[:MAX_TITLE]
