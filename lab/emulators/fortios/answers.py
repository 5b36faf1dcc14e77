"""What a FortiGate says to a line that it does not take: the texts, letter by letter.

Collected from netdriver's FortiGate patterns, gnetcli's FortiOS tests, oxidized's 7.4.8 session, the vendor's guides.
Those that no source shows are marked *likely*; tests and adapters should rest on ``Return code`` there.
"""

from __future__ import annotations

from typing import Final

UNKNOWN_ACTION: Final = "Unknown action 0\n"
UNMATCHED_QUOTE: Final = "token line: Unmatched double quote.\n"
CONTINUE: Final = "Do you want to continue? (y/n)"


class Refusal(Exception):
    """The line is refused with this text, and nothing has changed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def failed(code: int, *lines: str) -> Refusal:
    """The message and the line that ends every one of them."""
    return Refusal("".join(f"{line}\n" for line in (*lines, f"Command fail. Return code {code}")))


def unknown_word(word: str) -> Refusal:
    """As oxidized's FortiGate-501E session shows it, blank line included."""
    return failed(-61, "", f"command parse error before '{word}'")


def incomplete() -> Refusal:
    return failed(-160, "", "incomplete command in the end")


def bad_value(code: int, word: str, *why: str) -> Refusal:
    """Why, a blank line, and the word before which the parser stopped."""
    return failed(code, *why, "", f"value parse error before '{word}'")


def bad_address(word: str) -> Refusal:
    return bad_value(-8, word, "invalid ip address")


def too_long(word: str, limit: int) -> Refusal:
    return failed(
        -1,
        f"string value is too long. the size is {len(word)}, the limit is {limit}",
        f"value parse error before '{word}'",
    )


def bad_number(word: str) -> Refusal:
    return bad_value(-651, word, f"invalid unsigned integer value: {word}")


def bad_fqdn(word: str) -> Refusal:
    return bad_value(-651, word, "domain name is not valid.", f"node_check_object fail! for fqdn {word}")


def bad_ports(word: str) -> Refusal:
    return failed(-650, f"node_check_object fail! for tcp-portrange {word}", f"value parse error before '{word}'")


def no_such(word: str) -> Refusal:
    return bad_value(-3, word, "entry not found in datasource")


def name_taken(name: str, mine: str, other: str) -> Refusal:
    return bad_value(
        -163,
        name,
        f"Name '{name}' conflict: '{mine}' and '{other}' cannot be the same name.",
        f"node_check_object fail! for name {name}",
    )


def discarded(code: int, *why: str) -> Refusal:
    """An object check at ``next`` that failed: the entry is gone."""
    return failed(1, *why, f"object check operator error, {code}, discard the setting")


def in_use(times: int) -> Refusal:
    return failed(-23, f"The entry is used by other {times} entries")


def not_deleted(word: str) -> Refusal:
    return failed(-3, f"delete table entry {word} unset oper error ret=-3")


def table_full() -> Refusal:
    return Refusal(
        "object set operator error, -4 discard the setting\n"
        "Command fail. Return code -4 (reached the maximum number of entries\n"
    )


def exists() -> Refusal:
    return failed(1, "object set operator error, -15 discard the setting")


def loop(field: str, word: str) -> Refusal:
    """Likely: loops are refused (CLI reference), the words are not shown."""
    return bad_value(-651, word, f"node_check_object fail! for {field} {word}")


def script_characters(word: str) -> Refusal:
    """Likely: the filter is described (CLI reference), its words are not shown."""
    return bad_value(-173, word, "The string contains XSS vulnerability characters")


def denied() -> Refusal:
    """Likely in its code; ``Permission denied`` is documented by gnetcli."""
    return failed(-37, "Permission denied")
