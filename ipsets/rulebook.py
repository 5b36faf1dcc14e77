"""Rules and facts that people write as YAML: read, and given a form. Whatever is wrong is told with file, line and key.

Pure, but for ``read_file``. Narrower than YAML on purpose: no aliases, no key twice, so that no file means more than
one sees in it, and none can make more work than its size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.errors import ConfigError
from ipsets.text import one_line

M = TypeVar("M", bound=BaseModel)

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of one file; the largest that is shipped has some ten thousand."""
_LONGEST: Final = 300
"""Of what is said about one mistake, in characters."""
_CONSTRUCTING: Final = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError)
"""What PyYAML raises for a scalar that is not what its form or its tag says: 2024-13-45, ``!!bool x``, ``!!int ''``."""


def read_file(path: Path) -> bytes:
    """The bytes of such a file. Raises ``ConfigError``."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"cannot be read: {exc.strerror}", place=str(path)) from exc
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"larger than {MAX_BYTES} bytes", hint="is it the right file?", place=str(path))
    return raw


def read(raw: bytes, *, place: str) -> Any:
    """The plain data of a file. Raises ``ConfigError``."""
    text = _text(raw, place)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # a loader of safe forms only
    except yaml.reader.ReaderError as exc:
        said = f"a character that YAML does not allow: #x{exc.character:04x}"
        raise _wrong(said, place, text.count("\n", 0, exc.position) + 1) from exc
    except yaml.MarkedYAMLError as exc:
        said = ": ".join(part for part in (exc.context, exc.problem) if part)
        raise _wrong(f"not YAML: {said}", place, _line(exc.problem_mark or exc.context_mark)) from exc
    except RecursionError as exc:
        raise _wrong("nested too deep", place, 1) from exc


def shaped(model: type[M], raw: bytes, *, place: str) -> M:
    """What a file says, in the form of ``model``. Raises ``ConfigError`` with the first mistake."""
    data = read(raw, place=place)
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        first, *more = exc.errors(include_url=False)
        raise _misshaped(first, len(more), raw, place) from exc


def _text(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _wrong("not UTF-8 text", place, raw.count(b"\n", 0, exc.start) + 1) from exc


def _misshaped(error: ErrorDetails, more: int, raw: bytes, place: str) -> ConfigError:
    message = error["msg"].removeprefix("Value error, ")
    also = f"; {more} more" if more else ""
    line, key = _spot(yaml.compose(_text(raw, place), Loader=_Loader), error["loc"])
    return _wrong(f"{message}{also}", place, line, key)


def _spot(node: yaml.Node | None, loc: tuple[int | str, ...]) -> tuple[int, str]:
    """The line of the nearest thing that the file has at ``loc``, and the key in full."""
    line, parts = 1, list[str]()
    for part in loc:
        if part == "[key]":  # pydantic's word for: the key itself is wrong
            continue
        parts.append(
            f"[{part}]" if isinstance(part, int) and isinstance(node, yaml.SequenceNode) else f".{_shown(part)}"
        )
        line, node = _below(node, part, line)
    return line, "".join(parts).lstrip(".")


def _below(node: yaml.Node | None, part: int | str, line: int) -> tuple[int, yaml.Node | None]:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return _line(found.start_mark), found
    if isinstance(node, yaml.MappingNode):
        held = ((key, value) for key, value in node.value if key.value == str(part))
        if pair := next(held, None):
            return _line(pair[0].start_mark), pair[1]
    return line, None


def _shown(part: int | str) -> str:
    """A key may hold anything, and is shown as one that a terminal can print."""
    return part if isinstance(part, str) and part.isprintable() else repr(part).strip("'")


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1


def _wrong(message: str, place: str, line: int, key: str = "") -> ConfigError:
    where = f"{place}:{line}" + (f": {one_line(key, _LONGEST)}" if key else "")
    return ConfigError(one_line(message, _LONGEST), hint="the shipped files in ipsets/data show the form", place=where)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, where it raises nothing but its own errors."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # of types-pyyaml
            raise yaml.composer.ComposerError(None, None, "aliases (`*name`) are not used here", mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # half characters, which quotes can hold, and no store and no terminal
        except _CONSTRUCTING as exc:
            said = f"{type(exc).__name__}: {exc}"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from exc
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        value = super().construct_mapping(node, deep)
        if len(value) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice", node.start_mark)
        return value
