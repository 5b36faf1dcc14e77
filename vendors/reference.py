"""A reference to a secret as a value of an inventory, for options of vendors whose command line asks for one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, GetPydanticSchema, PlainSerializer, WithJsonSchema
from pydantic_core import core_schema

from core.secret import PATTERN, SecretRef


def parse_secret(value: object) -> SecretRef:
    """Raises ``ValueError``, without the value."""
    return value if isinstance(value, SecretRef) else SecretRef.parse(value)


Reference: TypeAlias = Annotated[
    SecretRef,
    GetPydanticSchema(lambda _source, _handler: core_schema.is_instance_schema(SecretRef)),
    BeforeValidator(parse_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
