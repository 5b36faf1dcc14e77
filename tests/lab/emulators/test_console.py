"""The terminal of an emulated device: what is echoed, what stops, what is cut."""

from __future__ import annotations

import pytest

from lab.emulators.console import Console
from tests.lab.emulators.plain import Parrot, PlainDevice


def screen(console: Console, typed: str) -> str:
    return "".join(chunk.text for chunk in console.feed(typed))


def opened(device: PlainDevice | None = None) -> tuple[Console, PlainDevice]:
    device = device or PlainDevice()
    console = Console(Parrot(device, "admin"), device.faults)
    assert "".join(chunk.text for chunk in console.open()) == "Welcome.\r\nadmin@plain> "
    return console, device


def test_what_is_typed_is_echoed_and_answered_line_by_line() -> None:
    console, device = opened()
    assert screen(console, "hello\rsay 2\r") == (
        "hello\r\nhello\r\nadmin@plain> say 2\r\nline 0\r\nline 1\r\nadmin@plain> "
    )
    assert device.seen == ["hello", "say 2"]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_is_one(end: str) -> None:
    console, device = opened()
    screen(console, f"a{end}b{end}")
    assert device.seen == ["a", "b"]


def test_a_line_feed_that_comes_later_is_a_line_of_its_own() -> None:
    console, device = opened()
    screen(console, "a\r")
    assert screen(console, "\n") == "\r\nadmin@plain> "
    assert device.seen == ["a", ""]


def test_a_line_can_be_corrected_and_given_up() -> None:
    console, device = opened()
    assert screen(console, "ab\x7fc\r").startswith("ab\b \bc\r\nac\r\n")
    screen(console, "never mind\x03\r")
    screen(console, "gone\x15kept\r")
    assert device.seen == ["ac", "", "kept"]


def test_a_question_mark_helps_and_keeps_what_was_typed() -> None:
    console, device = opened()
    assert screen(console, "sh?") == "sh?\r\nhelp for 'sh'\r\nadmin@plain> sh"
    screen(console, "ow\r")
    assert device.seen == ["show"]


def test_a_password_is_not_echoed() -> None:
    console, device = opened()
    assert screen(console, "enable\r") == "enable\r\nPassword: "
    assert screen(console, "secret\r") == "\r\nRight.\r\nadmin@plain> "
    assert device.seen == ["enable"]


def test_output_stops_for_a_key() -> None:
    console, _ = opened(PlainDevice(paged=True))
    assert screen(console, "say 8\r").endswith("line 2\r\n<--- More --->")
    assert screen(console, " ").endswith("line 3\r\nline 4\r\nline 5\r\n<--- More --->")
    assert screen(console, "\r").endswith("line 6\r\n<--- More --->")
    assert screen(console, "q").endswith("admin@plain> ")


def test_a_session_dies_before_or_after_the_device_has_acted() -> None:
    for moment, acted in (("before", []), ("after", ["two"])):
        console, device = opened()
        device.faults.arm(2, moment, cut=2)  # type: ignore[arg-type]
        screen(console, "one\r")
        device.seen.clear()
        *_, last = console.feed("two\r")
        assert last.end == "torn"
        assert last.text == ("" if moment == "before" else "tw")
        assert device.seen == acted
        assert (console.closed, device.left) == (True, 1)


def test_what_comes_after_the_end_is_not_heard() -> None:
    console, device = opened()
    assert screen(console, "exit\rhello\r").endswith("Bye.\r\nadmin@plain> ")
    assert device.seen == ["exit"]
