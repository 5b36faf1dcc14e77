"""``tokgate``: the one place where outcomes become exit codes and errors become one message. Never a traceback.

| code | meaning |
| --- | --- |
| 0 | done, or nothing to do |
| 1 | error, wrong usage included |
| 2 | there are changes (`plan`), something drifted (`drift`), something leaks (`proof`) |
| 3 | a guard refused |
| 4 | some devices failed |
| 5 | not allowed |
| 6 | bad configuration |
| 130 | interrupted |
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NoReturn

import typer

from api.cli import (
    apply,
    audit,
    config,
    coverage,
    db,
    detect,
    device,
    drift,
    emergency,
    episodes,
    events,
    evidence,
    exceptions,
    explain,
    export,
    feed,
    hits,
    init,
    intel,
    inventory,
    packs,
    person,
    plan,
    policy,
    probe,
    proof,
    report,
    runs,
    serve,
    token,
    unmask,
    version,
    webhook,
)
from api.cli.brought import Commands
from api.cli.errors import FileTrouble
from api.cli.show import note, show_error
from core.errors import ExitCode, TokgateError

INTERRUPTED: Final = 130
_ANSWER_LOST: Final = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    cls=Commands,
    name="tokgate",
    no_args_is_help=True,
    help="Keep a fleet of firewalls blocking (or watching) TikTok, and prove it.",
    epilog="Settings are environment variables (TOKGATE_…); see docs/settings.md. Exit codes: docs/cli.md.",
)
for _noun in (
    audit,
    config,
    coverage,
    db,
    device,
    emergency,
    episodes,
    events,
    evidence,
    exceptions,
    export,
    feed,
    hits,
    intel,
    inventory,
    person,
    policy,
    proof,
    report,
    runs,
    token,
    unmask,
    webhook,
):
    app.add_typer(_noun.app, name=_noun.__name__.rpartition(".")[2])
packs.join(evidence.app)
for _verb in (
    apply.apply,
    detect.detect,
    drift.drift,
    explain.explain,
    init.init,
    plan.plan,
    probe.probe,
    serve.serve,
    version.version,
):
    app.command()(_verb)


def run() -> NoReturn:
    """The entry point of the console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    _survive_any_text()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except OSError as exc:  # a full disk behind `>`
        show_error(FileTrouble(f"the answer cannot be written: {exc.strerror or type(exc).__name__}"))
        return ExitCode.ERROR
    return code


def _invoke(arguments: Sequence[str]) -> int:
    try:
        outcome = _command(app)(args=list(arguments), prog_name="tokgate", standalone_mode=False)
    except TokgateError as exc:
        show_error(exc)
        return exc.exit_code
    except typer.Abort:
        note("interrupted")
        return INTERRUPTED
    except typer.TyperException as exc:
        return _wrong_usage(exc)
    except SystemExit as exc:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # how the framework ends when a pipe's reader is gone
            raise BrokenPipeError from exc
        raise
    except Exception as exc:  # the top of the command: whatever it was, one message
        if isinstance(exc, OSError) and exc.errno in _ANSWER_LOST:
            raise
        return _unforeseen(exc)
    if outcome == INTERRUPTED:
        note("interrupted")
    return outcome if isinstance(outcome, int) else ExitCode.DONE


@cache
def _command(of: typer.Typer) -> Any:
    """All its commands, made once in a process."""
    return typer.main.get_command(of)


def _wrong_usage(error: Any) -> int:
    """A mistake on the command line is an error like any other: code 2 is for plans."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        typer.echo(context.get_help(), nl=False)
        return ExitCode.ERROR
    note(f"error: {error.format_message().replace('Value error, ', '')}", style="red")
    note(f"  see `{context.command_path if context else 'tokgate'} --help`")
    return ExitCode.ERROR


def _unforeseen(error: Exception) -> int:
    if os.environ.get("TOKGATE_LOG_LEVEL", "").lower() == "debug":  # asked for, by whoever will report it
        traceback.print_exception(error)
    show_error(
        TokgateError(
            f"something failed that should not: {type(error).__name__}: {error}",
            hint="run it again with TOKGATE_LOG_LEVEL=debug and report what it says",
        )
    )
    return ExitCode.ERROR


def _reader_gone() -> int:
    """`tokgate … | head` is no error of anybody; nothing more is said, also not at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.DONE


def _survive_any_text() -> None:
    """A terminal whose encoding lacks a character shows a replacement."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
