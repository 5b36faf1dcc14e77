"""Settings of one installation, from the environment (``TOKGATE_…``). Read once, at the start of every command.

What is enforced stands in the inventory; here stands where things lie and how often they happen. Secrets never stand
here: the inventory refers to them.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from controller.address import DatabaseAddress, checked_address
from core.errors import ConfigError
from core.net import parse_network
from core.secret import SecretRef

PREFIX: Final = "TOKGATE_"
_UNSHOWN: Final = frozenset(PREFIX + name for name in ("BUNDLE_KEY", "EVIDENCE_KEY", "DATABASE", "DATABASE_PASSWORD"))
_SPAN: Final = re.compile(r"(?P<count>\d{1,9})\s*(?P<unit>s|min|m|h|d)?")
_SECONDS: Final = {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _span(value: object) -> object:
    """``90``, ``90s``, ``15m``, ``1h``, ``365d`` or ISO 8601 (``PT15M``)."""
    if not isinstance(value, str) or value.startswith("P"):
        return value
    found = _SPAN.fullmatch(value.strip())
    if found is None:
        raise ValueError("expected a span of time such as 90s, 15m, 1h or 30d")
    return timedelta(seconds=int(found["count"]) * _SECONDS[found["unit"]])


def _within(least: timedelta, most: timedelta) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(f"expected from {least} to {most}")
        return value

    return AfterValidator(check)


def _absolute(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) and str(value) else value


def _several(value: object) -> object:
    """Several words, with commas or spaces between."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _reference(value: object) -> object:
    return SecretRef.parse(value) if isinstance(value, str) else value


def _network(value: str) -> str:
    try:
        return str(parse_network(value))
    except ValueError as exc:
        raise ValueError("expected a network such as 10.1.0.0/16") from exc


Reference = Annotated[SecretRef, BeforeValidator(_reference)]
PublicKeyText = Annotated[str, StringConstraints(pattern=r"^RW[0-9A-Za-z+/]{54}$")]
NetworkText = Annotated[str, AfterValidator(_network)]
AddressText = Annotated[str, AfterValidator(checked_address)]
Place = Annotated[Path, BeforeValidator(_absolute)]
Interval = Annotated[timedelta, BeforeValidator(_span), _within(timedelta(seconds=10), timedelta(days=7))]
ProofInterval = Annotated[timedelta, BeforeValidator(_span), _within(timedelta(minutes=5), timedelta(days=7))]
Retention = Annotated[timedelta, BeforeValidator(_span), _within(timedelta(days=1), timedelta(days=3660))]


def _origin(value: str) -> str:
    """Scheme, host and port, without a path."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("expected an address such as https://tokgate.example")
    return f"{parts.scheme}://{parts.netloc}".lower()


Origin = Annotated[str, AfterValidator(_origin)]


class Settings(BaseSettings):
    """Every setting has a default that works on one machine; the variable is ``TOKGATE_`` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    inventory: Place = Path("inventory.yaml")
    """What should be enforced where."""
    data_dir: Place = Path("data")
    """The store, its locks and the transcripts; a local disk, never NFS."""
    database: AddressText | None = None
    """The store in PostgreSQL, and its locks; None: in a file in ``data_dir``."""
    database_password: Reference | None = None
    """A reference, never the password itself; None where the server or libpq know another way."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    """``auto``: readable on a terminal, JSON elsewhere."""
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8480, ge=0, le=65535)
    """0 takes a free port."""
    tls_cert: Place | None = None
    tls_key: Place | None = None
    public_url: Origin | None = None
    """Under which address browsers reach us; needed for sign-in by a provider, and behind a proxy."""
    session_idle: Interval = timedelta(hours=1)
    """A session that is not used for so long is over."""
    session_life: Interval = timedelta(hours=12)
    """A session is over after so long, however it is used."""
    resolve_interval: Interval = timedelta(hours=1)
    sync_interval: Interval = timedelta(minutes=15)
    counters_interval: Interval = timedelta(minutes=5)
    proof_interval: ProofInterval = timedelta(hours=6)
    """How often each firewall is asked which of its rules decide; it is also asked after a change."""
    proof_after_sync: ProofInterval = timedelta(hours=1)
    """A sync that changed nothing has the firewall asked when it was not for so long; at once while it leaks."""
    proof_life: Interval = timedelta(hours=26)
    """A proof that is older proves nothing any more."""
    housekeeping_interval: Interval = timedelta(hours=1)
    workers: int = Field(default=16, ge=1, le=256)
    """Devices worked on at the same time."""
    max_sessions: int = Field(default=32, ge=1, le=1024)
    """Logins open at the same time."""
    retention: Retention = timedelta(days=400)
    """How long events, observations, runs and plans are kept. The audit log and the exceptions are never dropped."""
    transcript_retention: Retention = timedelta(days=30)
    bundle_key: Reference | None = None
    """Signs what the API exports; a reference, never the key itself."""
    bundle_trust: Annotated[tuple[PublicKeyText, ...], NoDecode, BeforeValidator(_several)] = ()
    """Whose bundles are imported, when the command or the call does not say."""
    evidence_key: Reference | None = None
    """Signs evidence packs; a reference, never the key itself."""
    blocked_page_networks: Annotated[tuple[NetworkText, ...], NoDecode, BeforeValidator(_several)] = ()
    """From where anybody may ask at `/blocked`, without signing in, why they are blocked."""
    webhook_networks: Annotated[tuple[NetworkText, ...], NoDecode, BeforeValidator(_several)] = ()
    """Networks inside that webhooks may be sent to, also by plain http."""
    webhook_ca: Place | None = None
    """Authorities, PEM, that sign for receivers of webhooks, beside the system's."""
    trusted_proxies: Annotated[tuple[NetworkText, ...], NoDecode, BeforeValidator(_several)] = ()
    """Proxies in front of us: only what they say in ``X-Forwarded-For`` is believed."""

    @property
    def address(self) -> DatabaseAddress | None:
        """Of the store; None: it is a file in ``data_dir``."""
        return None if self.database is None else DatabaseAddress(self.database, self.database_password)


def load_settings(**given: Any) -> Settings:
    """The settings of this process; ``given`` (a command's options) wins over the environment.

    Raises ``ConfigError`` naming every bad variable.
    """
    try:
        settings = Settings(**given)
    except ValidationError as exc:
        raise _bad(exc) from exc
    if (settings.tls_cert is None) is not (settings.tls_key is None):
        raise ConfigError(f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY go together", hint="set both or neither")
    if settings.database_password is not None and settings.database is None:
        raise ConfigError(f"{PREFIX}DATABASE_PASSWORD is for {PREFIX}DATABASE", hint="set that too, or neither")
    return settings


def _bad(exc: ValidationError) -> ConfigError:
    lines = [_line(error) for error in exc.errors(include_url=False)]
    return ConfigError("; ".join(lines), hint="see docs/settings.md")


def _line(error: ErrorDetails) -> str:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else PREFIX + "*"
    given = error["input"]
    said = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if name in _UNSHOWN:
        return f"{name}: {said}"  # what was given may be the secret itself, by mistake
    shown = given if isinstance(given, str) else json.dumps(given, default=str)
    return f"{name}: {said}, not {shown[:80]!r}"
