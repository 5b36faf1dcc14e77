"""The values that an inventory may give a source: names, addresses, networks, times. Bad ones say why."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any, Final, TypeAlias

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from core.ids import NAME
from core.net import DomainName, Network, parse_network
from ipsets.errors import SourceImplausible
from ipsets.sources.http import allowed
from ipsets.sources.irr import AS_SET
from ipsets.sources.plain import parse_line
from ipsets.sources.resolver import Resolver
from ipsets.spans import Span

LONGEST: Final = {4: 24, 6: 56}
"""Of a network of clients that a resolver may be told."""


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
    """An address with or without a port, ``tls://`` before it for TLS, or an ``https://`` address."""
    if isinstance(given, Resolver):
        return given
    text = str(given).strip()
    if text.startswith("https://"):
        return Resolver(_url(text), port=443, over="https")
    if text.startswith("tls://"):
        address, hash_sign, name = text.removeprefix("tls://").partition("#")
        host, port = _address(address, default="853")
        return Resolver(host, port, over="tls", name=_host_name(name) if hash_sign else "")
    return Resolver(*_address(text, default="53"))


def _address(text: str, *, default: str) -> tuple[str, int]:
    """``9.9.9.9``, ``9.9.9.9:5353``, ``2620:fe::fe`` or ``[2620:fe::fe]:53``."""
    host, port = text, default
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or default
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port.isdecimal() or not 1 <= int(port) <= 65535 or "%" in host:
        raise ValueError(f"{text[:60]!r} is no address with a port")
    return str(ip_address(host)), int(port)


def _client_subnet(given: Any) -> Any:
    """Not a single client: RFC 7871 (11.1) asks for no more than /24, or /56 of IPv6. ``0.0.0.0/0`` is nobody."""
    network = parse_network(given) if isinstance(given, str) else given
    if isinstance(network, (IPv4Network, IPv6Network)) and network.prefixlen > (longest := LONGEST[network.version]):
        raise ValueError(f"{network} tells more than needed: at most /{longest}")
    return network


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
    WithJsonSchema(
        {
            "type": "string",
            "description": "address, address:port or [IPv6]:port; the same after tls://, perhaps with #name; or https://…",
        }
    ),
]
ClientSubnet: TypeAlias = Annotated[
    Network,
    BeforeValidator(_client_subnet),
    WithJsonSchema({"type": "string", "description": "a network, or 0.0.0.0/0"}),
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
