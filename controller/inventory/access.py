"""Who signs in by a provider (OpenID Connect), and what they are here: the part ``access`` of an inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from controller.access_roles import AccessRole
from controller.inventory.fields import Name
from controller.inventory.parts import Part
from core.net import is_loopback
from vendors.reference import Reference

Word = Annotated[str, Field(min_length=1, max_length=200)]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key of the provider's alone: neither none at all nor one by the secret that we share with it."""
DEFAULT_ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("the provider's issuer, as https://login.example/realms/office")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("an issuer is reached by https")
    return value


class Provider(Part):
    """The provider, and what it calls things."""

    title: Annotated[str, Field(min_length=1, max_length=60)] = "single sign-on"
    """What the button says: Sign in with …"""
    issuer: Annotated[str, Field(max_length=500), AfterValidator(_issuer)]
    client_id: Word
    client_secret: Reference | None = None
    """None for a client without a secret; PKCE is used either way."""
    client_auth: Literal["basic", "post"] = "basic"
    """How the secret is sent: in the header, or in the form."""
    scopes: tuple[Word, ...] = ("openid", "profile", "email")
    name_claim: Word = "preferred_username"
    """What people are called in records; never given to somebody else."""
    title_claim: Word = "name"
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = DEFAULT_ALGORITHMS
    clock_skew_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    timeout_seconds: Annotated[float, Field(ge=1, le=30)] = 5
    ca_file: Path | None = None
    """Who vouches for the provider's certificate, where the system's authorities do not; beside the inventory."""

    @model_validator(mode="after")
    def _asks_for_an_identity(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("`scopes` needs openid")
        return self


class AccessRule(Part):
    """What a claim of the provider makes somebody: roles, and sites to which all that they may is limited."""

    claim: Word
    """Dots lead inwards: ``realm_access.roles``."""
    value: Word
    """One of the claim's values when it is a list."""
    roles: Annotated[tuple[AccessRole, ...], Field(min_length=1)]
    sites: tuple[Name, ...] = ()
    """None said: every site."""


class Access(Part):
    """People of a provider. Roles of all rules that fit add up; where one names sites, only these are left."""

    provider: Provider | None = None
    rules: tuple[AccessRule, ...] = ()

    @model_validator(mode="after")
    def _lets_somebody_in(self) -> Self:
        if self.provider is not None and not self.rules:
            raise ValueError("`rules` says who may sign in by the provider; without one nobody can")
        return self


__all__ = ["Access", "AccessRule", "Provider"]
