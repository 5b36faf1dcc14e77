"""The ground floor's other values: clocks, secrets, ids, errors."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.clock import ManualClock, SystemClock
from core.errors import SecretUnavailable, TokgateError
from core.ids import NAME, new_id
from core.secret import HIDDEN, Secret, SecretRef

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def test_a_jump_of_the_wall_clock_moves_no_deadline() -> None:
    clock = ManualClock(NOON)
    clock.advance(timedelta(seconds=5))
    clock.jump(NOON - timedelta(days=3650))
    assert clock.monotonic() == 5.0
    assert clock.now() == NOON - timedelta(days=3650)


def test_a_naive_time_is_no_time() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001  # what is refused


def test_the_machines_clock_is_aware() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_i09_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("hunter2")
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>20}"} == {HIDDEN}
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_i09_a_plain_value_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="reference") as caught:
        SecretRef.parse("hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_reference_is_read_from_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    monkeypatch.setenv("TOKGATE_TEST_SECRET", "from-env")
    assert SecretRef.parse(f"secret://file{tmp_path}/secret").resolve() == Secret("s3cret")
    assert SecretRef.parse("secret://env/TOKGATE_TEST_SECRET").resolve() == Secret("from-env")


@pytest.mark.parametrize("reference", ["secret://env/TOKGATE_NOT_SET", "secret://file/nonexistent/tokgate"])
def test_a_reference_to_nothing_says_what_to_do(reference: str) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        SecretRef.parse(reference).resolve()
    assert reference in str(caught.value)
    assert caught.value.hint


def test_ids_sort_by_time_and_are_safe_as_names() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(NAME.fullmatch(one) for one in ids)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 41, "a b", "a;b", "a\n"])
def test_a_name_that_may_reach_a_device_is_of_a_small_alphabet(name: str) -> None:
    assert NAME.fullmatch(name) is None


def test_an_error_says_code_place_device_message_and_hint() -> None:
    error = TokgateError("it broke", hint="mend it", device="fw-a", place="x.yaml:3")
    assert str(error) == "TG1000 x.yaml:3: fw-a: it broke (mend it)"
