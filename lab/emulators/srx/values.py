"""What values statements take: each checker gives the value back as it is stored, or says what is wrong with it.

Texts as OpenSecFlow/netdriver saw them and as the 24.4 models of Juniper/yang have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_interface, ip_network
from typing import Final, TypeAlias

from lab.emulators.srx import answers
from lab.emulators.srx.answers import BadValue
from lab.emulators.srx.switches import Model, Switches

Check: TypeAlias = Callable[[str, Model, Switches], str]

_DNS: Final = re.compile(r"[A-Za-z0-9._-]+")
_TIME: Final = re.compile(r"([01]\d|2[0-3])(:[0-5]\d)?(:[0-5]\d)?")
_DATE: Final = re.compile(r"(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\.([01]\d|2[0-3]):[0-5]\d")


def text(value: str, _model: Model, _switches: Switches) -> str:
    return value


def _named(pattern: str, refusal: str, longest: int) -> Check:
    compiled = re.compile(pattern)

    def check(value: str, _model: Model, _switches: Switches) -> str:
        if not compiled.fullmatch(value):
            raise BadValue(refusal)
        if len(value) > longest:
            raise BadValue(f"Must be {longest} characters or less")  # own words
        return value

    return check


address_name = _named(r"[A-Za-z0-9][A-Za-z0-9:./_-]*", answers.BAD_ADDRESS_NAME, 63)
policy_name = _named(r"[A-Za-z0-9][A-Za-z0-9_-]*", answers.BAD_POLICY_NAME, 63)
server_name = _named(r"[A-Za-z0-9._-]+", "Must be a string of letters, numbers, dots, dashes and underscores", 16)
feed_name = _named(r"\S+", "Must be a name without blanks", 240)
dynamic_name = _named(r"\S+", "Must be a name without blanks", 63)
url = _named(r"\S+", "Must be an URL without blanks", 256)
path = _named(r"\S+", "Must be a path without blanks", 1024)
zone_name = _named(r"\S+", "Must be a name without blanks", 63)
description = _named(r"[^&<>\n]+", "Must not contain '&', '<', '>' or a new line", 900)


def number(low: int, high: int) -> Check:
    def check(value: str, _model: Model, _switches: Switches) -> str:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise BadValue(f"number: '{value}': Value must be a number from {low} to {high} at '{value}'")
        return str(int(value))

    return check


def one_of(*allowed: str) -> Check:
    def check(value: str, _model: Model, _switches: Switches) -> str:
        if value not in allowed:
            raise BadValue(answers.SYNTAX)
        return value

    return check


def prefix(value: str, _model: Model, switches: Switches) -> str:
    """A prefix of either family; a bare address is one of full length."""
    _check_ip(value)
    held = ip_interface(value)
    if held.network.network_address != held.ip:
        if switches.host_bits == "refused":
            raise BadValue(f"Host portion is not zero in '{value}'")  # own words
        if switches.host_bits == "cleared":
            return str(held.network)
    if held.version == 6 and switches.ipv6_kept:
        return value if "/" in value else f"{value}/128"
    return held.with_prefixlen


def ipv4(value: str, _model: Model, _switches: Switches) -> str:
    _check_ip(value)
    try:
        return str(IPv4Address(value))
    except AddressValueError:
        raise BadValue(_invalid(value)) from None


def address(value: str, _model: Model, _switches: Switches) -> str:
    _check_ip(value)
    try:
        return str(ip_address(value))
    except ValueError:
        raise BadValue(_invalid(value)) from None


def wildcard(value: str, model: Model, switches: Switches) -> str:
    return "/".join(ipv4(part, model, switches) for part in value.split("/", 1))


def looks_like_ip(value: str) -> bool:
    return bool(re.match(r"\d|[0-9A-Fa-f]*:", value))


def _check_ip(value: str) -> None:
    """The four texts that netdriver has for bad addresses."""
    host, slash, length = value.partition("/")
    top = 128 if ":" in host else 32
    if slash and not (length.isascii() and length.isdigit()):
        raise BadValue(f"missing or invalid prefix length '{length}' in address '{value}' at '{value}'")
    for octet in host.split(".") if ":" not in host else ():
        if octet.isdigit() and int(octet) > 255:
            raise BadValue(f"invalid value '{octet}' in ip address: '{value}' at '{value}'")
    try:
        IPv6Address(host) if ":" in host and "%" not in host else IPv4Address(host)
    except ValueError:
        raise BadValue(_invalid(value)) from None
    if slash and int(length) > top:
        raise BadValue(f"prefix length '{length}' is larger than {top} in address '{value}' at '{value}'")


def _invalid(value: str) -> str:
    return f"invalid ip address or hostname: {value} at '{value}'"


def network(value: str, model: Model, switches: Switches) -> str:
    """As ``prefix``, without host bits."""
    return str(ip_network(prefix(value, model, switches), strict=False))


def dns_name(value: str, model: Model, _switches: Switches) -> str:
    """A complete name: no wildcard (Juniper/yang)."""
    if not _DNS.fullmatch(value) or len(value) > model.dns_name:
        raise BadValue(answers.BAD_DNS_NAME)
    return value


def time_of_day(value: str, _model: Model, _switches: Switches) -> str:
    if not _TIME.fullmatch(value):
        raise BadValue(f"Invalid time: '{value}'")  # own words
    return value


def moment(value: str, _model: Model, _switches: Switches) -> str:
    if not _DATE.fullmatch(value):
        raise BadValue(f"Invalid date: '{value}'")  # own words
    return value
