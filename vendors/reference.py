"""A reference to a secret as a value of an inventory, for options of vendors whose command line asks for one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, GetPydanticSchema, PlainSerializer, WithJsonSchema
from pydantic_core import core_schema

from core.secret import SCHEMES, SecretRef


def _reference(value: object) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a reference secret://…, not a plain value")  # noqa: TRY004  # pydantic wants this
    return SecretRef.parse(value)


Reference: TypeAlias = Annotated[
    SecretRef,
    GetPydanticSchema(lambda _source, _handler: core_schema.is_instance_schema(SecretRef)),
    BeforeValidator(_reference),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^secret://({'|'.join(SCHEMES)})/\\S+$"}),
]
