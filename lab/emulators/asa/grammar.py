"""From words to values: addresses, ports, services, members and access list entries, as an ASA takes them.

Sources: ASA 5500 configuration guide (access lists, order of the parts), ntc-templates and netdriver captures.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from core.net import WIDTH, Address
from lab.emulators.asa import answers, words
from lab.emulators.asa.answers import Invalid, Refused, Unsure
from lab.emulators.asa.config import Config, GroupKind
from lab.emulators.asa.lines import Cursor
from lab.emulators.asa.values import (
    Ace,
    AnyPlace,
    Binding,
    Fqdn,
    Icmp,
    Log,
    Match,
    Member,
    Net,
    Place,
    Ports,
    Protocol,
    Range,
    Ref,
    Remark,
    Rule,
    Service,
    Standard,
)  # fmt: skip

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_OPS = ("eq", "neq", "gt", "lt", "range")
WITH_PORTS = ("tcp", "udp", "sctp", "tcp-udp")


# --- addresses --------------------------------------------------------------------------------------------------------


def read_host(cursor: Cursor, config: Config) -> Address:
    """An address, or an alias for one."""
    found = _address(cursor.take(), config)
    if found is None:
        raise Refused(answers.HOSTNAME)
    return found


def _address(word: str, config: Config) -> Address | None:
    if "%" in word:  # a zone is nothing that an access list takes
        return None
    try:
        return ip_address(word)
    except ValueError:
        return config.address_of(word)


def read_net(cursor: Cursor, config: Config, *, masked: bool = False) -> Net:
    """``A MASK`` or ``P/LENGTH``: netmasks, never wildcards."""
    at, word = cursor.at, cursor.take()
    base, slash, length = word.partition("/")
    address = _address(base, config)
    if address is None or (bool(slash) is not isinstance(address, IPv6Address)):
        raise Invalid(at)
    if isinstance(address, IPv4Address):
        return _paired(address, _mask(cursor), config, masked=masked)
    if not (length.isascii() and length.isdigit() and int(length) <= WIDTH[6]):
        raise Invalid(at)
    return _paired(address, int(length), config, masked=masked)


def _mask(cursor: Cursor) -> int:
    at = cursor.at
    try:
        value = int(IPv4Address(cursor.take()))
    except ValueError:
        raise Invalid(at) from None
    host = value ^ 0xFFFFFFFF
    if host & (host + 1):
        raise Invalid(at)
    return 32 - host.bit_length()


def _paired(address: Address, length: int, config: Config, *, masked: bool) -> Net:
    net = Net(address=address, length=length, masked=masked and length == WIDTH[address.version])
    first, _ = net.span
    if first == int(address) or config.switches.host_bits == "kept" or config.loading:
        return net
    if config.switches.host_bits == "refused":
        raise Unsure(f"IP address,mask <{net.text().replace(' ', ',')}> doesn't pair")
    return replace(net, address=type(address)(first))


def read_place(cursor: Cursor, config: Config) -> Place:
    """What an access list entry takes as source or destination."""
    word = cursor.peek()
    if word in ("any", "any4", "any6"):
        return AnyPlace(word=cursor.take())
    if cursor.takes("host"):
        address = read_host(cursor, config)
        return Net(address=address, length=WIDTH[address.version])
    if cursor.takes("object"):
        return _object(cursor, config, "network")
    if cursor.takes("object-group"):
        return _group(cursor, config, ("network",))
    if cursor.takes("interface"):
        return Ref(kind="interface", name=_nameif(cursor, config))
    return read_net(cursor, config)


def _object(cursor: Cursor, config: Config, kind: str) -> Ref:
    name = cursor.take()
    found = config.objects.get(name)
    if not config.loading and (found is None or found.kind != kind):
        raise answers.no_such_object(name)
    return Ref(kind="object", name=name)


def _group(cursor: Cursor, config: Config, kinds: tuple[str, ...]) -> Ref:
    name = cursor.take()
    found = config.groups.get(name)
    if not config.loading and (found is None or found.kind not in kinds):
        raise answers.no_such_group(name)
    return Ref(kind="object-group", name=name)


def _nameif(cursor: Cursor, config: Config) -> str:
    at, name = cursor.at, cursor.take()
    if not config.loading and all(interface.name != name for interface in config.interfaces()):
        raise Invalid(at)
    return name


# --- services ---------------------------------------------------------------------------------------------------------


def read_ports(cursor: Cursor, protocol: str) -> Ports:
    op = cursor.choice(_OPS)
    at, first = cursor.at, _port(cursor, protocol)
    last = _port(cursor, protocol) if op == "range" else 0
    if op == "range" and last < first:
        raise Invalid(at)
    return Ports(op=op, first=first, last=last, protocol=protocol)  # type: ignore[arg-type]


def _port(cursor: Cursor, protocol: str) -> int:
    at, number = cursor.at, words.port_number(cursor.take(), protocol)
    if number is None:
        raise Invalid(at)
    return number


def read_icmp(cursor: Cursor, protocol: str) -> Icmp:
    at, word = cursor.at, cursor.take()
    numbered = word.isascii() and word.isdigit() and int(word) <= 255
    kind = int(word) if numbered else words.icmp_names(protocol).get(word)
    if kind is None:
        raise Invalid(at)
    coded = cursor.peek().isascii() and cursor.peek().isdigit()
    return Icmp(kind=kind, code=cursor.number(0, 255) if coded else None, protocol=protocol)


def read_service(cursor: Cursor) -> Service:
    """``tcp source OP PORT destination OP PORT``, ``icmp TYPE CODE``, ``ip``."""
    protocol = _protocol(cursor, also=("tcp-udp",))
    if protocol in ("icmp", "icmp6") and not cursor.done:
        return Service(protocol=protocol, icmp=read_icmp(cursor, protocol))
    ports = protocol in WITH_PORTS
    source = read_ports(cursor, protocol) if ports and cursor.takes("source") else None
    destination = read_ports(cursor, protocol) if ports and cursor.takes("destination") else None
    return Service(protocol=protocol, source=source, destination=destination)


def _protocol(cursor: Cursor, also: tuple[str, ...] = ()) -> str:
    at, word = cursor.at, cursor.take()
    name = word if word in also else words.protocol_name(word)
    if name is None:
        raise Invalid(at)
    return name


# --- objects and groups -----------------------------------------------------------------------------------------------


def read_value(word: str, cursor: Cursor, config: Config) -> Net | Range | Fqdn | Service:
    """What follows ``host``, ``subnet``, ``range``, ``fqdn`` or ``service`` inside an object."""
    match word:
        case "host":
            address = read_host(cursor, config)
            value: Net | Range | Fqdn | Service = Net(address=address, length=WIDTH[address.version])
        case "subnet":
            value = read_net(cursor, config, masked=True)
        case "range":
            value = _range(cursor, config)
        case "fqdn":
            value = _fqdn(cursor)
        case _:
            value = read_service(cursor)
    cursor.end()
    return value


def _range(cursor: Cursor, config: Config) -> Range:
    first, at = read_host(cursor, config), cursor.at
    last = read_host(cursor, config)
    if first.version != last.version or int(last) < int(first):
        raise Invalid(at)
    return Range(first=first, last=last)


def _fqdn(cursor: Cursor) -> Fqdn:
    """Exact names only: labels of letters, digits and hyphens, no wildcards."""
    family = cursor.take() if cursor.peek() in ("v4", "v6") else ""
    name = cursor.take()
    if len(name) > 255 or not all(len(part) <= 63 and _LABEL.fullmatch(part) for part in name.split(".")):
        raise Refused(answers.HOSTNAME)
    return Fqdn(name=name, family=family)  # type: ignore[arg-type]


MEMBER_WORDS: dict[GroupKind, tuple[str, ...]] = {
    "network": ("network-object", "group-object"),
    "service": ("service-object", "port-object", "group-object"),
    "protocol": ("protocol-object", "group-object"),
    "icmp-type": ("icmp-object", "group-object"),
}


def read_member(word: str, cursor: Cursor, config: Config, group: str) -> Member:
    value = _member_value(word, cursor, config, group)
    cursor.end()
    return Member(word=word, value=value)


def _member_value(
    word: str, cursor: Cursor, config: Config, group: str
) -> Net | Ref | Service | Ports | Protocol | Icmp:
    if word == "group-object":
        return Ref(kind="object-group", name=cursor.take())
    if word in ("network-object", "service-object") and cursor.takes("object"):
        return Ref(kind="object", name=cursor.take())
    if word == "network-object":
        return _network_member(cursor, config)
    at, protocol = cursor.at, config.groups[group].protocol
    if (word == "port-object") is not bool(protocol) and word in ("port-object", "service-object"):
        raise Invalid(at)  # a group of one protocol holds ports alone, one without holds services alone
    match word:
        case "service-object":
            return read_service(cursor)
        case "port-object":
            return _port_object(cursor, protocol)
        case "protocol-object":
            return Protocol(name=_protocol(cursor))
        case _:
            return read_icmp(cursor, "icmp")


def _network_member(cursor: Cursor, config: Config) -> Net:
    if cursor.takes("host"):
        address = read_host(cursor, config)
        return Net(address=address, length=WIDTH[address.version])
    return read_net(cursor, config, masked=config.switches.masked_hosts or config.loading)


def _port_object(cursor: Cursor, protocol: str) -> Ports:
    at = cursor.at
    ports = read_ports(cursor, protocol)
    if ports.op not in ("eq", "range"):
        raise Invalid(at)
    return ports


# --- access lists -----------------------------------------------------------------------------------------------------


def read_rule(cursor: Cursor, config: Config) -> Rule:
    """What follows the name and the line: a remark, an extended or a standard entry."""
    kind = cursor.choice(["extended", "remark", "standard"])
    if kind == "remark":
        return _remark(cursor, config)
    action = cursor.choice(["permit", "deny"])
    if kind == "standard":
        return _standard(action, cursor, config)
    match = _match(cursor, config)
    rule = Ace(
        action=action,  # type: ignore[arg-type]
        match=match,
        log=_log(cursor) if cursor.takes("log") else None,
        time_range=cursor.take() if cursor.takes("time-range") else "",
        inactive=cursor.takes("inactive"),
    )
    cursor.end()
    return rule


def _remark(cursor: Cursor, config: Config) -> Remark:
    text = cursor.rest()
    if len(text) > config.model.remark and not config.loading:
        raise Unsure(f"remark is longer than {config.model.remark} characters")
    return Remark(comment=text)


def _standard(action: str, cursor: Cursor, config: Config) -> Standard:
    at, place = cursor.at, read_place(cursor, config)
    cursor.end()
    if isinstance(place, Ref):
        raise Invalid(at)
    shown = AnyPlace(word="any4") if isinstance(place, AnyPlace) else place
    return Standard(action=action, place=shown)  # type: ignore[arg-type]


def _match(cursor: Cursor, config: Config) -> Match:
    """``PROTO SRC [SRCPORT] DST [DSTPORT]``, or with an ICMP type at the end."""
    service = _ace_service(cursor, config)
    names = _port_names(service, config)
    source = read_place(cursor, config)
    source_ports = _ace_ports(cursor, config, names)
    destination = read_place(cursor, config)
    destination_ports = _ace_ports(cursor, config, names)
    icmp = _ace_icmp(cursor, config, service) if isinstance(service, Protocol) else None
    return Match(
        service=service,
        source=source,
        source_ports=source_ports,
        destination=destination,
        destination_ports=destination_ports,
        icmp=icmp,
    )


def _ace_service(cursor: Cursor, config: Config) -> Protocol | Ref:
    if cursor.takes("object"):
        return _object(cursor, config, "service")
    if cursor.takes("object-group"):
        return _group(cursor, config, ("service", "protocol"))
    return Protocol(name=_protocol(cursor))


def _port_names(service: Protocol | Ref, config: Config) -> str:
    """Whose names ports go by; empty where none may stand."""
    if isinstance(service, Protocol):
        return service.name if service.name in WITH_PORTS else ""
    group = config.groups.get(service.name)
    return "tcp-udp" if group is not None and group.kind == "protocol" else ""


def _ace_ports(cursor: Cursor, config: Config, names: str) -> Ports | Ref | None:
    if not names:
        return None
    if cursor.peek() in _OPS:
        return read_ports(cursor, names)
    ahead = _group_ahead(cursor, config)
    if ahead == "service":
        cursor.take()
        return _group(cursor, config, ("service",))
    return None


def _group_ahead(cursor: Cursor, config: Config) -> str:
    """The kind of the group that the next two words name."""
    place = cursor.position
    name = cursor.take() if cursor.takes("object-group") and not cursor.done else ""
    cursor.position = place
    return config.groups[name].kind if name in config.groups else ""


def _ace_icmp(cursor: Cursor, config: Config, service: Protocol) -> Icmp | Ref | None:
    if service.name not in ("icmp", "icmp6") or cursor.done or cursor.peek() in ("log", "time-range", "inactive"):
        return None
    if cursor.takes("object-group"):
        return _group(cursor, config, ("icmp-type",))
    return read_icmp(cursor, service.name)


def _log(cursor: Cursor) -> Log:
    """``[LEVEL] [interval S]``, ``disable`` or ``default``."""
    if cursor.peek() in ("disable", "default"):
        return Log(mode=cursor.take())  # type: ignore[arg-type]
    level = 6
    if cursor.peek().isdigit():
        level = cursor.number(0, 7)
    elif cursor.peek() in words.LEVELS:
        level = words.LEVELS.index(cursor.take())
    return Log(level=level, interval=cursor.number(1, 600) if cursor.takes("interval") else 300)


def read_binding(cursor: Cursor, config: Config) -> Binding:
    """``NAME {in|out} interface NAMEIF [per-user-override|control-plane]`` or ``NAME global``."""
    acl = cursor.take()
    direction = cursor.choice(["in", "out", "global"])
    if direction == "global":
        cursor.end()
        return Binding(acl=acl, direction="global")
    cursor.choice(["interface"])
    interface = _nameif(cursor, config)
    option = "" if cursor.done else cursor.choice(["per-user-override", "control-plane"])
    cursor.end()
    return Binding(acl=acl, direction=direction, interface=interface, option=option)  # type: ignore[arg-type]
