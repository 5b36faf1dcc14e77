"""``tokgate audit``: who changed what, when and why; and whether anybody has touched that record."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import opening
from api.cli.options import As, AsPlain, Output, Plain, Since, Until
from api.cli.show import note, say, show_json, show_rows
from api.cli.times import parse_time
from api.cli.writing import whole
from core.errors import ExitCode

app = typer.Typer(no_args_is_help=True, help="Who changed what, when and why.")


@app.command("list")
def list_entries(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    actor: Annotated[str | None, typer.Option("--actor", help="Only by this one: cli:ada, token:helpdesk.")] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Only this, or all of a kind: exception.approve, exception.")
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Only of what begins so: an id, a name.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Only entries that say this somewhere.")] = None,
    since: Since = None,
    until: Until = None,
    output: As = Output.TABLE,
) -> None:
    """List the changes, the newest first."""
    from api.audit_models import AuditEntry
    from controller.store import AuditQuery

    with opening.counterpart() as asked:
        now = asked.clock.now()
        wanted = AuditQuery(
            actor=actor,
            action=action,
            subject=subject,
            text=text,
            since=parse_time(since, option="--since", now=now, backwards=True) if since else None,
            until=parse_time(until, option="--until", now=now, backwards=True) if until else None,
        )
        entries = asked.audit(limit=limit, wanted=wanted)
    show_rows([AuditEntry.of(entry) for entry in entries], _COLUMNS, output, none="no changes recorded")


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to; printed when left out.")] = None,
    after: Annotated[
        int, typer.Option("--after", metavar="SEQ", min=0, help="Only what comes behind this entry: to go on.")
    ] = 0,
) -> None:
    """Write the audit log as JSON lines with the head of its chain: `tokgate audit verify FILE` checks them anywhere.

    An export of everything begins at the first entry; one with --after goes on where an earlier one ended.
    """
    with opening.counterpart() as asked:
        lines = asked.export_audit(after=after)
        if file is None:
            for line in lines:
                typer.echo(line)
            return
        count = _write(file, lines)
    note(f"{count - 2} entries written to {file}")


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An export to check, instead of the log here.")
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Of a file: that the log here still holds its end.")] = False,
    output: AsPlain = Plain.TABLE,
) -> int:
    """Check the chain of hashes over all entries, here or in an exported file. Ends with 1 when it is broken.

    A file is checked as it is, without store or settings. With --here also a log that was written anew is found.
    """
    if here:
        opening.refuse_elsewhere("the file is compared with the log of this machine")
    if file is not None:
        facts = _of_file(file, here=here)
    else:
        with opening.counterpart() as asked:
            breaks = asked.verify_audit()
        facts = {"intact": not breaks, "breaks": breaks}
    if output is Plain.JSON:
        show_json(facts)
    else:
        say("\n".join([*facts["breaks"], *_about(facts)]))
    if not facts["intact"]:
        note("keep the store and every export as they are; docs/runbooks/audit-chain.md says what to do")
    return ExitCode.DONE if facts["intact"] else ExitCode.ERROR


def _of_file(file: Path, *, here: bool) -> dict[str, Any]:
    from controller import audit_export
    from controller.errors import Invalid

    try:
        with file.open(encoding="utf-8") as lines:
            found = audit_export.check(lines)
    except OSError as exc:
        raise Invalid(f"{file} cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, audit_export.Unreadable) as exc:
        raise Invalid(f"{file}: {exc}", hint="`tokgate audit export` makes such files") from exc
    breaks = list(found.breaks)
    if here:
        with opening.controller() as controller:
            if not controller.holds_audit(found.head):
                breaks.append(f"the log here does not hold entry {found.head.seq} as the file does")
    head = {"seq": found.head.seq, "hash": found.head.hash}
    return {"intact": not breaks, "breaks": breaks, "entries": found.entries, "after": found.after.seq, "head": head}


def _about(facts: dict[str, Any]) -> list[str]:
    """What holds, in words."""
    if not facts["intact"]:
        return []
    if "head" not in facts:
        return ["the audit log is intact"]
    first, head = facts["after"] + 1, facts["head"]
    which = f"entries {first} to {head['seq']} are intact" if facts["entries"] else "it holds no entry"
    return [f"{which}; the head is {head['hash']}"]


def _write(file: Path, lines: Iterable[str]) -> int:
    """How many lines. Raises ``FileTrouble``."""
    count = 0
    with whole(file, private=True) as out:
        for line in lines:
            out.write(f"{line}\n".encode())
            count += 1
    return count


_COLUMNS = {
    "seq": lambda row: row.seq,
    "time": lambda row: row.at,
    "actor": lambda row: row.actor,
    "action": lambda row: row.action,
    "subject": lambda row: row.subject,
    "reason": lambda row: row.reason,
}
