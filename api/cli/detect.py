"""``tokgate detect``: what files of evidence come to, judged here and kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.episodes import COLUMNS, IN_CSV
from api.cli.options import As, Output
from api.cli.show import note, show_json, show_rows
from core.errors import ExitCode
from core.words import count_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from controller.errors import Invalid
    from controller.evidence.detecting import Detected
    from controller.evidence.model import Episode, Rejected, Sighting
    from controller.model import AccessException

HERE = "-"
WITH_EXCEPTION = {
    "action": lambda row: f"{row.action.value} {row.exception}" if row.exception else row.action.value,
}


def detect(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Logs, exports, captures; - is stdin.")],
    of: Annotated[str | None, typer.Option("--as", help="Their format: zeek, suricata, bind …; else found.")] = None,
    inventory: Annotated[
        Path | None, typer.Option("--inventory", help="Whose sites, networks and policies to judge by.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", "-s", help="Of the inventory: where records without an address are from.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Of times that name none: Europe/Berlin; else UTC.")
    ] = None,
    with_exceptions: Annotated[
        bool, typer.Option("--exceptions/--no-exceptions", help="With an inventory: judge by the store's exceptions.")
    ] = True,
    all_: Annotated[bool, typer.Option("--all", help="Also contacts that are no use: pixels, kits, hints.")] = False,
    output: As = Output.TABLE,
) -> int:
    """Find use in files, by the shipped traits: who, when, of what, how sure and why. Asks nobody and keeps nothing.

    Without an inventory every client is at the site `offline`, which only watches. With one, exceptions are those of
    the store in `TOKGATE_DATA_DIR` or `TOKGATE_DATABASE`, where there is one. Ends with 2 when use was found, 0 when
    none was, 1 when a file, or no record at all, could be read; the other files are judged all the same.
    """
    from controller.evidence.detecting import detect as detected
    from controller.evidence.detecting import without_sites
    from controller.evidence.judging import Judge
    from controller.evidence.model import EpisodeKind
    from controller.evidence_desk import matcher_of
    from controller.inventory import load_inventory

    known = load_inventory(inventory) if inventory is not None else without_sites()
    where = next(iter(known.sites)) if inventory is None else known.site(site).name if site else None
    exceptions = _exceptions() if inventory is not None and with_exceptions else ()
    judge = Judge(known, matcher_of(known, None), exceptions or ())
    unread: list[Invalid] = []
    found = detected(judge, _records(files, of, _zone(zone), unread), site=where)
    if len(unread) == len(files):
        raise _together(unread)
    kinds = {EpisodeKind.USE, EpisodeKind.INSTALLED}
    shown = [episode for episode in found.episodes if all_ or episode.kind is not EpisodeKind.CONTACT]
    _show(found, shown, output, hidden=len(found.episodes) - len(shown), exceptions=exceptions)
    if unread:
        raise _together(unread)
    if any(episode.kind in kinds for episode in found.episodes):
        return ExitCode.CHANGES
    return ExitCode.DONE if found.is_judged else ExitCode.ERROR


def _together(unread: list[Invalid]) -> Invalid:
    from controller.errors import Invalid

    return Invalid("\n".join(one.message for one in unread), hint=next((one.hint for one in unread if one.hint), ""))


def _exceptions() -> Sequence[AccessException] | None:
    """Those of the store; ``None``: there is none here, or another machine's is meant. Raises ``StoreError``."""
    from api.cli import opening
    from controller.store import Store
    from controller.store.database import is_there
    from core.clock import SystemClock

    if opening.is_elsewhere():
        return None
    settings = opening.settings()
    if not is_there(settings.data_dir, settings.address):
        return None
    with Store.open(settings.data_dir, address=settings.address, clock=SystemClock(), migrate=False) as store:
        return store.exceptions()


def _show(
    found: Detected,
    shown: list[Episode],
    output: Output,
    *,
    hidden: int,
    exceptions: Sequence[AccessException] | None,
) -> None:
    from api.episode_models import Episode as Answer

    rows = [Answer.of(episode) for episode in shown]
    none = "no use was found" if found.is_judged else "nothing could be judged"
    if output is Output.JSON:
        show_json([row.model_dump(mode="json") for row in rows])
    else:
        show_rows(rows, COLUMNS | WITH_EXCEPTION, output, none=none, in_csv=IN_CSV)
    told = [count_of(found.sightings, "record")]
    told += [f"{count_of(hidden, 'contact')} that {'is' if hidden == 1 else 'are'} no use (--all)"] if hidden else []
    told += [f"{found.strangers} signs of clients at no site"] if found.strangers else []
    told += [f"{count} {why.value}" for why, count in found.rejected.items()]
    told += [f"{found.unnamed} flows that could not wait for a name"] if found.unnamed else []
    told += ["judged without exceptions: there is no store here"] if exceptions is None else []
    note("; ".join(told))
    for sample in found.samples:
        note(f"{sample.why.value}: {sample.origin}: {sample.detail or sample.text}")


def _records(
    files: list[str], of: str | None, zone: tzinfo, unread: list[Invalid]
) -> Iterator[Sighting | Rejected | None]:
    """What all files say. ``unread`` is given why one of them could not be read; the others are."""
    import sys

    from controller.errors import Invalid
    from controller.evidence.formats import Reading, format_named, read
    from core.clock import SystemClock

    if of is not None:
        format_named(of)
    now = SystemClock().now()
    for name in files:
        reading = Reading(origin="stdin" if name == HERE else name, now=now, sensor=Path(name).name, zone=zone)
        try:
            if name == HERE:
                yield from read(sys.stdin.buffer, reading, format=of)[1]
            else:
                with Path(name).open("rb") as stream:
                    yield from read(stream, reading, format=of)[1]
        except OSError as exc:
            unread.append(Invalid(f"{name}: cannot be read: {exc.strerror}"))
        except Invalid as exc:
            unread.append(exc)


def _zone(text: str | None) -> tzinfo:
    from datetime import UTC
    from zoneinfo import ZoneInfo

    from controller.errors import Invalid
    from controller.inventory.fields import parse_zone

    if text is None:
        return UTC
    try:
        return ZoneInfo(parse_zone(text))
    except ValueError as exc:
        raise Invalid(f"--zone: {exc}") from exc
