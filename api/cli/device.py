"""``tokgate device``: which firewalls there are, whether they are prepared, and which host keys they show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.options import As, AsPlain, Output, Plain
from api.cli.plan import code_of_errors
from api.cli.show import note, say, show_error, show_json, show_rows
from api.cli.wait import working
from core.errors import ExitCode, TokgateError

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from api.device_models import Device
    from controller.views import HostKeys

app = typer.Typer(no_args_is_help=True, help="Firewalls: which there are, whether they are prepared, their host keys.")
Names = Annotated[list[str] | None, typer.Argument(metavar="[DEVICE]...", help="Which; all when left out.")]


@app.command("list")
def list_devices(output: As = Output.TABLE) -> None:
    """List the devices with what was last seen of each."""
    with opening.counterpart() as asked:
        rows = asked.devices()
    show_rows(rows, _COLUMNS, output, none="no device in the inventory")


@app.command()
def doctor(
    devices: Names = None,
    share: Annotated[
        bool,
        typer.Option(
            "--share",
            help="Names, addresses, users and secrets of the inventory become numbers; as Markdown by itself.",
        ),
    ] = False,
    output: As = Output.TABLE,
) -> int:
    """Check that devices are prepared: host key, algorithms, login, rights, programs, persistence. Changes nothing.

    Ends with 4 when a device is not prepared or cannot be reached. What `--share` prints may go into a ticket; what
    only a device knows, as its serial number, stays in it: read it before you send it.
    """
    if share:
        opening.refuse_elsewhere("what is to be hidden stands in the inventory there")
    rows: list[Diagnosis] = []
    errors: list[TokgateError] = []
    with opening.counterpart() as asked, working("examining the devices"):
        names = [asked.device(name) for name in devices or [device.name for device in asked.devices()]]
        for name in names:
            found, error = _examine(asked, name)
            rows += found
            errors += [error] if error is not None else []
    if share:
        rows = _hidden(rows)
    if share and output is Output.TABLE:
        _show_markdown(rows)
    else:
        show_rows(rows, _DIAGNOSIS, output)
    for error in errors:
        show_error(error)
    sick = any(not row.ok for row in rows)
    return code_of_errors(errors) or (ExitCode.DEVICES_FAILED if sick else ExitCode.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One check of one device."""

    device: str
    check: str
    ok: bool
    message: str


def _examine(asked: Counterpart, name: str) -> tuple[list[Diagnosis], TokgateError | None]:
    try:
        found = asked.doctor(name)
    except TokgateError as exc:
        return [Diagnosis(device=name, check="login", ok=False, message=exc.message)], exc
    return [Diagnosis(device=name, check=f.check, ok=f.ok, message=f.message) for f in found.checks], None


def _hidden(rows: list[Diagnosis]) -> list[Diagnosis]:
    from controller.inventory import load_inventory
    from controller.pseudonyms import Pseudonyms

    names = Pseudonyms(load_inventory(opening.settings().inventory))
    return [replace(row, device=names.hide(row.device), message=names.hide(row.message)) for row in rows]


def _show_markdown(rows: list[Diagnosis]) -> None:
    """A table as ticket systems and code forges show it, with the version that found it."""
    from importlib.metadata import version

    say(f"tokgate {version('tokgate')}, `tokgate device doctor --share`\n")
    say("| device | check | ok | found |\n| --- | --- | --- | --- |")
    for row in rows:
        # as code, so that <device 1> is not taken for a tag
        cells = (f"`{row.device}`", row.check, "yes" if row.ok else "NO", f"`{row.message.replace('`', chr(39))}`")
        say(f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |")


@app.command()
@opening.only_here("the keys that it compares are pinned in the inventory there")
def hostkeys(device: Annotated[str, typer.Argument(help="Which.")], output: AsPlain = Plain.TABLE) -> int:
    """Show the host keys that the inventory pins and those that the device shows now. Accepts nothing.

    Ends with 4 when none of the pinned keys is shown. Compare a new key with what its owner reads on the device.
    """
    with opening.controller() as controller:
        keys = controller.host_keys(device)
    if output is Plain.JSON:
        show_json({"device": device, "pinned": keys.pinned, "offered": keys.offered, "match": keys.match})
    else:
        _show_keys(device, keys)
    return ExitCode.DONE if keys.match else ExitCode.DEVICES_FAILED


def _show_keys(device: str, keys: HostKeys) -> None:
    for key in keys.offered:
        say(f"{'pinned ' if key in keys.pinned else 'NEW    '} {key}")
    for key in keys.pinned:
        if key not in keys.offered:
            say(f"MISSING {key}")
    if not keys.match:
        note(f"{device} shows none of the keys that are pinned for it. When its owner confirms the new ones, set:")
        say("host_keys:\n" + "\n".join(f'  - "{key}"' for key in keys.offered))


def _state(row: Device) -> str:
    status = row.status
    if status is None or status.last_attempt_at is None:
        return "never looked at"
    if status.error_code is not None:
        return f"failing: {status.error_code}"
    return "degraded" if status.degraded else "good"


_COLUMNS = {
    "device": lambda row: row.name,
    "site": lambda row: row.site,
    "vendor": lambda row: row.vendor,
    "host": lambda row: row.host,
    "state": _state,
    "mode": lambda row: row.status.mode if row.status else None,
    "seen": lambda row: (row.status.last_seen_at if row.status else None) or "never",
    "enforced": lambda row: (row.status.enforced_at if row.status else None) or "never",
    "exceptions": lambda row: len(row.status.exceptions) if row.status else None,
}
_DIAGNOSIS = {
    "device": lambda row: row.device,
    "check": lambda row: row.check,
    "ok": lambda row: row.ok,
    "message": lambda row: row.message,
}
