"""``tokgate apply``: carry out plans that a person has seen. Exactly those: a device that moved is refused."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.errors import Unconfirmed
from api.cli.options import AsPlain, Devices, Force, Plain, Sites, Yes
from api.cli.plan import code_of_failures, show_plans, show_stored, summary
from api.cli.show import note, say, show_json
from api.cli.wait import working
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from api.run_models import PlannedDevice
    from controller.model import DeviceRun, Run

Plans = Annotated[
    list[str] | None, typer.Argument(metavar="[PLAN]...", help="Plans to apply; new ones for all when left out.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]


def apply(
    plans: Plans = None,
    sites: Sites = None,
    devices: Devices = None,
    reason: Reason = "",
    force: Force = False,
    override_freeze: Annotated[
        bool, typer.Option("--override-freeze", help="Do not wait for the end of a freeze. Needs a --reason.")
    ] = False,
    config_only: Annotated[
        bool, typer.Option("--config-only", help="Put in force what the files declare; ask and change no device.")
    ] = False,
    yes: Yes = False,
    output: AsPlain = Plain.TABLE,
) -> int:
    """Change the devices to what they should hold, as planned, and read them back.

    Without a plan it makes new ones, shows them, and asks. Ends with 0 when every device holds what it should, 3 when a
    guard held one or its plan is out of date, 4 when one failed.

    With --config-only it gives and ends exceptions as their file says, and a server that runs takes up the inventory
    as it is now; the schedule then brings the devices along.

    Over the API the server does the work: interrupted, this command ends, and the run goes on there.
    """
    if config_only and (plans or sites or devices or override_freeze):
        raise typer.BadParameter("--config-only concerns no device: leave plans, --site and --device out")
    if plans and (sites or devices or force):
        raise typer.BadParameter("name plans, or choose devices with --site, --device and --force; not both")
    if force and not reason.strip():
        raise typer.BadParameter("--force needs a --reason")
    if override_freeze and not reason.strip():
        raise typer.BadParameter("--override-freeze needs a --reason")
    refuse_unasked(yes=yes)
    if config_only:
        return _apply_files(reason, force=force, yes=yes, output=output)
    with opening.counterpart() as asked:
        planned = () if plans else _plan(asked, sites, devices, force=force, show=output is Plain.TABLE)
        chosen = list(plans or (result.id for result in planned if result.id is not None))
        failed = code_of_failures(result.error for result in planned)
        if not chosen:
            return _nothing_to_do(failed, output)
        if plans and not yes:
            show_stored(asked, plans)
        if not override_freeze:
            _tell_freezes(asked, planned, chosen)
        confirm(f"Apply {'this plan' if len(chosen) == 1 else f'these {len(chosen)} plans'}?", yes=yes)
        with working("changing the devices", total=len(chosen), done=asked.progress()):
            run = asked.apply(chosen, reason=reason, override_freeze=override_freeze)
    show_run(run, output)
    return max(failed, code_of_run(run))


def _apply_files(reason: str, *, force: bool, yes: bool, output: Plain) -> int:
    from api.cli.config import show_declared
    from api.config_models import DeclaredChange
    from controller.declared import CHANGING

    opening.refuse_elsewhere("the files lie beside the inventory there")
    with opening.controller() as controller:
        actor = opening.actor()
        wanted = [c for c in controller.declared.differences(actor=actor) if c.kind in CHANGING]
        if output is Plain.TABLE:
            show_declared(map(DeclaredChange.of, wanted))
        if wanted:
            confirm(f"Carry out {'this change' if len(wanted) == 1 else f'these {len(wanted)} changes'}?", yes=yes)
        done = controller.declared.carry_out(actor=actor, reason=reason, force=force)
        serving = controller.store.lease().holder()
    if output is Plain.JSON:
        show_json([DeclaredChange.of(change).model_dump(mode="json") for change in done])
    follows = "the schedule brings" if serving else "no schedule runs; `tokgate apply` brings"
    follows += " the devices along"
    note(f"{len(done)} of the declared exceptions changed; {follows}")
    return ExitCode.DONE


def _tell_freezes(asked: Counterpart, planned: Sequence[PlannedDevice], plans: Sequence[str]) -> None:
    """What will be held, before anybody says yes to it."""
    known = {result.id: result.site for result in planned}
    for site in dict.fromkeys(known.get(plan) or asked.stored_plan(plan).site for plan in plans):
        frozen = asked.frozen(site)
        if frozen is not None:
            note(f"{site}: {frozen}; it will be held unless --override-freeze is given", style="yellow")


def refuse_unasked(*, yes: bool) -> None:
    """Raises ``Unconfirmed`` when nobody can be asked and nobody said yes beforehand."""
    if not yes and not sys.stdin.isatty():
        raise Unconfirmed("nobody can be asked here, so nothing was done", hint="give --yes to go on without asking")


def confirm(question: str, *, yes: bool) -> None:
    """Raises ``Unconfirmed`` unless the answer is yes."""
    if not yes and not typer.confirm(question, err=True):
        raise Unconfirmed("nothing was changed")


def _plan(
    asked: Counterpart, sites: list[str] | None, devices: list[str] | None, *, force: bool, show: bool
) -> Sequence[PlannedDevice]:
    with working("reading the devices"):
        results = asked.plan(opening.selection(sites, devices), force=force)
    if show:
        show_plans(results, commands=False)
        note(summary(results))
    return results


def _nothing_to_do(failed: ExitCode, output: Plain) -> int:
    if failed is ExitCode.DONE:
        note("nothing to do: every device holds what it should")
    if output is Plain.JSON:
        show_json(None)
    return failed


def show_run(run: Run, output: Plain) -> None:
    """What became of each device, or everything that is known of the run as JSON."""
    if output is Plain.JSON:
        from api.run_models import Run as Answer

        show_json(Answer.of(run).model_dump(mode="json"))
    else:
        show_outcomes(run)


def show_outcomes(run: Run) -> None:
    """One line per device: what became of it."""
    for device in run.devices:
        bad = device.error is not None
        say(f"{device.device}: {_outcome(device)}", style="red" if bad else "green")
    say(f"run {run.id}")


def _outcome(device: DeviceRun) -> str:
    if device.error is not None:
        return f"{device.outcome.value}: {device.error}"
    facts = [f"{device.steps} step{'' if device.steps == 1 else 's'}, read back"] if device.steps else []
    if device.flows_cut:
        facts.append(f"{device.flows_cut} open flow{'' if device.flows_cut == 1 else 's'} cut")
    if device.finished_at is not None:
        facts.append(f"{(device.finished_at - device.started_at).total_seconds():.1f} s")
    if device.degraded:  # the plan above said why
        facts.append(f"degraded: {', '.join(line.partition(':')[0] for line in device.degraded)}")
    return f"{device.outcome.value} ({'; '.join(facts)})" if facts else device.outcome.value


def code_of_run(run: Run) -> ExitCode:
    """4 when a device failed or is not done, else 3 when a guard held one, else 0."""
    outcomes = {device.outcome.value for device in run.devices}
    if outcomes & {"failed", "uncertain", "running"}:
        return ExitCode.DEVICES_FAILED
    return ExitCode.GUARD_REFUSED if "held" in outcomes else ExitCode.DONE
