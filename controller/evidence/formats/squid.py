"""Squid's access log: the native format, and the combined one, each with more columns behind. Pure.

Of HTTPS a proxy sees ``CONNECT host:443``, and the SNI where the log format has ``%ssl::>sni``. Source: Squid 5.7's own
output (``tests/controller/evidence_files``), https://wiki.squid-cache.org/Features/LogFormat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from controller.evidence.formats import fields
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.model import Channel, Sighting, Verdict

_NATIVE: Final = re.compile(
    r"(?P<at>\d{1,12}\.\d{1,6}) +(?P<took>-?\d{1,12}) (?P<client>[0-9a-fA-F.:]{2,45}) "
    r"(?P<result>[A-Z_]{1,60})/(?P<status>\d{1,3}) (?P<octets>\d{1,18}|-) (?P<method>[A-Za-z-]{1,30}|-) "
    r"(?P<url>[^ ]{1,65536}) (?P<user>[^ ]{1,512}) (?P<hierarchy>[A-Z_0-9]{1,60})/(?P<peer>[^ ]{1,255}) "
    r"(?P<type>[^ ]{1,255})(?P<more> .*)?"
)
_COMBINED: Final = re.compile(
    r"(?P<client>[0-9a-fA-F.:]{2,45}) (?P<ident>[^ ]{1,255}) (?P<user>[^ ]{1,512}) "
    r"\[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<clock>\d\d:\d\d:\d\d) "
    r"(?P<sign>[+-])(?P<zh>\d\d)(?P<zm>\d\d)\] "
    r"\"(?P<method>[A-Za-z-]{1,30}) (?P<url>[^ \"]{1,65536}) (?:HTTP/[\d.]{1,5}|-/-)\" "
    r"(?P<status>\d{1,3}) (?P<octets>\d{1,18}|-)"
    r"(?: \"(?P<referrer>[^\"]{0,65536})\" \"(?P<agent>[^\"]{0,65536})\")?"
    r"(?: (?P<result>[A-Z_]{1,60}):(?P<hierarchy>[A-Z_0-9]{1,60}))?(?P<more> .*)?"
)
_PASSED: Final = re.compile(r"TCP_(?:TUNNEL|MISS|HIT|MEM_HIT|REFRESH|CLIENT_REFRESH|IMS_HIT|INM_HIT|SWAPFAIL)")
_WORD: Final = re.compile(r'"([^"]{0,4096})"|([^ ]{1,4096})')


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """Native or combined, line by line."""
    return by_line(stream, reading, lambda text: _sightings(text, reading))


def _sightings(text: str, reading: Reading) -> Iterator[Sighting]:
    native = _NATIVE.fullmatch(text)
    line = native or _COMBINED.fullmatch(text)
    if line is None:
        raise ValueError("no line of Squid's native or combined format")
    if line["method"] == "-" or line["url"].startswith("error:"):
        return  # somebody connected and asked for nothing
    name, port, path = _target(line["method"], line["url"])
    sni, agent = _more(line["more"] or "")
    peer = line["peer"] if native else ""
    yield Sighting(
        channel=Channel.PROXY,
        at=fields.epoch(line["at"]) if native else _combined_time(line),
        sensor=reading.writer,
        source=fields.address(line["client"]),
        destination=fields.address(peer if fields.is_address(peer) else name if fields.is_address(name) else None),
        port=port,
        protocol="tcp",
        name=sni or fields.name(name),
        verdict=_verdict(line["result"] or "", line["hierarchy"] or ""),
        rule=fields.clean(line["result"] or "", 60),
        user=_user(line["user"]),
        path=fields.clean(path, fields.MAX_PATH),
        agent=agent or (fields.clean("" if native else (line["agent"] or "").removeprefix("-"))),
        octets=fields.whole(line["octets"].replace("-", "")),
    )


def _target(method: str, url: str) -> tuple[str, int | None, str]:
    """Host, port, path. Raises ``ValueError``."""
    if method.upper() == "CONNECT":
        host, port = fields.host_and_port(url)
        return host, port, ""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443, "ftp": 21}.get(parts.scheme)
    except ValueError as exc:
        raise ValueError(f"{url[:60]!r} is no address of a page") from exc
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return parts.hostname or "", port, path


def _verdict(result: str, hierarchy: str) -> Verdict:
    """What Squid's own result says: the status may be of a server beyond. A miss that reached nobody passed nothing."""
    if "DENIED" in result:
        return Verdict.BLOCKED
    if _PASSED.match(result) and ("HIT" in result or hierarchy != "HIER_NONE"):
        return Verdict.ALLOWED
    return Verdict.UNKNOWN


def _user(text: str) -> str:
    return "" if text == "-" else fields.clean(unquote(text), 100)


def _more(text: str) -> tuple[str, str]:
    """SNI and User-Agent of further columns: ``sni=…``, ``ua="…"``, a bare name, a text in quotes."""
    sni, agent = "", ""
    for quoted, bare in _WORD.findall(text):
        key, equals, value = bare.partition("=")
        if equals and key.lower() in ("sni", "ssl_sni", "tls_sni"):
            sni = fields.name(value.strip('"')) or sni
        elif equals and key.lower() in ("ua", "agent", "user_agent"):
            agent = fields.clean(value.strip('"'))
        elif bare and "." in bare and not sni:
            sni = fields.name(bare)
        elif quoted and not agent:
            agent = fields.clean(quoted) if quoted != "-" else ""
    return sni, agent


def _combined_time(line: re.Match[str]) -> datetime:
    offset = timedelta(hours=int(line["zh"]), minutes=int(line["zm"]))
    zone: Any = UTC if not offset else timezone(offset if line["sign"] == "+" else -offset)
    return fields.local(int(line["year"]), fields.month(line["month"]), int(line["day"]), line["clock"], zone)


def fits(head: str) -> bool:
    """Whether a beginning looks like it. The combined format alone may be a web server's: it needs Squid's result."""
    for text in head.splitlines()[:50]:
        if _NATIVE.fullmatch(text):
            return True
        combined = _COMBINED.fullmatch(text)
        if combined is not None and (combined["result"] or combined["method"] == "CONNECT"):
            return True
    return False
