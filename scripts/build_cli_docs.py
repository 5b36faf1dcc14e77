#!/usr/bin/env python3
"""Write docs/cli.md from the commands themselves; ``--check`` only says whether it is current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args

import typer

from api.cli.main import app

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

HEAD: Final = """\
# The command line

<!-- Written by scripts/build_cli_docs.py; change the docstrings in api/cli and lab/cli.py, then run `make docs`. -->

`tokgate NOUN VERB`, or one verb alone. Every command reads the settings from the environment (`TOKGATE_…`, see
[settings.md](settings.md)) and what should be enforced from the inventory.

**Answers go to stdout, everything else to stderr.** `-o json` prints everything that is known, with the same fields as
the REST API; `-o csv` prints the columns of the table. `?` (empty in CSV, `null` in JSON) means *unknown*, `0` means
*counted, none*. Colour is used only on a terminal and not with `NO_COLOR`; a bar appears only on a terminal, on work of
more than two seconds. What a device or a person wrote is shown without control characters.

**Times** name their zone: `2026-11-25T18:00Z`, `2026-11-25T19:00+01:00`. A bare date is midnight UTC. A span (`90m`,
`24h`, `7d`) counts back from now in `--since` and `--until` of reports and lists, and forward in exceptions.

**Who did it** is `cli:USER` in the audit log; behind sudo it is the person who called sudo.

**Another machine** is asked when `TOKGATE_URL` is set: the same commands, words and exit codes. What only the machine
itself can do is refused. See [client.md](client.md#the-command-line-on-another-machine).

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done, or nothing to do |
| 1 | error, wrong usage included; also: a check found damage, a question was answered with no |
| 2 | there are changes (`plan`), something drifted (`drift`), or use was found (`detect`) |
| 3 | a guard refused; the old state stays enforced |
| 4 | some devices failed; the others are done |
| 5 | not allowed |
| 6 | bad configuration; nothing was started |
| 130 | interrupted |

When several apply, the gravest is told: 4 before 3 before 2. Each error is one message on stderr with a stable code,
see [errors.md](errors.md).

## Commands
"""


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its full name."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    context = command.make_context(path, [], resilient_parsing=True)
    for name in command.list_commands(context):
        yield from commands(command.get_command(context, name), f"{path} {name}")


def page() -> str:
    """The whole page."""
    found = list(commands(typer.main.get_command(app), "tokgate"))
    lines = [f"| [`{path}`](#{path.replace(' ', '-')}) | {first_sentence(command)} |" for path, command in found]
    index = "\n".join(["| command | what it does |", "| --- | --- |", *lines])
    return f"{HEAD}\n{index}\n\n" + "\n\n".join(section(path, command) for path, command in found) + "\n"


def first_sentence(command: Any) -> str:
    return paragraphs(command)[0].replace("|", "\\|")


def paragraphs(command: Any) -> list[str]:
    return [" ".join(part.split()) for part in (command.help or "").split("\n\n")]


def section(path: str, command: Any) -> str:
    parameters = [parameter for parameter in command.params if parameter.name != "help"]
    usage = f"```\n{path}{usage_of(parameters)}\n```"
    rows = [row(parameter) for parameter in parameters]
    table = "\n".join(["| | |", "| --- | --- |", *rows]) if rows else ""
    return "\n\n".join(part for part in (f"### {path}", *paragraphs(command), usage, table) if part)


def usage_of(parameters: list[Any]) -> str:
    arguments = "".join(f" {metavar(p)}" for p in parameters if p.param_type_name == "argument")
    options = any(p.param_type_name == "option" for p in parameters)
    return f"{' [OPTIONS]' if options else ''}{arguments}"


def metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{metavar(parameter)}` | {told(parameter)} |"
    names = ", ".join(f"`{name}`" for name in sorted(parameter.opts, key=len, reverse=True))
    value = "" if parameter.is_flag else f" {value_of(parameter)}"
    return f"| {names}{value} | {told(parameter)} |".replace("| |", "|")


def value_of(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return "`" + r"\|".join(str(choice.value) for choice in kind) + "`"
    return f"`{parameter.metavar or parameter.name.upper()}`"


def told(parameter: Any) -> str:
    default = parameter.default
    shown = getattr(default, "value", default)
    plain = shown not in (None, False, "", ()) and not parameter.required and not callable(shown)
    notes = ["required"] if parameter.required else []
    notes += [f"default `{shown}`"] if plain else []
    notes += [f"also `{parameter.envvar}`"] if parameter.envvar else []
    text = str(parameter.help or "").replace("|", "\\|")
    return f"{text} ({', '.join(notes)})" if notes else text


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        if not current:
            print("docs/cli.md is not current: run `make docs`", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
