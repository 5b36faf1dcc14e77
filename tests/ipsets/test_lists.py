"""Plain lists from files and URLs: every spelling that list makers use, and nothing that is not a list."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.net import DomainName, parse_network
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication
from ipsets.sources import DnsConfig, LastGood, ListConfig, Source, build_source
from ipsets.sources.plain import Parsed, parse, parse_line
from ipsets.sources.plain import read as read_list
from ipsets.sources.rules import Unsupported
from ipsets.text import entry_text
from tests.ipsets.making import LATER, NOW
from tests.ipsets.origins import Asked, Reply, Web, web


def read(line: str) -> list[str]:
    return [entry_text(entry) for entry in parse_line(line)]


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("192.0.2.0/24", ["192.0.2.0/24"]),
        ("192.0.2.7", ["192.0.2.7/32"]),
        ("2605:340::/32", ["2605:340::/32"]),
        ("2605:340::1", ["2605:340::1/128"]),
        ("192.0.2.4-192.0.2.7", ["192.0.2.4/30"]),
        ("192.0.2.1 - 192.0.2.2", ["192.0.2.1/32", "192.0.2.2/32"]),
        ("2605:340::-2605:340::f", ["2605:340::/124"]),
        ("tiktok.com", [".tiktok.com"]),
        ("TikTok.COM.", [".tiktok.com"]),
        ("*.tiktok.com", [".tiktok.com"]),
        (".tiktok.com", [".tiktok.com"]),
        ("domain:tiktok.com", [".tiktok.com"]),
        ("full:www.tiktok.com", ["www.tiktok.com"]),
        ("||tiktok.com^", [".tiktok.com"]),
        ("0.0.0.0 www.tiktok.com m.tiktok.com", ["www.tiktok.com", "m.tiktok.com"]),
        ("127.0.0.1\twww.tiktok.com", ["www.tiktok.com"]),
        (":: www.tiktok.com", ["www.tiktok.com"]),
        ("127.0.0.1 localhost", []),
        ("0.0.0.0 0.0.0.0", []),
        ("bücher.example", [".xn--bcher-kva.example"]),
        ("_dns.tiktok.com", ["._dns.tiktok.com"]),
        ("# comment", []),
        ("; comment", []),
        ("! comment", []),
        ("// comment", []),
        ("   ", []),
        ("192.0.2.0/24 # ours", ["192.0.2.0/24"]),
        ("tiktok.com ; the site", [".tiktok.com"]),
        ("[Adblock Plus 2.0]", []),
    ],
)
def test_a_line_means_what_its_writer_meant(line: str, entries: list[str]) -> None:
    assert read(line) == entries


@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.1/24", "192.0.2.0/33", "192.0.2.256", "192.0.2", "074.125.000.000", "192.0.2.9-192.0.2.1",
        "192.0.2.1-2605:340::1", "192.0.2.1-", "fe80::1%eth0", "2605:340:::1", "https://www.tiktok.com/x",
        "tiktok.com/path", "two words", "tik tok.com", "-tiktok.com", "tiktok-.com", "tik..tok.com", "tiktok.com,1",
        "<html>", "{", '"tiktok.com"', "a" * 64 + ".com", "full:", "*.", "||tiktok.com", "/regex/", "@@||tiktok.com^",
        "tiktok.com;rm", "$(reboot)", "keyword:tiktok",
    ],
)  # fmt: skip
def test_i06_what_is_not_understood_is_an_error_and_never_skipped(line: str) -> None:
    with pytest.raises(ValueError):
        read(line)


@given(st.text(max_size=40))
def test_any_line_is_entries_or_an_error(line: str) -> None:
    try:
        entries = read(line)
    except ValueError:
        return
    for text in entries:
        assert text.isascii()
        assert not set(text) & set(" ;\"'$`\\{}()<>|&\n\r\t")  # it may reach a device


def test_every_bad_line_is_named_with_file_and_line() -> None:
    with pytest.raises(SourceImplausible) as caught:
        parse("tiktok.com\n\nnot a name\n192.0.2.1/24\n", place="extra.txt")
    assert caught.value.place == "extra.txt:3"
    assert "line 4" in caught.value.message
    assert "'192.0.2.1/24'" in caught.value.message


# --- lines of other tools' lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("||tiktok.com^$important", [".tiktok.com"]),
        ("||TikTok.com^$all,important", [".tiktok.com"]),
        ("DOMAIN,www.tiktok.com", ["www.tiktok.com"]),
        ("domain-suffix, tiktok.com", [".tiktok.com"]),
        ("DOMAIN-SUFFIX,tiktok.com,REJECT", [".tiktok.com"]),
        ("HOST,www.tiktok.com,TikTok", ["www.tiktok.com"]),
        ("HOST-SUFFIX,tiktok.com,TikTok", [".tiktok.com"]),
        ("IP-CIDR,192.0.2.0/24", ["192.0.2.0/24"]),
        ("IP-CIDR,192.0.2.0/24,no-resolve", ["192.0.2.0/24"]),
        ("IP-CIDR,192.0.2.0/24,REJECT,no-resolve", ["192.0.2.0/24"]),
        ("IP-CIDR6,2605:340::/32,no-resolve // ours", ["2605:340::/32"]),
        ("IP6-CIDR,2605:340::/32,TikTok", ["2605:340::/32"]),
        ("+.tiktok.com", [".tiktok.com"]),
        ("tiktok.com @!cn", [".tiktok.com"]),
        ("domain:tiktok.com @cn @ads", [".tiktok.com"]),
        ("full:www.tiktok.com @!cn &bytedance # tagged", ["www.tiktok.com"]),
        ("Some label:192.0.2.0-192.0.2.255", ["192.0.2.0/24"]),
        ("Label: with, colons (2020):192.0.2.4 - 192.0.2.7", ["192.0.2.4/30"]),
        ("1.2.3.4 and more:192.0.2.4-192.0.2.7", ["192.0.2.4/30"]),
    ],
)
def test_a_line_of_another_tool_means_what_it_means_there(line: str, entries: list[str]) -> None:
    assert read(line) == entries


UNSUPPORTED = [
    "/^tik.*tok[0-9]/", "/tiktok/$important", "tiktok.com##.banner", "tiktok.com#@#.banner", "tiktok.com#?#div:has(a)",
    "tiktok.com$$script", "||tik*.com^", "||*.tiktok.com^", "tiktok.*", "*tiktok*", "||tiktok.com", "|tiktok.com^",
    "||tiktok.com/path^", "tiktok.com^", "||tiktok.com^$third-party", "||tiktok.com^$important,client='Mary Ann'",
    "||tiktok.com^$dnsrewrite=NOERROR;A;192.0.2.1", "DOMAIN-KEYWORD,tiktok", "HOST-KEYWORD,tiktok,TikTok",
    "DOMAIN-REGEX,^tik", "PROCESS-NAME,com.zhiliaoapp.musically", "USER-AGENT,TikTok*,TikTok", "GEOIP,CN",
    "AND,((DOMAIN,tiktok.com),(NETWORK,UDP))", "keyword:tiktok", "regexp:^tik.+tok$", "regex:tik tok",
]  # fmt: skip
NEVER_PASSED_OVER = [
    "@@||tiktok.com^", "@@/tik/", "||tiktok.com^$badfilter", "include:bytedance", "INCLUDE:bytedance @!cn",
    "DOMAIN-SUFFIX,tiktok.com,DIRECT", "HOST-SUFFIX,tiktok.com,direct", "GEOIP,CN,DIRECT", "MATCH,REJECT",
    "FINAL,DIRECT", "DOMAIN,tiktok.com,REJECT,more", "DOMAIN,tiktok.com,no-resolve", "DOMAIN,", "DOMAIN,192.0.2.1",
    "IP-CIDR,tiktok.com", "IP-CIDR,192.0.2.1/24", "IP-CIDR,074.125.000.000/24",
    "Some label:074.125.000.000-074.125.000.255",
    "Some label:192.0.2.9-192.0.2.1", ":192.0.2.1-192.0.2.2", "full:192.0.2.1-192.0.2.2", "::192.0.2.1-192.0.2.9",
    "2605:340:::192.0.2.1-192.0.2.9", "192.0.2.0/24 @cn", "192.0.2.1 @cn", "tiktok.com cn", "tiktok.com @", "/24",
    "DOMAINS,tiktok.com", "payload:", "- tiktok.com", "'tiktok.com'",
]  # fmt: skip


@pytest.mark.parametrize("line", UNSUPPORTED)
def test_i06_what_no_list_of_names_can_say_is_refused_or_counted(line: str) -> None:
    with pytest.raises(Unsupported):
        read(line)
    with pytest.raises(SourceImplausible, match="not an address or a name") as caught:
        parse(f"tiktok.com\n{line}\n", place="theirs.txt")
    assert caught.value.place == "theirs.txt:2"
    found = read_list(f"{line}\ntiktok.com\n{line}\n", place="theirs.txt", skip_unsupported=True)
    assert [entry for _, entry in found.entries] == [DomainName("tiktok.com")]
    assert found.skipped == 2
    assert found.first.startswith("line 1: ")


@pytest.mark.parametrize("line", NEVER_PASSED_OVER)
def test_i06_what_would_change_the_meaning_is_an_error_even_when_skipping(line: str) -> None:
    with pytest.raises(SourceImplausible) as caught:
        read_list(f"example.com\n{line if line != 'payload:' else 'payload: x'}\n", place="l", skip_unsupported=True)
    assert caught.value.place == "l:2"


def test_a_clash_payload_is_read_through_its_dashes_and_quotes() -> None:
    text = (
        "# NAME: TikTok\npayload:\n  - DOMAIN,www.tiktok.com\n  - 'DOMAIN-SUFFIX,tiktokv.com' # api\n"
        '  - "+.tiktokcdn.com"\n  # addresses\n\n- IP-CIDR,192.0.2.0/24,no-resolve\n'
    )
    assert [(line, entry_text(entry)) for line, entry in parse(text, place="theirs.yaml")] == [
        (3, "www.tiktok.com"),
        (4, ".tiktokv.com"),
        (5, ".tiktokcdn.com"),
        (8, "192.0.2.0/24"),
    ]


@pytest.mark.parametrize("bad", ["  - 'tiktok.com", "  - 'a.com' 'b.com'", "rules:", "  - [a.com, b.com]"])
def test_other_yaml_in_a_payload_is_an_error(bad: str) -> None:
    with pytest.raises(SourceImplausible) as caught:
        parse(f"payload:\n  - example.com\n{bad}\n", place="theirs.yaml")
    assert caught.value.place == "theirs.yaml:3"


PIECES = (
    "||", "^", "$", "important", "badfilter", "@@", "##", "/", "*", "+.", "payload:\n", "- ", "'", '"', "DOMAIN,",
    "DOMAIN-SUFFIX,", "IP-CIDR,", ",no-resolve", ",REJECT", "DOMAIN-KEYWORD,", "full:", "domain:", "keyword:",
    "include:", " @!cn", " &x", ":", "-", ".", " ", "\n", "\t", "# ", "label", "tiktok.com", "192.0.2.0", "192.0.2.9",
    "/24", "::1", "2605:340::", "0.0.0.0 ", "é", "\u2028", "\0", "a" * 300, "9" * 5000,
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=30).map("".join), st.booleans())
def test_any_text_is_entries_or_implausible_and_bounded(text: str, skip: bool) -> None:
    try:
        found = read_list(text, place="fuzz", skip_unsupported=skip)
    except SourceImplausible as exc:
        said = str(exc)
    else:
        said = found.first
        _check(found, len(text.splitlines()), skip=skip)
    assert len(said) < 6000


def _check(found: Parsed, lines: int, *, skip: bool) -> None:
    assert 0 < len(found.entries) <= 256 * lines
    assert found.skipped <= (lines if skip else 0)
    for line, entry in found.entries:
        assert 1 <= line <= lines
        assert not set(entry_text(entry)) & set(" ,;\"'$`\\{}()<>|&@*^\n\r\t")


def test_a_list_may_pass_over_what_it_cannot_say_and_tells_how_many(tmp_path: Path) -> None:
    path = tmp_path / "theirs.list"
    path.write_text("DOMAIN-SUFFIX,tiktok.com\nDOMAIN-KEYWORD,tiktok\nPROCESS-NAME,musically\n", encoding="utf-8")
    assert "line 3" in failure(filed(path)).message
    with structlog.testing.capture_logs() as logged:
        found = filed(path, unsupported="skip").fetch(NOW)
    assert [i.value for i in found.indicators] == [DomainName("tiktok.com")]
    assert found.skipped == 2
    assert [(e["event"], e["source"], e["lines"]) for e in logged] == [("list.skipped", "ours", 2)]
    assert "DOMAIN-KEYWORD,tiktok" in logged[0]["first"]


def test_nothing_but_unsupported_rules_is_an_empty_list(tmp_path: Path) -> None:
    path = tmp_path / "theirs.list"
    path.write_text("DOMAIN-KEYWORD,tiktok\n", encoding="utf-8")
    assert "1 unsupported" in failure(filed(path, unsupported="skip")).message


@pytest.mark.parametrize("name", ["x.example @cn", "x.example # one"])
def test_a_host_name_in_the_configuration_is_no_line_of_a_list(name: str) -> None:
    with pytest.raises(ValidationError, match="is no"):
        DnsConfig.model_validate({"kind": "dns", "resolvers": ["192.0.2.53"], "names": [name]})


# --- from a file ------------------------------------------------------------------------------------------------------


def filed(path: Path, **changes: object) -> Source:
    return build_source(ListConfig.model_validate({"kind": "list", "name": "ours", "file": path, **changes}))


def failure(source: Source) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.fetch(NOW)
    return caught.value


def test_a_file_is_read_with_the_line_of_every_entry(tmp_path: Path) -> None:
    path = tmp_path / "extra.txt"
    path.write_text("\ufeff# ours\r\n5.5.5.0/24\r\n\r\nexample.com # a name\r\n5.5.5.0/24\r\n", encoding="utf-8")
    found = filed(path).fetch(NOW).indicators
    assert [(i.value, i.sources[0].detail) for i in found] == [
        (parse_network("5.5.5.0/24"), "line 2"),
        (DomainName("example.com"), "line 4"),
    ]
    assert {i.sources[0].source for i in found} == {"list:ours"}


def test_an_untrusted_list_counts_only_inside_tiktoks_own_prefixes(tmp_path: Path) -> None:
    path = tmp_path / "extra.txt"
    path.write_text("5.5.5.0/24\n103.136.220.7\nexample.com\n", encoding="utf-8")
    found = {entry_text(i.value): i.dedication for i in filed(path, dedicated=False).fetch(NOW).indicators}
    assert found == {
        "5.5.5.0/24": Dedication.UNKNOWN,
        "103.136.220.7/32": Dedication.DEDICATED,
        ".example.com": Dedication.DEDICATED,
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"# only comments\n\n", "empty", id="comments"),
        pytest.param(b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "HTML", id="a-page"),
        pytest.param(b"\n\n   <HTML lang=de>", "HTML", id="another-page"),
        pytest.param(b"tiktok.com\n\x00\x01\x02\n", "binary", id="binary"),
        pytest.param(b"\xff\xfet\x00i\x00", "UTF-8", id="another-charset"),
        pytest.param(b"x" * 5000, "bytes", id="huge"),
    ],
)
def test_i02_a_file_that_is_no_list_is_an_error(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "extra.txt"
    path.write_bytes(content)
    error = failure(filed(path, max_bytes=1024))
    assert isinstance(error, SourceImplausible)
    assert said in error.message
    assert str(path) in str(error)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "l.txt")
    error = failure(filed(tmp_path / "l.txt"))
    assert isinstance(error, SourceUnreachable)
    assert "not a regular file" in error.message


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    error = failure(filed(tmp_path / "none.txt"))
    assert isinstance(error, SourceUnreachable)
    assert "No such file" in error.message
    assert isinstance(failure(filed(tmp_path)), SourceUnreachable)


# --- from a URL -------------------------------------------------------------------------------------------------------

LIST = "5.5.5.0/24\n5.5.6.0/24\nexample.com\n"


def linked(origin: Web, path: str = "/list.txt", slept: list[float] | None = None, **changes: object) -> Source:
    given = {"kind": "list", "name": "ours", "url": origin.url + path, "timeout_seconds": 5, **changes}
    return build_source(ListConfig.model_validate(given), sleep=(slept if slept is not None else []).append)


def test_an_unchanged_list_is_not_sent_again() -> None:
    def remembers(asked: Asked, _: int) -> Reply:
        if asked.headers.get("if-none-match") == '"v1"' and "if-modified-since" in asked.headers:
            return Reply(status=304)
        return Reply(body=LIST, headers={"ETag": '"v1"', "Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"})

    with web(remembers) as origin:
        first = linked(origin).fetch(NOW)
        again = linked(origin).fetch(LATER, LastGood(indicators=first.indicators, memo=first.memo, skipped=7))
        # the same address read with another meaning is another list
        other = linked(origin, dedicated=False).fetch(LATER, LastGood(indicators=first.indicators, memo=first.memo))
    assert [i.value for i in again.indicators] == [i.value for i in first.indicators]
    assert {i.sources[0].last_seen for i in again.indicators} == {LATER}
    assert "if-none-match" in origin.asked[1].headers
    assert "if-none-match" not in origin.asked[2].headers
    assert {i.dedication for i in other.indicators} == {Dedication.UNKNOWN, Dedication.DEDICATED}
    assert json.loads(again.memo)["etag"] == '"v1"'
    assert (first.skipped, again.skipped) == (0, 7)


def test_a_304_that_nobody_asked_for_is_no_data() -> None:
    with web(lambda *_: Reply(status=304)) as origin:
        assert isinstance(failure(linked(origin)), SourceImplausible)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(Reply(body="<html>captive portal</html>"), "HTML", id="a-page"),
        pytest.param(Reply(body=""), "empty", id="empty"),
        pytest.param(Reply(body=LIST, claim=len(LIST) + 10), "broke off", id="cut"),
        pytest.param(Reply(body=LIST[:-1], tell_length=False), "broken off in its last line", id="cut-untold"),
        pytest.param(Reply(body="5.5.5.0/2", tell_length=False), "broken off", id="cut-in-a-length"),
        pytest.param(Reply(status=404, body=LIST), "404", id="not-found"),
        pytest.param(Reply(status=206, body=LIST), "206", id="part"),
        pytest.param(Reply(status=301, headers={"Location": "/list.txt"}), "redirects", id="in-circles"),
        pytest.param(
            Reply(status=302, headers={"Location": "http://intel.example/list.txt"}), "https", id="downgraded"
        ),
        pytest.param(Reply(body=LIST * 200), "more than 1024 bytes", id="huge"),
        pytest.param(Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), "encoded", id="a-bomb-perhaps"),
    ],
)
def test_i02_an_answer_that_is_no_list_is_an_error(reply: Reply, said: str) -> None:
    with web(lambda *_: reply) as origin:
        error = failure(linked(origin, max_bytes=1024))
    assert isinstance(error, SourceImplausible)
    assert said in error.message


def test_a_list_without_a_told_length_is_whole_when_its_last_line_is() -> None:
    with web(lambda *_: Reply(body=LIST, tell_length=False)) as origin:
        assert len(linked(origin).fetch(NOW).indicators) == 3


def test_a_redirect_on_the_same_machine_is_followed() -> None:
    def moved(asked: Asked, _: int) -> Reply:
        return Reply(body=LIST) if asked.path == "/new" else Reply(status=307, headers={"Location": "/new"})

    with web(moved) as origin:
        assert len(linked(origin).fetch(NOW).indicators) == 3


def test_a_cut_answer_is_asked_for_again() -> None:
    slept: list[float] = []

    def better(_: Asked, number: int) -> Reply:
        return Reply(body=LIST[:5], claim=len(LIST)) if number == 1 else Reply(body=LIST)

    with web(better) as origin:
        assert len(linked(origin, slept=slept).fetch(NOW).indicators) == 3
    assert slept == [1.0]
