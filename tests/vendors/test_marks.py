"""Marks as text, and places by an anchor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from core.ids import new_id
from vendors.marks import LONGEST, mark_from, mark_text
from vendors.model import Mark
from vendors.placing import After, Placement

HEX = "0123456789abcdef"
PLACES: TypeAdapter[object] = TypeAdapter(Placement)


@given(st.text(HEX, min_size=12, max_size=12), st.text(HEX, min_size=64, max_size=64), st.text(max_size=3))
def test_a_mark_is_read_back_and_nothing_else_is_one(snapshot: str, desired: str, more: str) -> None:
    mark = Mark(owner=new_id(), snapshot=snapshot, desired=desired)
    text = mark_text(mark)
    assert len(text) <= LONGEST
    assert mark_from(f' "{text}"\n') == mark
    assert mark_from(text[:-1]) is None
    assert mark_from(text + more) in ((mark,) if not more.strip().strip('"') else (None,))


def test_a_place_is_the_top_or_one_anchor() -> None:
    assert PLACES.validate_python("top") == "top"
    assert PLACES.validate_python({"after": "Allow DNS"}) == After(after="Allow DNS")


@pytest.mark.parametrize("wrong", ["bottom", {}, {"before": "a", "after": "b"}, {"before": 'a"b'}, {"after": "a\nb"}])
def test_anything_else_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        PLACES.validate_python(wrong)
