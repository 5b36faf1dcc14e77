#!/usr/bin/env python3
"""Try from inside a site whether what should be blocked is: TCP 443 with a TLS greeting, QUIC on UDP 443, and DNS.

One file, the standard library alone, Python 3.8 or newer: `tokgate probe --script > probe.py` and run it on any host of
the site. It changes nothing anywhere. Targets come from the tokgate server (or a file), the result goes there (or to
the standard output, for `tokgate proof import`).

*passes*: the other side answered. *blocked*: it did not, and a control beside it, tried before and after in the same
way, did. *unknown*: everything else, so that an unplugged cable is no proof of blocking, nor a captive portal that
answers for everybody one of leaking: an answer that an address and a name that nobody has get as well is unknown.
How it is tried:

- TCP: a connection, and a TLS ClientHello, with the name where there is one. To a bare address a connection is enough;
  to a name the TLS greeting has to be answered, for a firewall may look at it.
- QUIC: a packet of a version that nobody speaks (RFC 9000, 6 and 15). Every server answers with the versions that it
  speaks: that is proof that packets go both ways, and opens no connection.
- DNS: the host's own resolver, or those that are told. No answer, a refusal, or an address that leads nowhere is
  *blocked*; that a name does not exist counts only where a reference resolver says that it does.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import ipaddress
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Dict

FORMAT = "tokgate-probe/1"
PASSES, BLOCKED, UNKNOWN = "passes", "blocked", "unknown"
TCP, TCP6, QUIC, QUIC6, DNS = "tcp-443", "tcp-443-v6", "udp-443", "udp-443-v6", "dns"
PORT = 443
AT_ONCE = 16
MOST_TARGETS = 200
MOST_ANSWER = 4_000_000
GREASED = 0x1A2A3A4A  # a version that forces negotiation (RFC 9000, 15)
SINKS = ("0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128")
INSIDE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10")
MOST_OFF = 300  # seconds that the clock of this host may differ from the server's
RCODES = {0: "", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}


Row = Dict[str, Any]


class ProbeError(Exception):
    """What a person has to put right; one line."""


# --- one attempt ------------------------------------------------------------------------------------------------------


class Tried:
    """Whether the other side answered, and in which words; ``ours``: it failed on this host, so it proves nothing.

    ``silent``: nothing came back at all, as from an address that nobody has. ``level``: 1 it connects, 2 it answers.
    """

    def __init__(
        self, reached: bool, why: str, *, ours: bool = False, silent: bool = False, level: int | None = None
    ) -> None:
        self.reached, self.why, self.ours, self.silent = reached, why, ours, silent
        self.level = 2 * reached if level is None else level


def try_tcp(source: str, address: str, name: str, seconds: float) -> Tried:
    """A connection and a TLS greeting. Raises nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as wire:
        wire.settimeout(seconds)
        if (bad := _bound(wire, source)) is not None:
            return bad
        try:
            wire.connect((address, PORT))
        except OSError as exc:
            return Tried(False, "no connection: " + _words(exc), ours=_is_ours(exc), silent=_is_silent(exc))
        greeted = _greeted(wire, name)
    if greeted:
        return Tried(True, "connected, and the TLS greeting was answered")
    if name:
        return Tried(False, "connected, and cut off or silent after the TLS greeting")
    return Tried(True, "connected; the TLS greeting was not answered", level=1)


def _bound(wire: socket.socket, source: str) -> Tried | None:
    """None when the socket sends from there."""
    if source:
        try:
            wire.bind((source, 0))
        except OSError as exc:
            return Tried(False, "this host has no address " + source + ": " + _words(exc), ours=True)
    return None


def _greeted(wire: socket.socket, name: str) -> bool:
    """Whether anything of TLS came back: a handshake, or an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # who answers does not matter here
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(inside, outside, server_hostname=name or None)
    with contextlib.suppress(ssl.SSLWantReadError):  # it waits for the answer to its first packet
        session.do_handshake()
    try:
        wire.sendall(outside.read())
        first = wire.recv(1)
    except OSError:
        return False
    return first in (b"\x15", b"\x16")  # an alert, or a handshake


def try_quic(source: str, address: str, seconds: float) -> Tried:
    """A packet of an unknown version, three times; the versions that come back are the answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    theirs, ours = secrets.token_bytes(8), secrets.token_bytes(8)
    packet = quic_packet(theirs, ours)
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        if (bad := _bound(wire, source)) is not None:
            return bad
        wire.settimeout(seconds / 3)
        try:
            wire.connect((address, PORT))
        except OSError as exc:
            return Tried(False, "cannot be sent: " + _words(exc), ours=_is_ours(exc))
        why, silent = "no answer", True
        for _ in range(3):
            try:
                wire.send(packet)
                answer = wire.recv(2_048)
            except OSError as exc:
                why, silent = "no answer: " + _words(exc), silent and _is_silent(exc)
                if _is_ours(exc):
                    return Tried(False, why, ours=True)
                continue
            if is_negotiation(answer, theirs, ours):
                return Tried(True, "the versions that it speaks came back")
            why = "what came back is no answer to this packet"
    return Tried(False, why, silent=silent)


def quic_packet(theirs: bytes, ours: bytes) -> bytes:
    """A long header of an unknown version with both connection ids, filled up to the least size of an Initial."""
    head = struct.pack("!BI", 0xC0, GREASED) + bytes([len(theirs)]) + theirs + bytes([len(ours)]) + ours
    return head + bytes(1_200 - len(head))


def is_negotiation(answer: bytes, theirs: bytes, ours: bytes) -> bool:
    """Whether it is a Version Negotiation packet for ours: the ids come back the other way round (RFC 8999, 6)."""
    if len(answer) < 7 + len(theirs) + len(ours) + 4 or not answer[0] & 0x80 or answer[1:5] != bytes(4):
        return False
    back = bytes([len(ours)]) + ours + bytes([len(theirs)]) + theirs
    return answer[5 : 5 + len(back)] == back


# --- names ------------------------------------------------------------------------------------------------------------


def ask_dns(source: str, resolver: str, name: str, kind: int, seconds: float) -> tuple[str, list[str]]:
    """(what went wrong, the addresses): one question over UDP, twice. Raises ``OSError`` when it cannot be sent."""
    number = secrets.randbelow(65_536)
    labels = b"".join(bytes([len(label)]) + label for label in name.rstrip(".").encode("idna").split(b"."))
    question = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
    family = socket.AF_INET6 if ":" in resolver else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        if source and (":" in source) == (":" in resolver):
            wire.bind((source, 0))
        wire.settimeout(seconds / 2)
        wire.connect((resolver, 53))
        for _ in range(2):
            try:
                wire.send(question)
                answer = wire.recv(4_096)
            except socket.timeout:
                continue
            except ConnectionError:
                return "refused by the host", []
            if answer[:2] == question[:2]:
                return read_dns(answer, kind)
    return "no answer", []


def read_dns(answer: bytes, kind: int) -> tuple[str, list[str]]:
    """(the failure by its name, the addresses of that kind). A garbled answer is a failure."""
    try:
        _, flags, questions, records = struct.unpack_from("!HHHH", answer)
        at = 12
        for _ in range(questions):
            at = _past_name(answer, at) + 4
        found = []
        for _ in range(records):
            at = _past_name(answer, at)
            what, _, _, size = struct.unpack_from("!HHIH", answer, at)
            at += 10
            if what == kind and size in (4, 16):
                found.append(str(ipaddress.ip_address(answer[at : at + size])))
            at += size
    except (struct.error, IndexError, ValueError):
        return "garbled", []
    code = flags & 15
    return RCODES.get(code, "RCODE " + str(code)), found


def _past_name(answer: bytes, at: int) -> int:
    while answer[at]:
        if answer[at] & 0xC0:
            return at + 2
        at += answer[at] + 1
    return at + 1


def own_resolvers() -> list[str]:
    """Those of this host, as `resolv.conf` names them."""
    try:
        with open("/etc/resolv.conf", encoding="utf-8") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def resolve(source: str, name: str, how: Options) -> tuple[Tried, list[str]]:
    """What the resolvers say of a name, and the addresses to try, at most one of each family."""
    words: list[str] = []
    found: list[str] = []
    sunk: list[str] = []
    for kind in (1, 28):
        why, addresses = _asked(source, name, kind, how)
        if why:
            words.append(why)
        for address in addresses:
            (sunk if leads_nowhere(address) else found).append(address)
    if found:
        firsts = {(":" in address): address for address in reversed(found)}
        return Tried(True, "resolves to " + ", ".join(found[:4])), [firsts[six] for six in sorted(firsts)]
    if sunk:
        return Tried(False, "leads nowhere, or inside: " + ", ".join(sunk[:4])), []
    why = " / ".join(dict.fromkeys(words)) or "no address"
    if why in ("no answer", "REFUSED", "refused by the host"):
        return Tried(False, why), []
    if how.reference and any(_asked(source, name, kind, how, how.reference)[1] for kind in (1, 28)):
        return Tried(False, why + ", and " + how.reference[0] + " knows addresses"), []
    return Tried(False, why + ": nothing says that the name exists", ours=True), []


def _asked(
    source: str, name: str, kind: int, how: Options, resolvers: list[str] | None = None
) -> tuple[str, list[str]]:
    why = "this host has no resolver"
    for resolver in resolvers or how.resolvers:
        try:
            why, found = ask_dns(source, resolver, name, kind, how.seconds)
        except (OSError, UnicodeError) as exc:
            why = "cannot be asked: " + _words(exc)
            continue
        if why != "no answer":
            return why, found
    return why, []


def leads_nowhere(address: str) -> bool:
    value = ipaddress.ip_address(address)
    return any(value.version == net.version and value in net for net in map(ipaddress.ip_network, SINKS + INSIDE))


# --- a round ----------------------------------------------------------------------------------------------------------


class Options:
    """How it is tried."""

    def __init__(
        self, *, sources: list[str], controls: list[str], resolvers: list[str], reference: list[str], seconds: float
    ) -> None:
        self.sources, self.controls, self.resolvers = sources, controls, resolvers
        self.reference, self.seconds = reference, seconds


def attempts(source: str, target: str, how: Options) -> list[tuple[str, str, Tried]]:
    """(path, address, what came of it) of one target: an address, or a name with what it resolves to."""
    if _is_address(target):
        return _by_address(source, target, "", how)
    said, addresses = resolve(source, target, how)
    found = [(DNS, "", said)]
    for address in addresses:
        found += _by_address(source, address, target, how)
    return found


def _by_address(source: str, address: str, name: str, how: Options) -> list[tuple[str, str, Tried]]:
    six = ":" in address
    if source and (":" in source) != six:
        return []
    tcp, quic = (TCP6, QUIC6) if six else (TCP, QUIC)
    found = [(tcp, address, try_tcp(source, address, name, how.seconds))]
    return [*found, (quic, address, try_quic(source, address, how.seconds))]


def probe(targets: list[str], how: Options) -> tuple[list[Row], list[Row]]:
    """(results, controls). The controls are tried before and after; a path counts where one answered both times, and
    better than what nobody has."""
    nobody = [*nobodys(), "tokgate-" + secrets.token_hex(6) + ".invalid"]
    began = {source: _controls(source, how) for source in how.sources}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pairs = [(source, target) for source in how.sources for target in targets]
        work = [(*pair, pool.submit(attempts, *pair, how)) for pair in pairs]
        other = [(source, pool.submit(attempts, source, target, how)) for source in how.sources for target in nobody]
        tried = [(source, target, task.result()) for source, target, task in work]
        levels: dict[tuple[str, str], int] = {}
        for source, each in other:
            for path, _, said in each.result():
                levels[source, path] = max(said.level, levels.get((source, path), 0))
    ended = {source: _controls(source, how) for source in how.sources}
    controls: list[Row] = []
    good = set()
    for source in how.sources:
        for key in sorted(set(began[source]) | set(ended[source])):
            first, last = began[source].get(key), ended[source].get(key)
            both = [_or_nobody(t, source, key[1], key[0], levels) for t in (first, last) if t is not None]
            reached = len(both) == 2 and all(t.reached for t in both)
            why = (both or [Tried(False, "")])[-1].why
            controls.append({"path": key[0], "source": source, "target": key[1], "reached": reached, "why": why})
            if reached:
                good.add((source, key[0]))
    results = [
        _result(source, target, path, address, _or_nobody(said, source, target, path, levels), (source, path) in good)
        for source, target, found in tried
        for path, address, said in found
    ]
    return results, controls


def nobodys() -> list[str]:
    """An address of each family that nobody has: kept for examples (RFC 5737, RFC 9637)."""
    number = secrets.randbelow(254) + 1
    return ["203.0.113." + str(number), "3fff:0:" + format(secrets.randbelow(65_536), "x") + "::" + str(number)]


def _or_nobody(said: Tried, source: str, target: str, path: str, levels: dict[tuple[str, str], int]) -> Tried:
    """What came of it; as a failure of ours where an answer says nothing about who gave it."""
    if path != DNS and not _is_address(target) and levels.get((source, DNS)):
        return Tried(False, said.why + "; but the resolver answers for names that nobody has", ours=True)
    if said.level and said.level <= levels.get((source, path), 0):
        return Tried(False, said.why + "; but so does what nobody has: something on the way answers for all", ours=True)
    return said


def _controls(source: str, how: Options) -> dict[tuple[str, str], Tried]:
    return {(path, name): said for name in how.controls for path, _, said in attempts(source, name, how)}


def _result(source: str, target: str, path: str, address: str, said: Tried, control: bool) -> Row:
    why = said.why
    if said.reached:
        verdict = PASSES
    elif said.ours:
        verdict = UNKNOWN
    elif control:
        verdict = BLOCKED
    else:
        verdict, why = UNKNOWN, why + "; and no control answered on this path"
    row = {"path": path, "source": source, "target": target, "address": address, "verdict": verdict, "why": why[:300]}
    return {**row, "silent": said.silent}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _words(exc: BaseException) -> str:
    if isinstance(exc, socket.timeout):
        return "timed out"
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


def _is_ours(exc: OSError) -> bool:
    """Whether it failed on this host, before a packet left: no route, no such address, no network."""
    return exc.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EAFNOSUPPORT, errno.EINVAL)


def _is_silent(exc: OSError) -> bool:
    """Whether nothing says that there is anybody: a refusal comes of who is there, or of a firewall."""
    return exc.errno not in (errno.ECONNREFUSED, errno.ECONNRESET)


def outgoing(six: bool) -> str:
    """The address that this host sends from; empty where it has none of that family."""
    there = ("2001:db8::1", 9) if six else ("192.0.2.1", 9)
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as wire:
        try:
            wire.connect(there)  # sends nothing
            return str(wire.getsockname()[0])
        except OSError:
            return ""


# --- the server -------------------------------------------------------------------------------------------------------


class Server:
    """The REST API, as much of it as a probe needs. Raises ``ProbeError``."""

    def __init__(self, url: str, token: str, ca: str) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ProbeError("--server: expected an address such as https://tokgate.example")
        self._url, self._token = url.rstrip("/") + "/api/v1/proofs", token
        self._context = ssl.create_default_context(cafile=ca or None)

    def targets(self, site: str) -> Row:
        return self._call("/targets?" + urllib.parse.urlencode({"site": site}), None)

    def post(self, report: Row) -> Row:
        return self._call("", report)

    def _call(self, path: str, body: Row | None) -> Row:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer " + self._token, "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._url + path, data=data, headers=headers)  # noqa: S310  # http(s), above
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self._context), urllib.request.ProxyHandler({})
        )
        try:
            with opener.open(request, timeout=30) as answer:
                _refuse_wrong_clock(answer.headers.get("Date") or "")
                said: Row = json.loads(answer.read(MOST_ANSWER))
                return said
        except urllib.error.HTTPError as exc:
            raise ProbeError("the server says: " + _problem(exc)) from exc
        except (OSError, ValueError) as exc:
            raise ProbeError("the server cannot be reached: " + _words(exc)) from exc


def _refuse_wrong_clock(date: str) -> None:
    """A result is judged by the policy of its time."""
    try:
        off = int(time.time() - parsedate_to_datetime(date).timestamp())
    except (TypeError, ValueError):  # it does not say
        return
    if abs(off) > MOST_OFF:
        which = "ahead of" if off > 0 else "behind"
        raise ProbeError("the clock of this host is " + str(abs(off)) + " s " + which + " the server's: set it")


def _problem(exc: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(exc.read(MOST_ANSWER))
        errors = "; ".join(one["field"] + ": " + one["message"] for one in said.get("errors") or ())
        return " ".join(filter(None, (said["code"], said["detail"], errors, said.get("hint"))))
    except (ValueError, KeyError, TypeError):
        return str(exc.code) + " " + str(exc.reason)


# --- the command ------------------------------------------------------------------------------------------------------


def run(given: argparse.Namespace) -> tuple[Row, str]:
    """The report, and what the server said of it (empty: it was not sent). Raises ``ProbeError``."""
    server = None
    if given.server:
        server = Server(given.server, _token(), given.ca or "")
    targets, site = _targets(given, server)
    sources = given.source or [address for address in (outgoing(False), outgoing(True)) if address]
    for source in sources:
        if not _is_address(source):
            raise ProbeError("--source: " + source + " is no address")
    if not sources:
        raise ProbeError("this host has no address to send from; name one with --source")
    how = Options(
        sources=sources,
        controls=given.control or [],
        resolvers=given.resolver or own_resolvers(),
        reference=[given.reference] if given.reference else [],
        seconds=given.timeout,
    )
    began = _now()
    results, controls = probe(targets, how)
    report = {
        "format": FORMAT,
        "round": secrets.token_hex(16),
        "site": site,
        "host": (given.host or socket.gethostname())[:64],
        "began": began,
        "ended": _now(),
        "results": results,
        "controls": controls,
    }
    if server is None or given.print:
        return report, ""
    said = server.post(report)
    words = ", ".join(str(said[name]) + " " + name for name in ("blocked", "leaking", "open", "closed", "unknown"))
    return report, words


def _targets(given: argparse.Namespace, server: Server | None) -> tuple[list[str], str]:
    if given.targets:
        try:
            text = _text_of(given.targets)
        except (OSError, UnicodeError) as exc:
            raise ProbeError("--targets: " + given.targets + " cannot be read: " + _words(exc)) from exc
        found, site = _read_targets(text), given.site or ""
    elif server is not None and given.site:
        said = server.targets(given.site)
        found, site = list(said["targets"]), said["site"]
        given.control = (given.control or []) + [one for one in said["controls"] if one not in (given.control or [])]
    else:
        raise ProbeError("say what to try: --server (or TOKGATE_URL) and --site, or --targets FILE")
    if not found:
        raise ProbeError("there is nothing to try: nothing is to be blocked at this site now")
    if len(found) > MOST_TARGETS:
        raise ProbeError("too many targets: at most " + str(MOST_TARGETS))
    if not site:
        raise ProbeError("--site: the name of the site in the inventory")
    return found, site


def _text_of(place: str) -> str:
    if place == "-":
        return sys.stdin.read(MOST_ANSWER)
    with open(place, encoding="utf-8") as file:
        return file.read(MOST_ANSWER)


def _read_targets(text: str) -> list[str]:
    """What `GET …/proofs/targets` said, or a list with an address or name a line."""
    if text.lstrip().startswith("{"):
        try:
            return [str(one) for one in json.loads(text)["targets"]]
        except (ValueError, KeyError, TypeError) as exc:
            raise ProbeError("--targets: not what the server says, and no list either") from exc
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _token() -> str:
    token = os.environ.get("TOKGATE_TOKEN", "").strip()
    place = os.environ.get("TOKGATE_TOKEN_FILE", "")
    if not token and place:
        try:
            with open(place, encoding="utf-8") as file:
                token = file.read().strip()
        except (OSError, UnicodeError) as exc:
            raise ProbeError("TOKGATE_TOKEN_FILE: " + _words(exc)) from exc
    if not token:
        raise ProbeError("no token: set TOKGATE_TOKEN, or TOKGATE_TOKEN_FILE to a file that holds it")
    if not token.isprintable() or not token.isascii() or " " in token:
        raise ProbeError("the token is none: one word as `tokgate token create` printed it")
    return token


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="probe.py", description="Try from inside a site whether what should be blocked is."
    )
    made.add_argument(
        "--server", metavar="URL", default=os.environ.get("TOKGATE_URL", ""), help="the tokgate server (TOKGATE_URL)"
    )
    made.add_argument("--ca", metavar="FILE", help="authorities of the server's certificate, PEM")
    made.add_argument("--site", metavar="NAME", help="the site that this host is at")
    made.add_argument(
        "--targets",
        metavar="FILE",
        help="addresses and names, one a line, instead of the server's; - is the standard input",
    )
    made.add_argument(
        "--source", metavar="ADDRESS", action="append", help="send from this address of the host; may be repeated"
    )
    made.add_argument(
        "--control", metavar="NAME", action="append", help="what must be reachable by TCP and QUIC 443; may be repeated"
    )
    made.add_argument("--resolver", metavar="ADDRESS", action="append", help="ask this resolver instead of the host's")
    made.add_argument(
        "--reference", metavar="ADDRESS", help="a resolver that blocks nothing: it says whether a name exists"
    )
    made.add_argument("--timeout", metavar="SECONDS", type=float, default=4.0, help="for each attempt (4)")
    made.add_argument("--host", metavar="NAME", help="what this host is called in the result")
    made.add_argument("--print", action="store_true", help="print the result as JSON, and send it nowhere")
    return made


def summary(report: Row) -> str:
    rows = [("source", "path", "target", "verdict", "why")]
    rows += [(r["source"], r["path"], r["target"], r["verdict"], r["why"]) for r in report["results"]]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    return "\n".join("  ".join(row[at].ljust(widths[at]) for at in range(4)) + "  " + row[4] for row in rows)


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    return carry_out(given)


def carry_out(given: argparse.Namespace) -> int:
    try:
        report, said = run(given)
    except ProbeError as exc:
        sys.stderr.write("probe: " + str(exc) + "\n")
        return 1
    if said:
        sys.stdout.write(summary(report) + "\nsent: " + said + "\n")
    else:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    if not any(control["reached"] for control in report["controls"]):
        sys.stderr.write("probe: no control answered: what did not answer is unknown, not blocked (--control)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
