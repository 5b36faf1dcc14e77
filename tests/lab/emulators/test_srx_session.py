"""Login, modes and the lock of an emulated SRX."""

from lab.emulators.srx import Srx


def test_exclusive_keeps_a_second_exclusive_out_until_it_leaves() -> None:
    device = Srx()
    first, second = device.login("admin"), device.login("other")
    assert "Entering configuration mode" in first.answer("configure exclusive").text
    assert first.prompt == "\r\n[edit]\r\nadmin@srx# "
    assert second.answer("configure exclusive").text.startswith("error: configuration database locked by:")
    assert second.prompt == "\r\nother@srx> "
    first.closed()
    assert "Entering configuration mode" in second.answer("configure exclusive").text


def test_unknown_words_are_refused_and_settings_answered() -> None:
    cli = Srx().login("admin")
    assert cli.answer("bogus").text == " " * 11 + "^\nunknown command.\n"
    assert cli.answer("set cli screen-width 511 ").text == "Screen width set to 511\n"
