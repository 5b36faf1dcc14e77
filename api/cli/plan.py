"""``tokgate plan``: read the devices and say exactly what would change. Changes nothing on a device."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import opening
from api.cli.errors import as_error
from api.cli.options import Devices, Force, Sites
from api.cli.show import say, show_error, show_json, to_stdout
from api.cli.wait import working
from core.errors import ExitCode, TokgateError

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from api.models import Failure
    from api.run_models import Plan, PlannedDevice, Shortened

_LEFT_OUT_SHOWN: Final = 100
_STYLES: Final = {"+": "green", "-": "red", "~": "yellow"}
_SIGNS: Final = {"create": "+", "add": "+", "put": "+", "remove": "-", "delete": "-"}
"""By the first word of a step; whatever else it begins with neither adds nor takes away."""


class Planned(StrEnum):
    """How plans are printed."""

    TABLE = "table"
    COMMANDS = "commands"
    JSON = "json"


AsPlanned = Annotated[
    Planned,
    typer.Option(
        "--format",
        "-o",
        help="How to print; `commands`: for each device every line that would be sent, from the lock to the commit.",
        show_default=True,
    ),
]


def plan(
    sites: Sites = None,
    devices: Devices = None,
    commands: Annotated[
        bool, typer.Option("--commands", help="Show the steps, and below them what `-o commands` shows.")
    ] = False,
    force: Force = False,
    output: AsPlanned = Planned.TABLE,
) -> int:
    """Show what would change on which device.

    Ends with 2 when there are changes, 0 when there are none, 3 when a guard holds one, 4 when a device could not be
    read.
    """
    with opening.counterpart() as asked, working("reading the devices"):
        results = asked.plan(opening.selection(sites, devices), force=force)
    if output is Planned.JSON:
        show_json(_facts(results))
    elif output is Planned.COMMANDS:
        _show_commands(results)
    else:
        show_plans(results, commands=commands)
    return exit_code(results)


def _facts(results: Iterable[PlannedDevice]) -> object:
    from api.run_models import Plans

    items = tuple(results)
    return Plans(items=items, changes=any(item.steps for item in items)).model_dump(mode="json")


def show_plans(results: Iterable[PlannedDevice], *, commands: bool) -> None:
    """Every device with its steps, what it cannot do, and the id by which exactly this can be applied."""
    for result in results:
        say(f"{result.device} ({result.site})", style="bold")
        if result.error is not None:
            show_error(as_error(result.error, device=result.device))
        else:
            _show_one(result)
            if result.freeze is not None and result.steps:
                say(f"  ! held now: {result.freeze}", style="yellow")
            if result.refused is not None:
                say(f"  ! refused now: {result.refused.message}", style="yellow")
                if result.refused.hint:
                    say(f"    {result.refused.hint}", style="yellow")
            if commands and result.script:
                say()
                to_stdout().print(_indented(result.script))
        say()


def _show_commands(results: Iterable[PlannedDevice]) -> None:
    """What would be sent, as it would be sent; one line with a ``#`` names the device that the next ones are for."""
    for result in results:
        if result.error is not None:
            show_error(as_error(result.error, device=result.device))
        else:
            say(f"# {result.device} ({result.site})\n{result.script.rstrip() or '# nothing to do'}")


def show_stored(asked: Counterpart, plan_ids: Iterable[str]) -> None:
    """Stored plans as they would be applied. Raises ``NotFound``, or ``PlanStale`` for one that was tampered with."""
    for plan_id in plan_ids:
        stored = asked.stored_plan(plan_id)
        say(f"{stored.device} ({stored.site})", style="bold")
        _show_one(stored)
        say()


def _show_one(plan: Plan | PlannedDevice) -> None:
    for step in plan.steps:
        sign = _SIGNS.get(step.partition(" ")[0], "~")
        say(f"  {sign} {step}", style=_STYLES[sign])
    for cause in plan.causes[:_LEFT_OUT_SHOWN]:
        say(f"  because {cause}", style="yellow")
    if len(plan.causes) > _LEFT_OUT_SHOWN:
        say(f"  and {len(plan.causes) - _LEFT_OUT_SHOWN} more entries for such a reason; see -o json")
    if not plan.steps:
        say("  nothing to do: it holds what it should")
    for lacking in plan.degraded:
        sign, style = ("! degraded", "yellow") if lacking in plan.gaps else ("note", "dim")
        say(f"  {sign}: {lacking}", style=style)
    for short in plan.shortened:
        _show_left_out(short)
    if plan.id is not None and plan.snapshot is not None:
        say(f"  plan {plan.id}, snapshot {plan.snapshot[:12]}")


def _show_left_out(short: Shortened) -> None:
    """Every network that is not held, with the reason, the most valuable first."""
    say(f"  not held of {short.group}, for want of room:")
    for left in short.left_out[:_LEFT_OUT_SHOWN]:
        say(f"    {left.network}: {left.reason}", style="yellow")
    if len(short.left_out) > _LEFT_OUT_SHOWN:
        say(f"    and {len(short.left_out) - _LEFT_OUT_SHOWN} more; see -o json")


def _indented(script: str) -> str:
    from api.cli.show import printable

    return "\n".join(f"    {printable(line)}" for line in script.splitlines())


def exit_code(results: Iterable[PlannedDevice]) -> int:
    """The gravest outcome: a device failed, a guard holds, there are changes, or nothing is to be done."""
    known = list(results)
    failures = code_of_failures(result.error for result in known)
    if failures is not ExitCode.DONE:
        return failures
    return ExitCode.CHANGES if any(result.steps for result in known) else ExitCode.DONE


def code_of_failures(failures: Iterable[Failure | None]) -> ExitCode:
    """As ``code_of_errors``, of what an answer says of them."""
    return code_of_errors(as_error(failure) for failure in failures if failure is not None)


def code_of_errors(errors: Iterable[TokgateError | None]) -> ExitCode:
    """4 when any device failed, else 3 when a guard holds one, else 0."""
    codes = {error.exit_code for error in errors if error is not None}
    if codes - {ExitCode.GUARD_REFUSED}:
        return ExitCode.DEVICES_FAILED
    return ExitCode.GUARD_REFUSED if codes else ExitCode.DONE


def summary(results: Iterable[PlannedDevice]) -> str:
    """``2 devices with changes, 1 without, 1 failed``."""
    known = list(results)
    failed = sum(result.error is not None for result in known)
    changed = sum(bool(result.steps) for result in known)
    parts = [f"{changed} with changes", f"{len(known) - changed - failed} without"]
    return ", ".join([*parts, f"{failed} failed"] if failed else parts)
