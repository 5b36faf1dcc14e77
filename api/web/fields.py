"""Which field of a form an error is about: the way to it from what was refused, and the mark on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from api.web.wording import sentence
from core.errors import TokgateError

Fields = Mapping[str, tuple[str, str]]
"""The id of each on its page and its label, by the name that errors begin with."""


def about(error: TokgateError | None, fields: Fields) -> dict[str, Any]:
    """What a page shows of an error: ``trouble``, and ``field``, the id of the one to mark. Without ``trouble`` where
    there is nothing wrong."""
    if error is None:
        return {"field": ""}
    name, colon, _ = error.message.partition(": ")
    return {"field": fields[name][0] if colon and name in fields else "", "trouble": linked(error, fields)}


def linked(error: TokgateError, fields: Fields) -> Markup:
    """What is wrong, with the way to the field that it is about."""
    name, colon, rest = error.message.partition(": ")
    if not colon or name not in fields:
        return escape(sentence(error.message))
    at, label = fields[name]
    return Markup('<a href="#{}">{}</a>: {}').format(at, label, sentence(rest))
