"""Query logs of name servers: BIND, Unbound, dnsmasq (and Pi-hole's, which is dnsmasq's), Windows. Pure.

A question and its refusal are two lines, and so two sightings. What a server asks others to find an answer is not its
clients' doing and is passed over. Source: the servers' own output of BIND 9.18, Unbound 1.17 and dnsmasq 2.90
(``tests/controller/evidence_files``); Windows from Microsoft's description of ``dns.log``, not verified here.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from controller.evidence.formats import fields
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.model import Channel, Sighting, Verdict

_SYSLOG: Final = r"(?:<\d{1,3}>)?(?P<short>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?:(?P<host>[\w.:-]{1,255}) )?"
_ISO: Final = r"(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]{0,10}(?:Z|[+-]\d\d:?\d\d)?)"


def _asked(
    reading: Reading,
    *,
    at: datetime,
    client: str,
    name: str,
    port: str | None = None,
    host: str | None = None,
    verdict: Verdict = Verdict.UNKNOWN,
    rule: str = "",
) -> Sighting:
    source = fields.address(client)
    if source is None:
        raise ValueError("no client")
    return Sighting(
        channel=Channel.DNS,
        at=at,
        sensor=reading.sensor or host or reading.writer,
        source=source,
        source_port=fields.port(port),
        port=53,
        name=fields.name(name),
        verdict=verdict,
        rule=fields.clean(rule, 200),
    )


# --- BIND -------------------------------------------------------------------------------------------------------------

_BIND: Final = re.compile(
    rf"(?:{_ISO}|(?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) (?P<clock>\d\d:\d\d:\d\d\.\d{{1,6}})"
    rf"|{_SYSLOG}named\[\d{{1,10}}\]:) "
    r"(?:(?P<category>[\w-]{1,40}): )?(?:(?P<severity>[a-z]{1,10}(?: \d{1,3})?): )?(?P<rest>.*)"
)
_BIND_CLIENT: Final = re.compile(
    r"client (?:@0x[0-9a-f]{1,20} )?(?P<client>[0-9a-fA-F.:]{2,45})#(?P<port>\d{1,5})(?:/key [^ ]{1,255})?"
    r" \((?P<about>[^ ]{1,1100})\): (?:view [^ ]{1,255}: )?(?P<what>.*)"
)
_BIND_QUERY: Final = re.compile(r"query: (?P<name>[^ ]{1,1100}) [A-Z0-9-]{1,20} [A-Z0-9-]{1,20} ")
_BIND_RPZ: Final = re.compile(
    r"(?P<disabled>disabled )?rpz (?P<trigger>[A-Z-]{1,20}) (?P<policy>[A-Za-z-]{1,20}) rewrite "
    r"(?P<name>[^ ]{1,1100})/[^/ ]{1,20}/[^/ ]{1,20} via (?P<via>[^ ]{1,1100})"
)


def read_bind(stream: Stream, reading: Reading) -> Iterator[Found]:
    """``queries`` and ``rpz`` of a log channel with ``print-time``, or of syslog."""
    return by_line(stream, reading, lambda text: _bind(text, reading))


def _bind(text: str, reading: Reading) -> Iterator[Sighting]:
    line = _BIND.fullmatch(text)
    if line is None:
        raise ValueError("no line of BIND with a time")
    client = _BIND_CLIENT.fullmatch(line["rest"])
    if client is None:
        return  # a zone was loaded, a transfer ended
    verdict, rule = Verdict.UNKNOWN, ""
    said = _BIND_QUERY.match(client["what"])
    if said is None:
        said = _BIND_RPZ.fullmatch(client["what"])
        if said is None:
            return  # what came of a question that was told of already
        passes = said["disabled"] or said["policy"].upper() == "PASSTHRU"
        verdict, rule = Verdict.UNKNOWN if passes else Verdict.BLOCKED, f"rpz {said['via']}"
    yield _asked(
        reading,
        at=_bind_time(line, reading),
        client=client["client"],
        port=client["port"],
        name=said["name"],
        host=line["host"],
        verdict=verdict,
        rule=rule,
    )


def _bind_time(line: re.Match[str], reading: Reading) -> datetime:
    if line["iso"]:
        return fields.iso(line["iso"], reading.zone)
    if line["short"]:
        return fields.without_year(line["short"], now=reading.now, zone=reading.zone)
    year, month, day = int(line["year"]), fields.month(line["month"]), int(line["day"])
    return fields.local(year, month, day, line["clock"], reading.zone)


def fits_bind(head: str) -> bool:
    return any(
        (line := _BIND.fullmatch(text)) and _BIND_CLIENT.fullmatch(line["rest"]) for text in head.splitlines()[:200]
    )


# --- Unbound ----------------------------------------------------------------------------------------------------------

_UNBOUND: Final = re.compile(
    rf"(?:\[(?P<epoch>\d{{1,12}})\] |{_SYSLOG}|{_ISO} (?:(?P<host2>[\w.:-]{{1,255}}) )?)"
    r"unbound\[\d{1,10}(?::[0-9a-f]{1,8})?\]:? "
    r"(?:\[\d{1,10}:[0-9a-f]{1,8}\] )?(?P<kind>[a-z]{1,10}): (?P<rest>.*)"
)
_UNBOUND_QUERY: Final = re.compile(
    r"(?P<client>[0-9a-fA-F.:]{2,45}) (?P<name>[^ ]{1,1100}) [A-Z0-9]{1,12} [A-Z0-9]{1,12}"
    r"(?P<reply> [A-Z]{1,12} \d{1,9}\.\d{1,9} [01] \d{1,6})?"
)
_UNBOUND_LOCAL: Final = re.compile(
    r"(?:rpz: applied (?:\[(?P<zone>[^\] ]{1,255})\] )?)?(?P<entry>[^ ]{1,1100}) (?P<action>[a-z_-]{3,30}) "
    r"(?P<client>[0-9a-fA-F.:]{2,45})@(?P<port>\d{1,5}) (?P<name>[^ ]{1,1100}) [A-Z0-9]{1,12} [A-Z0-9]{1,12}"
)
_UNBOUND_BLOCKS: Final = frozenset(
    {
        "deny", "refuse", "redirect", "always_refuse", "always_nxdomain", "always_nodata", "always_deny", "always_null",
        "static", "rpz-nxdomain", "rpz-nodata", "rpz-drop", "rpz-local-data",
    }
)  # fmt: skip


def read_unbound(stream: Stream, reading: Reading) -> Iterator[Found]:
    """``log-queries``, else ``log-replies``; and what ``log-local-actions`` and RPZ say that was refused."""
    return by_line(stream, reading, _Unbound(reading).line)


class _Unbound:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._logs_queries = False

    def line(self, text: str) -> Iterator[Sighting]:
        """Raises ``ValueError``."""
        line = _UNBOUND.fullmatch(text)
        if line is None:
            raise ValueError("no line of Unbound with a time")
        verdict, rule, port = Verdict.UNKNOWN, "", None
        said = _UNBOUND_QUERY.fullmatch(line["rest"]) if line["kind"] in ("info", "query", "reply") else None
        if said is None:
            said = _UNBOUND_LOCAL.fullmatch(line["rest"])
            if said is None:
                return  # it started, it counted
            verdict = Verdict.BLOCKED if said["action"] in _UNBOUND_BLOCKS else Verdict.UNKNOWN
            rule = " ".join(filter(None, (said["zone"] and f"rpz {said['zone']}", said["entry"], said["action"])))
            port = said["port"]
        elif said["reply"]:
            if self._logs_queries:
                return  # its question was told of
        else:
            self._logs_queries = True
        yield _asked(
            self._reading,
            at=self._time(line),
            client=said["client"],
            port=port,
            name=said["name"],
            host=line["host"] or line["host2"],
            verdict=verdict,
            rule=rule,
        )

    def _time(self, line: re.Match[str]) -> datetime:
        if line["epoch"]:
            return fields.epoch(line["epoch"])
        if line["iso"]:
            return fields.iso(line["iso"], self._reading.zone)
        return fields.without_year(line["short"], now=self._reading.now, zone=self._reading.zone)


def fits_unbound(head: str) -> bool:
    return any(_UNBOUND.fullmatch(text) for text in head.splitlines()[:200])


# --- dnsmasq ----------------------------------------------------------------------------------------------------------

_DNSMASQ: Final = re.compile(
    rf"(?:{_SYSLOG}|{_ISO} (?:(?P<host2>[\w.:-]{{1,255}}) )?)dnsmasq\[\d{{1,10}}(?:/\d{{1,10}})?\]: "
    r"(?:(?P<serial>\d{1,12}) (?P<who>[0-9a-fA-F.:]{2,45})/(?P<port>\d{1,5}) )?(?P<rest>.*)"
)
_DNSMASQ_QUERY: Final = re.compile(r"query\[[^\] ]{1,40}\] (?P<name>[^ ]{1,1100}) from (?P<client>[0-9a-fA-F.:]{2,45})")
_DNSMASQ_TOLD: Final = re.compile(
    r"(?P<how>config|reply|cached|(?:gravity|exactly|regex|special domain) (?:blocked|denied)|/[^ ]{1,255})"
    r" (?P<name>[^ ]{1,1100}) is (?P<what>.*)"
)
_NOWHERE: Final = frozenset({"0.0.0.0", "::", "NXDOMAIN", "NODATA", "NODATA-IPv4", "NODATA-IPv6", "REFUSED"})  # noqa: S104
_REMEMBERED: Final = 4096
"""Names whose last client is known: a refusal comes right behind its question."""


def read_dnsmasq(stream: Stream, reading: Reading) -> Iterator[Found]:
    """``log-queries``, plain or ``extra``; also ``pihole.log``."""
    return by_line(stream, reading, _Dnsmasq(reading).line)


class _Dnsmasq:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._asked: OrderedDict[str, str] = OrderedDict()  # name -> the last client that asked for it

    def line(self, text: str) -> Iterator[Sighting]:
        """Raises ``ValueError``."""
        line = _DNSMASQ.fullmatch(text)
        if line is None:
            raise ValueError("no line of dnsmasq with a time")
        verdict, rule = Verdict.UNKNOWN, ""
        if asked := _DNSMASQ_QUERY.fullmatch(line["rest"]):
            name, client = asked["name"], asked["client"]
            self._remember(name, client)
        elif (told := _DNSMASQ_TOLD.fullmatch(line["rest"])) and _refuses(told):
            name, client = told["name"], line["who"] or self._asked.pop(told["name"], "")
            verdict, rule = Verdict.BLOCKED, f"{told['how']} is {told['what']}"
            if not client:
                return  # nobody is known to have asked
        else:
            return
        yield _asked(
            self._reading,
            at=self._time(line),
            client=client,
            port=line["port"],
            name=name,
            host=line["host"] or line["host2"],
            verdict=verdict,
            rule=rule,
        )

    def _remember(self, name: str, client: str) -> None:
        self._asked[name] = client
        self._asked.move_to_end(name)
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)

    def _time(self, line: re.Match[str]) -> datetime:
        if line["iso"]:
            return fields.iso(line["iso"], self._reading.zone)
        return fields.without_year(line["short"], now=self._reading.now, zone=self._reading.zone)


def _refuses(told: re.Match[str]) -> bool:
    """Whether dnsmasq refused by its own configuration: an answer of others that is NXDOMAIN is none."""
    if told["how"].endswith(("blocked", "denied")):
        return True
    return told["how"] not in ("reply", "cached") and told["what"] in _NOWHERE


def fits_dnsmasq(head: str) -> bool:
    return any(_DNSMASQ.fullmatch(text) for text in head.splitlines()[:200])


# --- Windows ----------------------------------------------------------------------------------------------------------

_WINDOWS: Final = re.compile(
    r"(?P<a>\d{1,4})(?P<mark>[/.-])(?P<b>\d{1,2})[/.-](?P<c>\d{1,4}) (?P<clock>\d{1,2}:\d\d:\d\d)(?: (?P<half>[AP]M))?"
    r" [0-9A-F]{1,8} PACKET +[0-9A-F]{8,16} (?:UDP|TCP) (?P<way>Rcv|Snd) (?P<client>[0-9a-fA-F.:]{2,45}) +"
    r"[0-9a-f]{4} (?P<answer>[R ]) (?P<operation>[A-Z?]) \[[^\]]{1,60}\] +[A-Z0-9]{1,10} +(?P<name>[^ ]{1,1500}) *"
)
_WINDOWS_TIME: Final = re.compile(r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4} \d{1,2}:\d\d:\d\d(?: [AP]M)? [0-9A-F]{1,8} ")
_WINDOWS_LABEL: Final = re.compile(r"\((\d{1,2})\)([^()]{0,63})")


def read_windows(stream: Stream, reading: Reading) -> Iterator[Found]:
    """``dns.log`` of debug logging with *packets*: questions that came in. Its times are of the wall."""
    return by_line(stream, reading, lambda text: _windows(text, reading))


def _windows(text: str, reading: Reading) -> Iterator[Sighting]:
    line = _WINDOWS.fullmatch(text)
    if line is None:
        if _WINDOWS_TIME.match(text) and " PACKET " in text:
            raise ValueError("a packet that is not told of as Windows does")
        return  # the head of the file, the bytes of a packet, an event of the server
    if line["way"] == "Rcv" and line["answer"] == " " and line["operation"] == "Q":
        at = _windows_time(line, reading)
        yield _asked(reading, at=at, client=line["client"], name=_windows_name(line["name"]))


def _windows_name(text: str) -> str:
    """``(3)www(6)tiktok(3)com(0)`` as a name. Raises ``ValueError``."""
    labels = _WINDOWS_LABEL.findall(text)
    whole = "".join(f"({len(label.encode())}){label}" for _, label in labels)
    if whole != text or not text.endswith("(0)"):
        raise ValueError("the name is cut off")
    return ".".join(label for _, label in labels if label)


def _windows_time(line: re.Match[str], reading: Reading) -> datetime:
    """The server's own way to write a day: 2026-11-27, 27.11.2026, 11/27/2026 with AM and PM, 27/11/2026 without."""
    first, second, third = int(line["a"]), int(line["b"]), int(line["c"])
    hours, rest = line["clock"].split(":", 1)
    hour = int(hours)
    if line["half"]:
        hour = hour % 12 + (12 if line["half"] == "PM" else 0)
    if first > 31:
        year, month, day = first, second, third
    elif line["half"] and line["mark"] == "/":
        month, day, year = first, second, third
    else:
        day, month, year = first, second, third
    return fields.local(year, month, day, f"{hour}:{rest}", reading.zone)


def fits_windows(head: str) -> bool:
    return any(_WINDOWS.fullmatch(text.rstrip("\r")) for text in head.splitlines()[:500])
