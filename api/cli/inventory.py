"""``tokgate inventory``: sites and devices from NetBox, Nautobot, Ansible, Nornir or a table. Asks no device."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli import opening
from api.cli.errors import FileTrouble
from api.cli.show import note, say
from controller.model import ImportKind

if TYPE_CHECKING:
    from controller.inventory.importing.merging import Merged
    from controller.inventory.importing.model import Reading

app = typer.Typer(no_args_is_help=True, help="Take sites and devices from NetBox, Nautobot, Ansible, Nornir or CSV.")

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The server's address, or a file (nornir: a folder).")]
From = Annotated[ImportKind, typer.Option("--from", help="What kind of source it is.")]
Token = Annotated[
    str | None, typer.Option("--token", metavar="SECRET", help="Reference to the token: secret://env/NAME.")
]
Filter = Annotated[
    list[str] | None, typer.Option("--filter", metavar="KEY=VALUE", help="Only devices that the server finds by this.")
]
CaFile = Annotated[str | None, typer.Option("--ca-file", metavar="FILE", help="Authority of the server's certificate.")]
Role = Annotated[
    list[str] | None, typer.Option("--role", metavar="THEIRS=OURS", help="A role of prefixes under another name.")
]
Platform = Annotated[
    list[str] | None, typer.Option("--platform", metavar="THEIRS=VENDOR", help="A platform that is not known yet.")
]
Site = Annotated[str | None, typer.Option("--site", metavar="SITE", help="Where devices go that have no site.")]
Zone = Annotated[
    str | None, typer.Option("--time-zone", metavar="ZONE", help="Of new sites for which the source has none.")
]
Options = Annotated[
    Path | None, typer.Option("--options", metavar="FILE", help="YAML: the options of new devices, by vendor.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write a new file; printed when left out.")]
Prune = Annotated[bool, typer.Option("--prune", help="Take out devices that an earlier sync has marked as gone.")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The source's own name; its kind when left out.")
]

_LEFT_SHOWN: Final = 200
_FILE: Final = "the inventory is a file of the server"


@app.command("import")
@opening.only_here(_FILE)
def import_(
    source: Source,
    kind: From,
    out: Out = None,
    token: Token = None,
    filters: Filter = None,
    ca_file: CaFile = None,
    roles: Role = None,
    platforms: Platform = None,
    site: Site = None,
    time_zone: Zone = None,
    name: Name = None,
    options: Options = None,
) -> None:
    """Make a new inventory of what a source has. It only watches: a person writes `enforce`."""
    from controller.inventory.file import parse_inventory
    from controller.inventory.importing.merging import Known, Terms, merged
    from controller.inventory.importing.skeleton import skeleton
    from controller.inventory.importing.state import state_file

    opening.settings()
    if out is not None and (out.exists() or state_file(out).exists()):
        raise FileTrouble(f"{out} is there already", hint="`tokgate inventory sync` changes an existing inventory")
    reading = _reading(kind, source, token, filters, ca_file, roles, platforms, site)
    found = merged(
        skeleton(reading),
        reading,
        Known(),
        Terms(today=_today(), policy="standard", time_zone=time_zone, options=_options(options)),
    )
    parse_inventory(found.text, name=str(out or "the import"))
    if out is None:
        say(found.text.rstrip("\n"))
    else:
        _write(out, found, {name or kind.value: found.known})
        say(f"{out} is written; `tokgate config check` and `tokgate device hostkeys` come next")
    _tell(found, shows_done=False)


@app.command()
@opening.only_here(_FILE)
def sync(
    source: Source,
    kind: From,
    token: Token = None,
    filters: Filter = None,
    ca_file: CaFile = None,
    roles: Role = None,
    platforms: Platform = None,
    site: Site = None,
    time_zone: Zone = None,
    name: Name = None,
    options: Options = None,
    policy: Annotated[str | None, typer.Option("--policy", metavar="POLICY", help="Of new sites.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the exact change and write nothing.")] = False,
    prune: Prune = False,
    force: Annotated[bool, typer.Option("--force", help="Pass the guard against many missing devices.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; needed with --force, and audited.")] = "",
) -> None:
    """Bring the inventory up to what a source has. What people wrote is left alone, comments too."""
    from controller.errors import Invalid
    from controller.inventory.file import load_inventory, parse_inventory
    from controller.inventory.importing.merging import Known, Terms, merged
    from controller.inventory.importing.state import load_known

    settings = opening.settings()
    if force and not reason.strip():
        raise Invalid("--force needs a --reason", hint="it is kept in the audit log")
    path = settings.inventory
    load_inventory(path)
    before = path.read_bytes().decode("utf-8-sig")
    known = load_known(path)
    own = name or kind.value
    reading = _reading(kind, source, token, filters, ca_file, roles, platforms, site)
    terms = Terms(
        today=_today(), policy=policy, time_zone=time_zone, prune=prune, forced=force, options=_options(options)
    )
    found = merged(before, reading, known.get(own, Known()), terms)
    parse_inventory(found.text, name=f"{path} after the sync", folder=path.absolute().parent)
    if dry_run:
        say(_diff(path, before, found.text) or "no change")
    else:
        if force or found.pruned:
            _audit(settings, own, before, found, reason.strip())
        _write(path, found, {**known, own: found.known}, was=before)
    _tell(found, shows_done=not dry_run)


def _reading(
    kind: ImportKind,
    source: str,
    token: str | None,
    filters: list[str] | None,
    ca_file: str | None,
    roles: list[str] | None,
    platforms: list[str] | None,
    site: str | None,
) -> Reading:
    from controller.errors import Invalid
    from controller.inventory.importing.model import Wishes, fitted
    from controller.inventory.importing.sources import read_source
    from vendors.reference import parse_secret

    try:
        reference = parse_secret(token) if token is not None else None
    except ValueError as exc:  # without the cause: it may hold the token
        raise Invalid(f"--token: {exc}", hint="put the token into a variable: secret://env/NETBOX_TOKEN") from None
    said = read_source(kind, source, token=reference, filters=_pairs("--filter", filters), ca_file=ca_file)
    return fitted(said, Wishes(site=site, roles=_pairs("--role", roles), platforms=_pairs("--platform", platforms)))


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    from controller.errors import Invalid

    found = dict(item.partition("=")[::2] for item in given or ())
    if not all(found) or not all(found.values()):
        raise Invalid(f"{option} is written as THEIRS=OURS", hint=f"for example {option} a=b")
    return found


def _options(path: Path | None) -> dict[str, Any]:
    from controller.errors import InventoryError
    from controller.inventory.document import read_document

    if path is None:
        return {}
    try:
        document = read_document(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise InventoryError("cannot be read", hint="name a YAML file", place=str(path)) from exc
    data = document.data
    if document.problems or not isinstance(data, dict) or not all(isinstance(v, dict) for v in data.values()):
        raise InventoryError("expected options by vendor", hint="cisco_asa: {lists: …}", place=str(path))
    return data


def _today() -> str:
    from core.clock import SystemClock

    return SystemClock().now().date().isoformat()


def _diff(path: Path, before: str, after: str) -> str:
    return "\n".join(
        difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), f"{path} after", lineterm="")
    )


def _audit(settings: Any, source: str, before: str, found: Merged, reason: str) -> None:
    """Before anything is written: what cannot be logged is not done."""
    from hashlib import sha256

    from controller.audit import AuditNote
    from controller.store import Store
    from core.clock import SystemClock

    with Store.open(settings.data_dir, address=settings.address, clock=SystemClock()) as store:
        detail = {"gone": list(found.gone), "pruned": list(found.pruned)}
        note_ = AuditNote(
            actor=opening.actor(), action="inventory.sync", subject=source[:40], reason=reason, detail=detail
        )
        was, becomes = ({"text": sha256(text.encode()).hexdigest()[:12]} for text in (before, found.text))
        store.append_audit(note_.moving(was, becomes))


def _write(path: Path, found: Merged, known: Any, was: str | None = None) -> None:
    from controller.inventory.importing.state import replace_file, state_file, state_text

    try:
        if found.text != was:
            replace_file(path, found.text)
        replace_file(state_file(path), state_text(known))
    except OSError as exc:
        raise FileTrouble(f"{path} cannot be written: {exc.strerror}") from exc


def _tell(found: Merged, *, shows_done: bool) -> None:
    if shows_done:
        for line in found.done or ("nothing to change",):
            say(line)
    for line in found.left[:_LEFT_SHOWN]:
        note(f"left: {line}")
    if len(found.left) > _LEFT_SHOWN:
        note(f"left: and {len(found.left) - _LEFT_SHOWN:,} more")
    for name in found.gone:
        note(f"gone: {name} since {found.known.gone[name]}; `--prune` takes it out")
    for name in found.pruned:
        note(f"{name} is out of the inventory, and its rules stay on the device as they are")
