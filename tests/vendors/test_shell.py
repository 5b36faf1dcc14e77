"""A terminal cut anywhere: every answer is matched to its line, and a refusal to the line that caused it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from core.ids import DeviceName
from core.secret import SecretRef
from lab.emulators.server import served
from tests.lab.emulators.plain import PlainDevice
from vendors.adapter import Endpoint, Session
from vendors.errors import LineRefused, Unreachable, Unreadable
from vendors.session import connect
from vendors.shell import Dialect, Said, Terminal, gathered, sections

DEVICE = DeviceName("fw")
DIALECT = Dialect(
    driver="cisco_asa",
    prompt=r"(?P<host>fw\d)(?:\([\w-]+\))?[>#] ",
    pager="<--- More --->",
    noise=r"\r?\n?Beginning configuration replication[^\n]*\n",
)


@dataclass
class Box:
    """A device of few words behind a wire that hands out its characters in pieces of any size."""

    answer: Callable[[str], str]
    cuts: Iterator[int] = field(default_factory=lambda: iter(()))
    before_prompt: str = ""
    prompt: str = "fw1# "
    out: deque[str] = field(default_factory=deque)
    typed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._say(f"Welcome\r\n{self.prompt}")

    def send(self, text: str) -> None:
        for line in text.splitlines():
            self.typed.append(line)
            self._say(f"{line}\r\n{self.answer(line)}{self.before_prompt}{self.prompt}")

    def receive(self) -> str:
        if not self.out:
            raise EOFError
        whole = self.out.popleft()
        cut = next(self.cuts, len(whole))
        if 0 < cut < len(whole):
            self.out.appendleft(whole[cut:])
            return whole[:cut]
        return whole

    def pending(self) -> bool:
        return bool(self.out)

    def _say(self, text: str) -> None:
        self.out.append(text)


def terminal(box: Box, dialect: Dialect = DIALECT) -> Terminal:
    made = Terminal(box, dialect, DEVICE)
    made.start()
    return made


def wrong(said: Said) -> str | None:
    return said.text.strip() if "ERROR" in said.text else None


def short(line: str) -> str:
    return f"ERROR: {line}\r\n" if line.startswith("bad") else f"about {line}\r\n" if line.startswith("say") else ""


LINES = st.lists(st.sampled_from(["say a", "say b", "set x 1", "set y fw1# 2", "description fw1>"]), max_size=30)
CUTS = st.lists(st.integers(1, 9), max_size=400).map(iter)


@given(lines=LINES, cuts=CUTS, window=st.sampled_from([0, 20, 16_384]))
def test_every_answer_belongs_to_its_line_wherever_the_characters_are_cut(
    lines: list[str], cuts: Iterator[int], window: int
) -> None:
    box = Box(short, cuts)
    said = terminal(box, Dialect(driver="cisco_asa", prompt=DIALECT.prompt, window=window)).stream(lines, wrong)
    assert [one.line for one in said] == lines
    assert [one.text for one in said] == [short(line).replace("\r", "") for line in lines]
    assert box.typed == lines


@given(before=LINES, after=LINES, cuts=CUTS)
def test_a_refusal_is_told_of_the_line_that_caused_it(before: list[str], after: list[str], cuts: Iterator[int]) -> None:
    with pytest.raises(LineRefused) as caught:
        terminal(Box(short, cuts)).stream([*before, "bad one", *after], wrong)
    assert caught.value.index == len(before)
    assert caught.value.said.line == "bad one"
    assert caught.value.reason == "ERROR: bad one"
    assert len(caught.value.answered) == len(before) + 1 + len(after)


def test_one_line_at_a_time_sends_nothing_behind_a_refused_line() -> None:
    box = Box(short)
    with pytest.raises(LineRefused):
        terminal(Box(short), DIALECT).stream(["bad"], wrong)
    alone = Dialect(driver="cisco_asa", prompt=DIALECT.prompt, window=0)
    with pytest.raises(LineRefused):
        terminal(box, alone).stream(["set 1", "bad 2", "set 3"], wrong)
    assert box.typed == ["set 1", "bad 2"]


@given(cuts=CUTS)
def test_what_looks_like_a_prompt_of_another_host_ends_no_answer(cuts: Iterator[int]) -> None:
    box = Box(lambda _: "hostname fw2\r\nfw2# \r\nend\r\n", cuts)
    assert terminal(box).ask("show run").text == "hostname fw2\nfw2# \nend\n"


def test_lines_that_come_unasked_are_taken_out() -> None:
    box = Box(short, before_prompt="\r\nBeginning configuration replication from mate.\r\n")
    assert [one.text for one in terminal(box).stream(["say a", "set x"], wrong)] == ["about say a\n", ""]


def test_terminal_codes_are_no_text() -> None:
    box = Box(lambda _: "\x1b[Kone\x1b[0m\r\n\x1b[?2004h", iter([30, 1, 1, 1, 1]))
    assert terminal(box).ask("show").text == "one\n"


def test_an_answer_without_the_echo_of_its_line_is_not_understood() -> None:
    box = Box(short)
    opened = terminal(box)
    box.out.append("fw1# stray\r\nfw1# ")
    with pytest.raises(Unreadable, match="no echo of `show`"):
        opened.ask("show")


class Narrow(Box):
    """Draws a line of more than 16 characters anew at every fourth key: moved to the left, behind a `$`."""

    def send(self, text: str) -> None:
        for line in text.splitlines():
            self.typed.append(line)
            self._say(f"{''.join(self._key(line, at) for at in range(len(line)))}\r\n{self.answer(line)}{self.prompt}")

    def _key(self, line: str, at: int) -> str:
        if at < 16 or at % 4:
            return line[at]
        return f"\r{self.prompt}${line[at - 8 : at + 1]}   \x08\x08\x08"


LONG = st.lists(st.sampled_from(["say a", f"say {'b ' * 20}end", f"set {'c' * 30}", f"set {'c' * 31}"]), max_size=12)


@given(lines=LONG, cuts=CUTS, window=st.sampled_from([0, 60, 16_384]))
def test_a_line_that_is_drawn_anew_is_known_by_how_it_begins(
    lines: list[str], cuts: Iterator[int], window: int
) -> None:
    box = Narrow(short, cuts)
    dialect = Dialect(driver="cisco_asa", prompt=DIALECT.prompt, folds=True, window=window)
    told = [short(line).replace("\r", "") for line in lines]
    assert [one.text for one in terminal(box, dialect).stream(lines, wrong)] == told
    opened = terminal(Narrow(short, cuts), dialect)
    assert [opened.ask(line).text for line in lines] == told


def test_another_line_than_was_sent_is_not_taken_for_its_echo() -> None:
    box = Narrow(short)
    opened = terminal(box, Dialect(driver="cisco_asa", prompt=DIALECT.prompt, folds=True))
    box.out.append("fw1# stray\r\nfw1# ")
    with pytest.raises(Unreadable, match="no echo of `show`"):
        opened.ask("show")


@given(st.dictionaries(st.from_regex(r"[a-z |-]{1,20}", fullmatch=True), st.text("abc @\n", max_size=40), max_size=5))
def test_gathered_answers_are_read_back(answers: dict[str, str]) -> None:
    told = {line: "".join(f".{part}\n" for part in text.splitlines()) for line, text in answers.items()}
    text = gathered(Said(line=line, text=answer, prompt="# ") for line, answer in told.items())
    assert sections(text) == told
    for end in range(len(text)):
        with pytest.raises(Unreadable):
            sections(text[:end])


# --- over SSH -------------------------------------------------------------------------------------------------------

PLAIN = Dialect(driver="cisco_asa", prompt=r"(?P<host>\w+@plain)> ", pager="<--- More --->")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PlainDevice, Endpoint]]:
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", "pw")
    device = PlainDevice(paged=True)
    with served([device]) as places:
        at = places["plain"]
        yield (
            device,
            Endpoint(
                device=DEVICE,
                host=at.host,
                port=at.port,
                username="admin",
                password=SecretRef.parse("secret://env/TOKGATE_TEST_PASSWORD"),
                key_file=None,
                key_passphrase=None,
                host_keys=(at.host_key,),
                budget=timedelta(seconds=20),
            ),
        )


@pytest.fixture
def session(plain: tuple[PlainDevice, Endpoint]) -> Iterator[Session]:
    with connect(plain[1], clock=SystemClock()) as made:
        yield made


def test_a_pager_is_answered_and_leaves_no_trace(session: Session) -> None:
    with session.shell(PLAIN) as shell:
        assert shell.ask("say 30").text == "".join(f"line {at}\n" for at in range(30))


def test_opening_a_shell_sends_not_one_line(session: Session, plain: tuple[PlainDevice, Endpoint]) -> None:
    with session.shell(PLAIN):
        assert plain[0].seen == []


def test_a_secret_is_neither_echoed_nor_told(plain: tuple[PlainDevice, Endpoint], tmp_path) -> None:  # type: ignore[no-untyped-def]
    with (tmp_path / "transcript").open("w+") as transcript:
        with (
            connect(plain[1], clock=SystemClock(), transcript=transcript) as session,
            session.shell(PLAIN) as shell,
        ):
            assert shell.ask("enable", until="Password: ").prompt == "Password: "
            assert shell.ask("secret", secret=True) == Said(line="", text="Right.\n", prompt="admin@plain> ")
        transcript.seek(0)
        told = transcript.read()
    assert "> enable" in told
    assert "secret" not in told


def test_a_second_login_sees_the_device_beside_the_first(session: Session) -> None:
    with session.shell(PLAIN) as shell, session.again() as other, other.shell(PLAIN) as second:
        assert (shell.ask("say 1").text, second.ask("say 2").text) == ("line 0\n", "line 0\nline 1\n")


def test_many_lines_each_with_its_own_answer(session: Session) -> None:
    lines = [f"set {at}" for at in range(1500)]
    with session.shell(PLAIN) as shell:
        said = shell.stream(lines, lambda one: None)
    assert [one.text for one in said] == [f"{line}\n" for line in lines]


def test_a_session_that_dies_while_lines_are_in_flight_is_unreachable(
    session: Session, plain: tuple[PlainDevice, Endpoint]
) -> None:
    with session.shell(PLAIN) as shell:
        plain[0].faults.arm(200, "after")
        with pytest.raises(Unreachable, match="500 lines"):
            shell.stream([f"set {at}" for at in range(500)], lambda one: None)
    assert len(plain[0].seen) == 200


def test_a_line_that_takes_too_long_ends_the_session(session: Session) -> None:
    with session.shell(PLAIN) as shell, pytest.raises(Unreachable, match="out of time"):
        shell.ask("say 1", until="never this", timeout=timedelta(seconds=0.5))
        shell.ask("slow", timeout=timedelta(milliseconds=1))
