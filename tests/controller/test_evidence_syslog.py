"""Messages as devices write them, times without a year, bytes of any charset, and streams cut anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.evidence import lines, syslog
from controller.evidence.lines import Unfit, decoded, dns_name, shown, url_parts
from controller.evidence.syslog import Frames, Overlong

NOW = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("raw", "host", "app", "text", "at"),
    [
        pytest.param(
            b"<34>Oct 11 22:14:15 mymachine su: failed", "mymachine", "su", "failed", "10-11T20:14:15", id="3164"
        ),
        pytest.param(b"<34>Nov  7 02:14:15 host su[12]: x", "host", "su", "x", "11-07T01:14:15", id="day-with-a-blank"),
        pytest.param(
            b"<34>Nov 27 2026 08:15:01: %ASA-6-1: x", "", "", "%ASA-6-1: x", "11-27T07:15:01", id="year-no-host"
        ),
        pytest.param(
            b"<34>Nov 27 2026 08:15:01 fw : %ASA-6-1: x", "fw", "", "%ASA-6-1: x", "11-27T07:15:01", id="device-id"
        ),
        pytest.param(b"<34>2026-11-27T07:15:01Z fw : %FTD-6-1: x", "fw", "", "%FTD-6-1: x", "11-27T07:15:01", id="iso"),
        pytest.param(b"<34>Nov 27 07:15:01 UTC fw x: y", "fw", "x", "y", "11-27T07:15:01", id="says-utc"),
        pytest.param(b"<34>date=1 time=2", "", "", "date=1 time=2", "11-27T07:30:00", id="no-header"),
        pytest.param(b"no pri at all", "", "", "no pri at all", "11-27T07:30:00", id="nothing"),
        pytest.param(
            b"<34>1 2026-11-27T08:15:01.003+01:00 h a 1 ID - \xef\xbb\xbft", "h", "a", "t", "11-27T07:15:01", id="bom"
        ),
        pytest.param(b'<34>1 - h a - - [x@1 a="b\\]"][y b="c"] t', "h", "a", "t", "11-27T07:30:00", id="data"),
        pytest.param(b"<34>1 - - - - - [not data", "", "", "[not data", "11-27T07:30:00", id="no-data"),
    ],
)
def test_a_header_is_read_as_devices_write_it(raw: bytes, host: str, app: str, text: str, at: str) -> None:
    found = syslog.parse(raw, NOW, zone=BERLIN)
    assert (found.host, found.app, found.text) == (host, app, text)
    assert found.at.replace(microsecond=0) == datetime.fromisoformat(f"2026-{at}+00:00")
    assert (found.facility, found.severity) == ((4, 2) if raw.startswith(b"<") else (None, None))


def test_structured_data_is_unescaped_and_the_first_of_two_counts() -> None:
    found = syslog.parse(b'<34>1 - h a - M [x@1 a="1\\"2\\\\" a="3" b=""][y c="]"] t', NOW)
    assert found.data == {"x@1": {"a": '1"2\\', "b": ""}, "y": {"c": "]"}}
    assert (found.msgid, found.text) == ("M", "t")


@pytest.mark.parametrize(
    "raw", [b"", b"<34>", b"<192>x", b"\n\0 ", b"<34>Feb 30 12:00:00 h x", b"<34>Nov 27 25:00:00 h x"]
)
def test_what_cannot_be_is_no_message(raw: bytes) -> None:
    with pytest.raises(Unfit):
        syslog.parse(raw, NOW)


@pytest.mark.parametrize(
    ("text", "now", "year"),
    [
        pytest.param("Dec 31 23:59:59", "2027-01-01T00:00:05", 2026, id="last-year"),
        pytest.param("Jan  1 00:00:01", "2026-12-31T23:59:58", 2027, id="next-year-a-fast-clock"),
        pytest.param("Feb 29 12:00:00", "2026-03-01T00:00:00", None, id="a-day-that-is-not"),
        pytest.param("Feb 29 12:00:00", "2028-03-01T00:00:00", 2028, id="a-leap-day"),
        pytest.param("Jul 27 12:00:00", "2026-11-27T00:00:00", 2026, id="months-ago"),
    ],
)
def test_a_time_without_a_year_is_the_nearest(text: str, now: str, year: int | None) -> None:
    near = datetime.fromisoformat(now + "+00:00")
    if year is None:
        with pytest.raises(Unfit):
            syslog.bsd_time(text, near, UTC)
    else:
        assert syslog.bsd_time(text, near, UTC).year == year


@pytest.mark.parametrize("minute", [30, 31])
def test_the_hour_that_comes_twice_is_the_one_that_is_now(minute: int) -> None:
    """02:30 in Berlin on 25 October 2026 is 00:30Z and 01:30Z."""
    for hour in (0, 1):
        now = datetime(2026, 10, 25, hour, minute, tzinfo=UTC)
        assert syslog.bsd_time(f"Oct 25 02:{minute}:00", now, BERLIN) == now


def test_bytes_of_any_charset_say_what_they_were() -> None:
    assert decoded("Grüße".encode()) == ("Grüße", 0)
    assert decoded("Grüße".encode("latin-1")) == (r"Gr\xfc\xdfe", 2)
    text, strange = decoded("Привет".encode("utf-16"))
    assert strange > 0
    assert text.isprintable()
    assert decoded(b"a\x1b[2Jb\x00\xe2\x80\xaec") == ("a\\x1b[2Jb\\x00\\u202ec", 0)
    assert len(shown(b"\xff" * 100_000)) <= 241


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("WWW.TikTok.com.", "www.tiktok.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("10.0.0.1", ""),
        ("a..b", ""),
    ],
)
def test_a_name_is_a_labels_or_nothing(text: str, name: str) -> None:
    assert dns_name(text) == name


# --- framing --------------------------------------------------------------------------------------------------------

MESSAGES = st.binary(min_size=1, max_size=40).filter(lambda m: m.strip(b"\r\n\0 ") and m[:1] not in b"\r\n\0 ")
LINES = MESSAGES.filter(lambda m: b"\n" not in m and m[:1] not in b"123456789" and m == m.strip(b"\r\0 "))


def fed(stream: bytes, cuts: list[int], limit: int = syslog.LIMIT) -> list[bytes | Overlong]:
    """What comes out when the stream arrives in these pieces."""
    frames, edges = Frames(limit), sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    found = [message for start, end in pairwise(edges) for message in frames.feed(stream[start:end])]
    rest = frames.end()
    return found if rest is None else [*found, rest]


@given(
    messages=st.lists(st.tuples(MESSAGES, st.booleans()), max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_both_framings_in_one_stream_cut_anywhere(messages: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    sent = [(m, counted or b"\n" in m or m[:1] in b"123456789" or m != m.strip(b"\r\0 ")) for m, counted in messages]
    stream = b"".join(b"%d %s" % (len(m), m) if counted else m + b"\n" for m, counted in sent)
    assert fed(stream, cuts) == [m for m, _ in sent]


@given(before=LINES, after=LINES, size=st.integers(101, 5_000), cuts=st.lists(st.integers(0, 10_000), max_size=8))
@pytest.mark.parametrize("counted", [True, False])
def test_a_message_that_is_too_long_is_passed_over_and_the_next_is_read(
    counted: bool, before: bytes, after: bytes, size: int, cuts: list[int]
) -> None:
    long = b"%d %s" % (size, b"x" * size) if counted else b"x" * size + b"\n"
    found = fed(before + b"\n" + long + after + b"\n", cuts, limit=100)
    assert [found[0], found[-1]] == [before, after]
    assert [f.size for f in found if isinstance(f, Overlong)] == [size]
    assert len(found) == 3


def test_a_flood_without_an_end_is_not_kept() -> None:
    frames = Frames()
    for _ in range(200):
        assert frames.feed(b"x" * 65_536) == []
        assert len(frames._rest) <= syslog.LIMIT
    assert frames.end() == Overlong(b"x" * 512, 200 * 65_536)


@pytest.mark.parametrize("stream", [b"99999999 x", b"17000000 <1>x"])
def test_a_frame_of_an_impossible_length_ends_the_connection(stream: bytes) -> None:
    frames = Frames()
    assert frames.feed(b"<1>good\n" + stream) == [b"<1>good"]
    assert "was announced" in frames.trouble
    assert frames.feed(b"<1>more\n") == []


def test_the_end_inside_a_message_is_told() -> None:
    frames = Frames()
    assert frames.feed(b"<1>whole\n<1>ha") == [b"<1>whole"]
    assert frames.end() == b"<1>ha"


def test_what_is_remembered_is_short() -> None:
    """A flood of long names, addresses and numbers, each another, keeps no memory."""
    texts = (lines.NAMES, lines.ADDRESSES, lines.NUMBERS, lines.PORTS)
    before = [*map(len, texts), syslog.iso_time.cache_info().currsize]
    for n in range(50):
        long = f"{n}." + "x" * 5_000
        assert dns_name(long) == ""
        assert url_parts(f"https://{long}/{long}")[0] == ""
        for refuse in (lines.address, lines.number, lines.port):
            with pytest.raises(Unfit):
                refuse(long)
        with pytest.raises(Unfit):
            syslog.iso_time(long, UTC)
    assert [*map(len, texts), syslog.iso_time.cache_info().currsize] == before


def test_texts_that_are_all_new_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_REMEMBERED", 100)
    texts = lines.Read(int)
    assert [texts[str(n)] for n in range(1_000)] == list(range(1_000))
    assert len(texts) <= 100
