"""Where fuzzing starts: lists in every format that ``tests/ipsets`` reads, and inputs that once found something."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dns.message

from tests.ipsets import mrt_files

LISTS: Final = (
    "192.0.2.0/24\n192.0.2.7\n2605:340::/32\n2605:340::1\n5.5.5.0/255.255.255.0\n",
    "192.0.2.4-192.0.2.7\n192.0.2.1 - 192.0.2.2\n2605:340::-2605:340::f\n",
    "tiktok.com\nTikTok.COM.\n*.tiktok.com\n+.tiktokv.com\n.tiktokcdn.com\n_dns.tiktok.com\n",
    (
        "127.0.0.1 localhost\n0.0.0.0 0.0.0.0\n::1 ip6-localhost ip6-loopback\nfe80::1%lo0 localhost\n"
        "0.0.0.0 www.tiktok.com m.tiktok.com # two\n:: www.tiktokv.com\n"
    ),
    "# a\n; b\n! c\n// d\n\n   \n[Adblock Plus 2.0]\n192.0.2.0/24 # ours\ntiktok.com ; the site\n",
    "! Title: x\n||tiktok.com^\n||tiktokv.com^$important\n||tiktokcdn.com^$all,important\n",
    (
        "||tiktok.com^\n||tiktok.com^$third-party\n||tik*.com^\n/tik(tok)?/\n/tik/$script\ntiktok.com##.ad\n#@#.ad\n"
        "tiktok.com#$#body\n|https://tiktok.com^\n"
    ),
    "||tiktok.com^\n@@||tiktok.com^\n||tiktok.com^$badfilter\n",
    (
        "payload:\n  - DOMAIN,www.tiktok.com\n  - 'DOMAIN-SUFFIX,tiktokv.com' # api\n  - \"+.tiktokcdn.com\"\n"
        "- IP-CIDR,192.0.2.0/24,no-resolve\n- IP-CIDR6,2605:340::/32,no-resolve\n"
    ),
    (
        "DOMAIN,www.tiktok.com,REJECT\nDOMAIN-SUFFIX,tiktok.com,Policy\nIP-CIDR,192.0.2.0/24,REJECT,no-resolve\n"
        "DOMAIN-KEYWORD,tiktok\nUSER-AGENT,TikTok*\nPROCESS-NAME,com.zhiliaoapp.musically\n"
        "AND,((DOMAIN,tiktok.com),(NETWORK,UDP))\nGEOIP,CN\n"
    ),
    "HOST,www.tiktok.com,TikTok\nHOST-SUFFIX,tiktok.com,TikTok\nIP6-CIDR,2605:340::/32,TikTok\n",
    "DOMAIN-SUFFIX,tiktok.com,DIRECT\nFINAL,DIRECT\nMATCH,REJECT\n",
    (
        "tiktok.com\nfull:www.tiktok.com\ndomain:tiktokv.com @cn\nttwstatic.com @!cn &bytedance\nkeyword:tiktok\n"
        "regexp:^tik.+tok$\ninclude:bytedance\n"
    ),
    "Some label:192.0.2.0-192.0.2.255\nTik: Tok, Inc:5.5.5.0 - 5.5.5.7\n:192.0.2.1-192.0.2.2\n",
    "074.125.000.000/24\nSome label:074.125.000.000-074.125.000.255\n",
    "b\u00fccher.example\nt\u0456ktok.com\nfull:xn--bcher-kva.example\n\u4f8b\u3048.\u30c6\u30b9\u30c8\n",
    "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    "tiktok.com\r\n192.0.2.0/24\r5.5.5.0/24\v6.6.6.0/24\u2028tiktokv.com\x857.7.7.0/24",
    "0.0.0.0/0\n::/0\n10.0.0.0/8\n127.0.0.1\n::ffff:10.0.0.1\n::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\nco.uk\n",
    "\ufeff# ours\n\0\1\2\n",
    "fe80::1%eth0\n192.0.2.1/24\n192.0.2.0/33\n2605:340:::1\nhttps://www.tiktok.com/x\n",
)
TABLES: Final = (
    (
        '{"CIDR":"71.18.8.0/24","ASN":396986,"Hits":402}\n{"CIDR":"2605:340:f01e::/48","ASN":138699,"Hits":250}\n'
        '{"CIDR":"203.0.113.128/25","ASN":64500,"Hits":3}\n'
    ),
    "<!DOCTYPE html>\n<html>\n",
    '{"CIDR":"71.18.252.0/23","ASN":138699,"Hits":1320}\n{"CIDR":"118.26.1',
    '{"CIDR":"64.1.2.0/24","ASN":"AS138699","Hits":999}\nnull\n[]\n',
    '{"CIDR":"064.1.2.0/24","ASN":138699,"Hits":true}\n',
    '{ "ASN": 138699, "CIDR": "64.1.2.0/24", "Hits": 9, "More": [1.5e3, "\\ud800"] }\r\n\n',
)
AT: Final = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
_ASKED: Final = ";QUESTION\nwww.tiktok.com. IN A\n;ANSWER\n"


def _wire(text: str) -> bytes:
    """A resolver's answer as it is sent."""
    return dns.message.from_text(f"id 7\nopcode QUERY\nflags QR RD RA\n{text}").to_wire()


MESSAGES: Final = (
    _wire(_ASKED + "www.tiktok.com. 60 IN CNAME a.example.\na.example. 60 IN A 103.136.220.7\n"),
    _wire(_ASKED + "www.tiktok.com. 60 IN CNAME a.example.\na.example. 60 IN CNAME www.tiktok.com.\n"),
    _wire(_ASKED + "www.tiktok.com. 60 IN AAAA 2605:340:f01e::1\n"),
    _wire(_ASKED + "www.tiktok.com. 60 IN A 127.0.0.1\nother.example. 60 IN A 103.136.220.7\n"),
    _wire(_ASKED + ";AUTHORITY\ntiktok.com. 60 IN SOA a. b. 1 2 3 4 5\n"),
)
FLOWS: Final = Path(__file__).parent.parent / "controller" / "netflow"
EVIDENCE: Final = Path(__file__).parent.parent / "controller" / "evidence_files"
DATABASES: Final = Path(__file__).parent.parent / "ipsets" / "data" / "maxmind"
LOGS: Final = Path(__file__).parent.parent / "controller" / "logs"
WORDS: Final = (
    "||", "^", "$important", "$badfilter", "@@", "##", "#@#", "/", "*", "*.", "+.", "payload:\n", "- ", "'", '"',
    "DOMAIN,", "DOMAIN-SUFFIX,", "HOST,", "IP-CIDR,", "IP-CIDR6,", ",no-resolve", ",REJECT", ",DIRECT",
    "DOMAIN-KEYWORD,", "full:", "domain:", "keyword:", "regexp:", "include:", " @!cn", " &x",
    "0.0.0.0 ", "127.0.0.1 ", ":: ", "/24", "/0",
    "192.0.2.0", "192.0.2.255", "2605:340::", " - ", "tiktok.com", "xn--",
    "\u00e9", "\u2028", "# ", "; ", "! ", "//", "%",
    "#fields\t", "id.orig_h", '"event_type":', '"tls":', "query[A]", "query: ", "CONNECT ", '"QH":', '"columns":',
    '"value":[', '"applications":[',
    '"CIDR":', '"ASN":', '"Hits":', "138699", "396986",
)  # fmt: skip
"""What the formats are made of: libFuzzer puts these together."""
FOUND: Final[tuple[tuple[str, bytes], ...]] = (
    ("evidence", b"\x0d\r\r\r\x05\r\n"),  # ends of lines that were in no table
    ("evidence", b"\x0a\xbf\n\xbf\xbf\xbf\xbf\xbf\xbf\xbf\xe1\xbf\xbf"),  # a character that is none yet was shown
    ("rules", b"d0.0.o0."),  # a name with a dot at its end, no name without
    ("rules", b"f92.0.2.1 - 19ul.om"),  # two words became one name that nobody wrote
    ("message", _wire(_ASKED + "www.tiktok.com. 60 CH A a. 7\nwww.tiktok.com. 60 CH CNAME a.\n")),
    ("message", _wire(_ASKED + "www.tiktok.com. 60 CLASS0 AAAA \\# 16 26050340f01e00000000000000000001\n")),
)
"""(target, input) of what fuzzing found; each is right now."""


def seeds(target: str) -> Iterator[bytes]:
    """The inputs that a target starts with. The first byte of a list says how it is to be read."""
    yield from (data for name, data in FOUND if name == target)
    if target == "table":
        yield from (text.encode() for text in TABLES)
    elif target == "database":
        yield from (path.read_bytes() for path in sorted(DATABASES.glob("*.mmdb")) if path.stat().st_size < 16384)
    elif target == "routes":
        yield from _routes()
    elif target == "message":
        yield from MESSAGES
    elif target == "syslogged":
        yield from _logged()
    elif target == "stream":
        yield from _streams()
    elif target == "evidence":
        yield from _evidence()
    elif target == "flows":
        yield from _flows()
    elif target == "rules":
        yield from (line.encode() for text in LISTS for line in text.splitlines())
    else:
        yield from (bytes([how]) + text.encode() for text in LISTS for how in (0, 5))


def _logged() -> Iterator[bytes]:
    """Every line of the firewalls' goldens."""
    for path in sorted(LOGS.glob("*.log")):
        yield from path.read_bytes().splitlines()


def _streams() -> Iterator[bytes]:
    """Counted, by lines, mixed, too long, and out of step."""
    for how in (b"\0", b"\2", b"\x40"):
        yield how + b"5 <1>ab7 <1>abcd<2>line\n<2>next\r\n"
        yield how + b"90 " + b"x" * 90 + b"3 abc"
        yield how + b"y" * 90 + b"\n<1>z\n"
        yield how + b"99999999 a"


def _flows() -> Iterator[bytes]:
    """What softflowd exported, in three versions, and beginnings of it."""
    for path in sorted(FLOWS.glob("*.bin")):
        data = path.read_bytes()
        yield from (data, data[: len(data) // 2], data[:200])


def _evidence() -> Iterator[bytes]:
    """Files of each format, behind the byte that names it."""
    from controller.evidence.formats import FORMATS, detect  # not before it is instrumented

    numbers = {name: number for number, name in enumerate(FORMATS)}
    for path in sorted(path for path in EVIDENCE.iterdir() if path.suffix not in (".told", ".md")):
        data = path.read_bytes()
        kind = detect(data)
        assert kind is not None
        yield bytes([numbers[kind.name]]) + data[:8192]


def _routes() -> Iterator[bytes]:
    """A routing table, its single records, and the same packed."""
    known = mrt_files.peers(("192.0.2.10", 64510), ("2001:db8::15", 64515), at=AT)
    seen = [(0, mrt_files.sequence(64510, 3356, 138699)), (1, ((mrt_files.SET, (138699, 11983)),))]
    rows = [mrt_files.routes(prefix, *seen, at=AT) for prefix in ("71.18.252.0/23", "2605:340:f01e::/48", "0.0.0.0/0")]
    more = mrt_files.routes("71.18.8.0/24", *seen, at=AT, subtype=mrt_files.RIB_ADDPATH[4])
    whole = known + b"".join(rows)
    yield from (whole, known + more, known, rows[0], whole[:-9], gzip.compress(whole), bz2.compress(whole))


def dictionary() -> str:
    """``WORDS`` in libFuzzer's form."""
    return "".join('"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in word.encode())) for word in WORDS)
