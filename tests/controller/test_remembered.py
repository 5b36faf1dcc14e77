"""What is remembered is of the very same value, and of the same circumstances."""

from controller.remembered import Remembered


def test_it_is_made_again_only_for_another_value_or_beside_another() -> None:
    made = Remembered[list[int], str]()
    counted = iter(range(100))
    one, twin = [1], [1]
    assert made.of(one, "a", lambda: f"{next(counted)}") == "0"
    assert made.of(one, "a", lambda: f"{next(counted)}") == "0"
    assert made.of(twin, "a", lambda: f"{next(counted)}") == "1", "alike is not the same"
    assert made.of(one, "b", lambda: f"{next(counted)}") == "2"
    assert made.of(one, "a", lambda: f"{next(counted)}") == "3", "only the last is kept"


def test_it_is_bounded() -> None:
    made = Remembered[object, int](3)
    values = [object() for _ in range(10)]
    for n, value in enumerate(values):
        assert made.of(value, None, lambda n=n: n) == n  # type: ignore[misc]
    assert made.of(values[0], None, lambda: -1) == -1, "the first was forgotten"
    assert made.of(values[-1], None, lambda: -1) == 9
