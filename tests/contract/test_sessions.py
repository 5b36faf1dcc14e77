"""Sessions that break, lie or are refused: never half a state, never a plan from half a reading."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from core.clock import SystemClock
from core.secret import SecretRef
from tests.contract.rig import DEVICE, TIKTOK, Rig, is_untouched, look, plan, push
from tests.contract.test_changes import EVERY_WAY, blocked, holds
from tests.contract.wishes import DEDICATED, NAMES, networks, wish
from vendors.adapter import Output, Session
from vendors.codec import content_digest
from vendors.errors import AuthRejected, HostKeyChanged, Uncertain, Unreachable, Unreadable
from vendors.session import connect

pytestmark = pytest.mark.root


@dataclass(slots=True)
class Tapped:
    """A session that tells what passes, so that a test can act between two commands."""

    inner: Session
    after: Callable[[str, Output], None] = lambda command, output: None
    before: Callable[[str], None] = lambda command: None

    @property
    def device(self):  # type: ignore[no-untyped-def]
        return self.inner.device

    def run(self, command: str, *, stdin: str = "", timeout: timedelta | None = None) -> Output:
        self.before(command)
        output = self.inner.run(command, stdin=stdin, timeout=timeout)
        self.after(command, output)
        return output

    def put(self, path: str, content: str, *, mode: int = 0o600) -> None:
        self.inner.put(path, content, mode=mode)


# --- readings that are cut off --------------------------------------------------------------------------------------


def test_i06_a_reading_cut_off_anywhere_is_no_reading(rig: Rig) -> None:
    push(rig, wish(rig, names=NAMES, monitor=("guest",)))
    texts: list[str] = []
    adapter = rig.adapter()
    with rig.session() as session:
        adapter.read(Tapped(session, after=lambda _, output: texts.append(output.text)))
    (text,) = texts
    assert is_untouched(adapter.parse(text))
    for end in range(len(text)):
        with pytest.raises(Unreadable):
            adapter.parse(text[:end])


def test_i06_counters_cut_off_anywhere_are_no_counters(rig: Rig) -> None:
    push(rig, wish(rig))
    texts: list[str] = []
    adapter = rig.adapter()
    with rig.session() as session:
        adapter.counters(Tapped(session, after=lambda _, output: texts.append(output.text)))
    (text,) = texts
    assert adapter.parse_counters(text).rules
    for end in range(len(text)):
        with pytest.raises(Unreadable):
            adapter.parse_counters(text[:end])


def test_the_check_of_a_device_that_needs_nothing_is_one_command(rig: Rig) -> None:
    push(rig, wish(rig))
    commands: list[str] = []
    with rig.session() as session:
        observed = rig.adapter().read(Tapped(session, before=commands.append))
    assert is_untouched(observed)
    assert len(commands) == 1


# --- sessions that are killed ---------------------------------------------------------------------------------------


def _change(rig: Rig) -> tuple[str, str]:
    """The content before and after the change that the tests below break into."""
    push(rig, wish(rig))
    old, change = plan(rig, wish(rig, members=DEDICATED | networks("192.0.2.0/24"), exempt=("guest",)))
    return content_digest(old.groups, old.rules), content_digest(change.desired.groups, change.desired.rules)


def _wanted(rig: Rig):  # type: ignore[no-untyped-def]
    return wish(rig, members=DEDICATED | networks("192.0.2.0/24"), exempt=("guest",))


def _content(rig: Rig) -> str:
    observed = look(rig)
    assert is_untouched(observed)
    return content_digest(observed.groups, observed.rules)


def test_i05_killed_before_the_change_leaves_the_old_state(rig: Rig) -> None:
    old, _ = _change(rig)
    observed, change = plan(rig, _wanted(rig))
    with rig.session() as session:
        rig.adapter().read(session)
        rig.kill_sessions()
        with pytest.raises((Unreachable, Uncertain)):
            rig.adapter().apply(session, observed, change)
    assert _content(rig) == old


def test_i05_killed_after_the_change_is_uncertain_and_the_next_look_says_new(rig: Rig) -> None:
    _, new = _change(rig)
    observed, change = plan(rig, _wanted(rig))

    def kill_once_loaded(command: str, output: Output) -> None:
        if "@@done" in output.text:
            rig.kill_sessions()

    with rig.session() as session, pytest.raises(Uncertain):
        rig.adapter().apply(Tapped(session, after=kill_once_loaded), observed, change)
    assert _content(rig) == new
    push(rig, _wanted(rig))
    assert holds(rig, _wanted(rig))


@pytest.mark.parametrize("milliseconds", [5, 20, 35, 60])
def test_i05_killed_at_any_moment_leaves_old_or_new(rig: Rig, milliseconds: int) -> None:
    old, new = _change(rig)
    observed, change = plan(rig, _wanted(rig))
    with rig.session() as session:
        rig.adapter().read(session)
        killer = threading.Timer(milliseconds / 1000, rig.kill_sessions)
        killer.start()
        try:
            rig.adapter().apply(session, observed, change)
        except (Unreachable, Uncertain):
            pass
        finally:
            killer.join()
    assert _content(rig) in (old, new)
    assert blocked(rig, "company", *EVERY_WAY[:2]) == set(EVERY_WAY[:2])
    push(rig, _wanted(rig))
    assert holds(rig, _wanted(rig))


# --- logins that are refused ----------------------------------------------------------------------------------------


def test_i10_a_changed_host_key_stops_everything(rig: Rig) -> None:
    pinned = rig.endpoint()
    rig.change_host_key()
    with pytest.raises(HostKeyChanged), connect(pinned, clock=SystemClock()):
        pytest.fail("logged in")
    push(rig, wish(rig))  # the rig pins the new key, as a person would


def test_a_wrong_password_is_tried_once(rig: Rig, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", "not-the-password")
    wrong = rig.endpoint(key_file=None, password=SecretRef.parse("secret://env/TOKGATE_TEST_PASSWORD"))
    with pytest.raises(AuthRejected, match=str(DEVICE)), connect(wrong, clock=SystemClock()):
        pytest.fail("logged in")
    assert blocked(rig, "company", f"tcp:{TIKTOK.v4}:443") == set()
