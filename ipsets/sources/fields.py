"""The values that an inventory may give a source: names, addresses, networks, times. Bad ones say why."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Any, TypeAlias

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from core.ids import NAME
from core.net import DomainName
from ipsets.errors import SourceImplausible
from ipsets.sources.dns import Resolver
from ipsets.sources.http import allowed
from ipsets.sources.irr import AS_SET
from ipsets.sources.plain import parse_line
from ipsets.spans import Span


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise ValueError("lower-case letters, digits and inner hyphens, at most 40")
    return given


def _url(given: str) -> str:
    try:
        allowed(given)
    except (SourceImplausible, httpx.InvalidURL) as exc:
        raise ValueError("an https address (http only to this machine's loopback)") from exc
    if httpx.URL(given).userinfo:
        raise ValueError("no user name or password in an address: inventories are not secret")
    return given


def _asn(given: Any) -> Any:
    """``AS138699`` or ``138699``."""
    text = given.upper().removeprefix("AS") if isinstance(given, str) else given
    return int(text) if isinstance(text, str) and text.isdecimal() else text


def _resolver(given: Any) -> Any:
    """``9.9.9.9``, ``9.9.9.9:5353``, ``2620:fe::fe`` or ``[2620:fe::fe]:53``."""
    if isinstance(given, Resolver):
        return given
    text = str(given).strip()
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port.isdecimal() or not 1 <= int(port) <= 65535 or "%" in host:
        raise ValueError(f"{text[:60]!r} is no address with a port")
    return Resolver(str(ip_address(host)), int(port))


def _host_name(given: str) -> str:
    entries = list(parse_line(f"full:{given}"))
    name = given.lower().rstrip(".")
    # a comment, a tag or a label makes an entry too, and is no part of a name
    if len(entries) != 1 or not isinstance(entries[0], DomainName) or (name.isascii() and entries[0].name != name):
        raise ValueError(f"{given[:60]!r} is no host name")
    return name


def _server(given: str) -> str:
    """A host name or an address, without a port."""
    try:
        return str(ip_address(given))
    except ValueError:
        return given if given == "localhost" else _host_name(given)


def _as_set(given: str) -> str:
    if not AS_SET.fullmatch(given.upper()):
        raise ValueError(f"{given[:60]!r} is no AS set such as AS-BYTEDANCE; name single networks in `asns`")
    return given.upper()


SourceName: TypeAlias = Annotated[str, AfterValidator(_name)]
Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Asn: TypeAlias = Annotated[int, BeforeValidator(_asn), Field(ge=1, le=4_294_967_294)]
ResolverAddress: TypeAlias = Annotated[
    Resolver,
    BeforeValidator(_resolver),
    WithJsonSchema({"type": "string", "description": "an address, or address:port, or [IPv6]:port"}),
]
HostName: TypeAlias = Annotated[str, AfterValidator(_host_name)]
ServerName: TypeAlias = Annotated[str, AfterValidator(_server)]
AsSet: TypeAlias = Annotated[str, AfterValidator(_as_set)]
Registry: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,29}$")]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seconds: TypeAlias = Annotated[float, Field(ge=0.2, le=300)]
Shrink: TypeAlias = Annotated[float, Field(gt=0, le=1)]
MaxBytes: TypeAlias = Annotated[int, Field(ge=1024, le=256 * 1024 * 1024)]


class Closed(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Config(Closed):
    """Of one source, whatever its kind."""

    stale_after: Span | None = None
    """How old its last good answer may be before it is called stale; by ``freshness.yaml`` when left out."""
