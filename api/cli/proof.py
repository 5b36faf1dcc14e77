"""``tokgate proof``: what is proven to be blocked, by the firewalls' own word and by probes from inside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import opening
from api.cli.errors import as_error
from api.cli.options import As, Devices, Output, Sites
from api.cli.plan import code_of_failures
from api.cli.show import moment, note, say, show_error, show_rows
from api.cli.wait import working
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.proof_models import ProbeBody, ProofField, ProofResult

app = typer.Typer(no_args_is_help=True, help="Proof of blocking: what firewalls say, what probes tried, and leaks.")
SiteName = Annotated[str | None, typer.Argument(metavar="[SITE]", help="Only this site; all when left out.")]
MOST_BYTES = 8_000_000


@app.command()
def show(site: SiteName = None, output: As = Output.TABLE) -> int:
    """Show site by path what is blocked, leaking or unknown, and how old that is. Asks no device.

    Ends with 2 when something leaks, else 0.
    """
    with opening.counterpart() as asked:
        rows = asked.proofs(site)
        now = asked.clock.now()
    aged: dict[str, Any] = {**_COLUMNS, "age": lambda row: _age((now - row.at).total_seconds())}
    show_rows(rows, aged, output, none="nothing is proven yet: `tokgate proof run`, `tokgate probe`", in_csv=_IN_CSV)
    return ExitCode.CHANGES if any(row.state == "leaking" for row in rows) else ExitCode.DONE


@app.command()
def run(sites: Sites = None, devices: Devices = None, output: As = Output.TABLE) -> int:
    """Ask the firewalls now which of their rules decide a few connections. Changes nothing on them.

    Ends with 2 when something leaks, 4 when a firewall could not be asked, else 0.
    """
    with opening.counterpart() as asked, working("asking the firewalls"):
        found = asked.prove(opening.selection(sites, devices))
    show_rows([proof for device in found for proof in device.proofs], _ANSWERS, output, none="nothing was asked")
    for device in found:
        if device.error is not None:
            show_error(as_error(device.error, device=device.device))
        elif device.why:
            note(f"{device.device}: {device.why}")
    failures = code_of_failures(device.error for device in found)
    if failures is not ExitCode.DONE:
        return failures
    leaking = any(proof.state == "leaking" for device in found for proof in device.proofs)
    return ExitCode.CHANGES if leaking else ExitCode.DONE


@app.command("import")
def import_results(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="What `probe.py --print` wrote; - reads it.")],
) -> int:
    """Take results of probes that could not send them. Each is taken once, and not when it is old.

    Ends with 2 when something leaks, else 0.
    """
    leaking = 0
    with opening.counterpart() as asked:
        for file in files:
            taken = asked.take_probe(_body(file))
            leaking += taken.leaking
            counts = ", ".join(f"{getattr(taken, n)} {n}" for n in ("blocked", "leaking", "open", "closed", "unknown"))
            say(f"{file}: site {taken.site}: {counts}; {taken.skipped} say nothing about the policy")
    return ExitCode.CHANGES if leaking else ExitCode.DONE


def _body(file: str) -> ProbeBody:
    """Raises ``Invalid`` with every field that is wrong."""
    from pydantic import ValidationError

    from api.proof_models import ProbeBody
    from controller.errors import Invalid

    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            text = stream.read(MOST_BYTES + 1)
    except OSError as exc:
        raise Invalid(f"{file} cannot be read: {exc.strerror}") from exc
    if len(text) > MOST_BYTES:
        raise Invalid(f"{file} is larger than {MOST_BYTES // 1_000_000} MB", hint="is it the result of a probe?")
    try:
        return ProbeBody.model_validate(json.loads(text))
    except (ValueError, RecursionError) as exc:
        why = exc.errors(include_url=False)[:5] if isinstance(exc, ValidationError) else ()
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in why) or "no JSON"
        raise Invalid(f"{file} is no result of a probe: {said}", hint="`tokgate probe --print` writes one") from exc


def _age(seconds: float) -> str:
    hours, minutes = divmod(max(int(seconds), 0) // 60, 60)
    return (
        f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h {minutes} min" if hours else f"{minutes} min"
    )


def _who(row: ProofField | ProofResult) -> str:
    return row.role or f"exception {row.exception}"


_COLUMNS: dict[str, Any] = {
    "site": lambda row: row.site,
    "path": lambda row: row.path,
    "source": _who,
    "state": lambda row: row.state,
    "by": lambda row: f"{row.by} {row.origin}",
    "asked": lambda row: f"{row.asked - row.unknown} of {row.asked}",
    "rule": lambda row: row.rule,
    "why": lambda row: row.words if row.state in ("unknown", "leaking", "closed") else "",
}
_IN_CSV = {**_COLUMNS, "target": lambda row: row.target, "at": lambda row: moment(row.at), "leak": lambda row: row.leak}
_ANSWERS: dict[str, Any] = {
    "device": lambda row: row.origin,
    "path": lambda row: row.path,
    "who": _who,
    "source": lambda row: row.source,
    "target": lambda row: row.target,
    "state": lambda row: row.state,
    "rule": lambda row: row.rule,
    "words": lambda row: row.words,
}
