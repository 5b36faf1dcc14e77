"""``tokgate evidence``: signed packs of what was proven, for auditors; checked anywhere, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli import bundle, opening
from api.cli.coverage import window
from api.cli.errors import FileTrouble
from api.cli.options import AsPlain, Plain
from api.cli.show import moment, note, say, show_json, show_table, text_of
from api.cli.writing import whole
from controller.errors import Invalid
from controller.model import Window
from core.errors import ExitCode
from core.words import count_of

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from controller.pack_desk import Pack
    from ipsets.minisign import SigningKey

keys = typer.Typer(no_args_is_help=True, help="Keys that packs are signed with.")
DEFAULT_SPAN: Final = timedelta(days=30)
ZIP: Final = ".zip"
HTML: Final = ".html"
LIST_BYTES: Final = 64 * 1024**2
LISTED: Final = 100
SiteNames = Annotated[
    list[str] | None, typer.Option("--site", "-s", metavar="SITE", help="Only this site; may be repeated.")
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="The private key: secret://… or a file; else TOKGATE_EVIDENCE_KEY."),
]
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="From when: 2026-11-01, or a span before now: 30d.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Until when; now when left out.")]


def export(
    place: Annotated[
        Path, typer.Option("--output", metavar="PLACE", help="A folder that is not there yet, or FILE.zip.")
    ],
    site: SiteNames = None,
    start: From = None,
    end: To = None,
    regulation: Annotated[
        str | None,
        typer.Option("--regulation", metavar="ID", help="Answer its questions too: `tokgate evidence regulations`."),
    ] = None,
    identities: Annotated[
        bool, typer.Option("--identities", help="With addresses, hosts and users of clients, which are left out else.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="The page as PDF too; needs the extra `pdf`.")] = False,
    key: Key = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Write a signed pack: policy, coverage, gaps, exceptions, attempts, lists and audit log of some time.

    The last 30 days when no time is given. The same store, time and key give the same bytes, but for when it was made.
    With TOKGATE_URL the server makes it, and signs it with its own key.
    """
    from controller.pack_desk import PackWish

    signing = _signing(key)
    _refuse_taken(place)
    with opening.counterpart() as asked:
        span = _to_the_second(window(asked, start, end, default=DEFAULT_SPAN))
        sites = tuple(site or ())
        wish = PackWish(window=span, sites=sites, regulation=regulation, identities=identities, pdf=pdf)
        pack = asked.make_pack(wish, key=signing, until_now=end is None)
    _write(place, pack.files)
    size = sum(map(len, pack.files.values()))
    if output is Plain.JSON:
        facts = {"place": str(place), "files": len(pack.files), "bytes": size, "sites": list(pack.sites)}
        show_json({**facts, "public_key": str(pack.key)})
        return
    say(f"{len(pack.files)} files, {size:,} bytes, about {count_of(len(pack.sites), 'site')}, written to {place}")
    say(f"check it with: tokgate evidence verify {place} --key {pack.key}")


def verify(
    place: Annotated[Path, typer.Argument(metavar="PACK", help="The folder or the ZIP file.")],
    key: Annotated[
        str,
        typer.Option("--key", metavar="KEY", help="Whose signature is taken: the line RW…, or a .pub file."),
    ],
    output: AsPlain = Plain.TABLE,
) -> int:
    """Check a pack: every byte of every file, the chain of its audit log, and the signature. Offline.

    Ends with 1 and names each file that was changed, taken away or added.
    """
    from controller.packs import sealing

    public = bundle.public_key_of(key, option="--key")
    try:
        found = sealing.check(_read(place), public)
    except sealing.NoPack as exc:
        found = sealing.Verdict(key_id=public.id, about={}, files=0, problems=((place.name, str(exc)),))
    if output is Plain.JSON:
        problems = [{"file": name, "problem": what} for name, what in found.problems]
        show_json({"whole": found.is_whole, "key_id": found.key_id, "problems": problems, "about": dict(found.about)})
    elif found.is_whole:
        about = found.about
        kind = "a sample of site-days" if about.get("kind") == "sample" else "a pack"
        say(f"whole: {kind}, {found.files} files, sealed by key {found.key_id}", style="bold")
        say(f"{about['from']} to {about['to']}, made {about['generated_at']} by instance {about['instance']}")
        say(f"sites: {', '.join(about['sites'])}")
    else:
        say("NOT what was sealed:", style="bold red")
        for name, what in found.problems:
            say(f"  {text_of(name)}: {text_of(what)}")
    return ExitCode.DONE if found.is_whole else ExitCode.ERROR


def list_regulations(output: AsPlain = Plain.TABLE) -> None:
    """List the rules whose questions a pack can answer, each with the day its wording was last read."""
    from controller.packs import regulations

    found = list(regulations.known().values())
    if output is Plain.JSON:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(("id", "as of", "questions", "title"), ([r.id, r.as_of, len(r.questions), r.title] for r in found))
    note("  what is answered is whether something is shown; whether that meets the rule is for a person to say")


def sample(
    seed: Annotated[str, typer.Option("--seed", metavar="TEXT", help="Whatever the auditor says; the draw follows.")],
    site_days: Annotated[int, typer.Option("--site-days", min=1, max=1_000, help="How many.")] = 25,
    site: SiteNames = None,
    start: From = None,
    end: To = None,
    place: Annotated[
        Path | None,
        typer.Option("--output", metavar="PLACE", help="Sealed, as a folder or FILE.zip; FILE.html: a page, unsigned."),
    ] = None,
    key: Key = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Draw days of sites by a seed, and show of each the proof, or what is not known and why.

    The same seed draws the same days, on any machine. The last 30 days when no time is given. What is written to a
    folder or a ZIP file is sealed as a pack is; `tokgate evidence verify` checks it.
    """
    from controller.pack_desk import SAMPLE

    seals = place is not None and place.suffix != HTML
    if place is not None and seals:
        _refuse_taken(place)
    with opening.counterpart() as asked:
        span = _to_the_second(window(asked, start, end, default=DEFAULT_SPAN))
        if seals or opening.is_elsewhere():
            made = _sealed_sample(asked, span, tuple(site or ()), seed, site_days, key=key, until_now=end is None)
            found = json.loads(made.files[SAMPLE])
        else:
            if key:
                raise Invalid("--key: nothing is signed", hint="give --output a folder or a FILE.zip")
            made, found = None, asked.sample(span, tuple(site or ()), seed=seed, count=site_days)
    if place is not None and made is not None and seals:
        _write(place, made.files)
    elif place is not None:
        from controller.packs.page import render_sample

        with whole(place) as out:
            out.write(render_sample(found))
    _show_sample(found, output)
    if place is not None and made is not None and seals and output is not Plain.JSON:
        say(f"check it with: tokgate evidence verify {place} --key {made.key}")


def _sealed_sample(
    asked: Counterpart,
    span: Window,
    sites: tuple[str, ...],
    seed: str,
    site_days: int,
    *,
    key: str | None,
    until_now: bool,
) -> Pack:
    from controller.pack_desk import Draw, PackWish

    wish = PackWish(window=span, sites=sites, sample=Draw(seed=seed, count=site_days))
    return asked.make_pack(wish, key=_signing(key), until_now=until_now)


def _signing(key: str | None) -> SigningKey | None:
    if key is None:
        return None
    from ipsets.minisign import read_signing_key

    return read_signing_key(bundle.secret_of(key).reveal())


def _show_sample(found: Mapping[str, Any], output: Plain) -> None:
    if output is Plain.JSON:
        show_json(found)
        return
    say(f"{found['drawn']} of {found['of']} site-days, by the seed {text_of(found['seed'])}", style="bold")
    rows = ([d["day"], d["site"], d["verdict"], f"{d['seconds']['enforced'] / 86400:.2%}"] for d in found["site_days"])
    show_table(("day", "site", "verdict", "enforced"), rows)


def reconcile(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A table, or an export of osquery, Intune or Jamf; else what was told."),
    ] = None,
    of: Annotated[
        str | None, typer.Option("--as", help="Its format: csv, osquery, intune or jamf; else found.")
    ] = None,
    home: Annotated[
        str | None, typer.Option("--at", metavar="SITE", help="Where records without an address are from.")
    ] = None,
    site: SiteNames = None,
    start: From = None,
    end: To = None,
    page: Annotated[Path | None, typer.Option("--output", metavar="FILE.html", help="Write it as a page too.")] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Hold a list of endpoints, what firewalls saw, and coverage against each other.

    Who has the app and was blocked, who has it and was never seen (which proves nothing where the site was not covered
    all the time), and who was seen and is in no list. The last seven days when no time is given. The file is kept
    nowhere; one with a record that cannot be read is refused with the place.
    """
    from api.cli.counterpart import ListedFile

    listed = None
    if file is not None:
        data = bundle.read_file(file, limit_bytes=LIST_BYTES)
        listed = ListedFile(name=file.name, data=data, format=of, site=home)
    elif of or home:
        raise Invalid("--as, --at: name a file")
    with opening.counterpart() as asked:
        span = window(asked, start, end, default=timedelta(days=7))
        found = asked.reconcile(span, tuple(site or ()), listed)
    said = found.model_dump(mode="json", by_alias=True)
    if page is not None:
        from controller.packs.page import render_reconciliation

        with whole(page) as out:
            out.write(render_reconciliation(said))
    if output is Plain.JSON:
        show_json(said)
        return
    for each in found.sites:
        share = "unknown" if each.covered_share is None else f"{each.covered_share:.2%}"
        none = "" if each.has_list else "; nothing is known of what is installed"
        say(f"{each.site}: covered {share} of the time{none}", style="bold")
        rows = [
            [c.client, ", ".join(c.addresses), c.finding.value, moment(c.last_seen) if c.last_seen else "never"]
            for c in each.clients
        ]
        if rows:
            show_table(("client", "addresses", "what follows", "last seen"), rows[:LISTED])
        if len(rows) > LISTED:
            say(f"and {len(rows) - LISTED} more; see -o json")
    if found.elsewhere:
        say(f"{count_of(found.elsewhere, 'endpoint')} with the app at none of these sites")


@keys.command("new")
def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes; must not be there yet.")],
    output: AsPlain = Plain.TABLE,
) -> None:
    """Make a key pair to sign packs with: writes the private key (mode 0600), prints the public one for auditors."""
    bundle.new_key_pair(file, output, advice="auditors need only the line above, by another way than the packs")


def join(app: typer.Typer) -> None:
    """Add these commands to ``tokgate evidence``."""
    app.command("export")(export)
    app.command("verify")(verify)
    app.command("regulations")(list_regulations)
    app.command("sample")(sample)
    app.command("reconcile")(reconcile)
    app.add_typer(keys, name="key")


# --- files ------------------------------------------------------------------------------------------------------------


def _to_the_second(span: Window) -> Window:
    return Window(span.start.replace(microsecond=0), span.end.replace(microsecond=0))


def _refuse_taken(place: Path) -> None:
    if place.exists() or not place.absolute().parent.is_dir():
        why = "is there already" if place.exists() else "lies in no folder that is there"
        raise FileTrouble(f"{place} {why}", hint="name a folder that is not there yet, or a FILE.zip")


def _write(place: Path, files: Mapping[str, bytes]) -> None:
    """Whole or not at all. Raises ``FileTrouble``."""
    if place.suffix == ZIP:
        from controller.packs.sealing import zipped

        with whole(place, private=True) as out:
            out.write(zipped(files))
        return
    draft = place.with_name(f".{place.name}.new")
    try:
        draft.mkdir(mode=0o700)
        for name, data in files.items():
            (draft / name).write_bytes(data)
        draft.rename(place)
    except OSError as exc:
        raise FileTrouble(f"{place} cannot be written: {exc.strerror}", hint=f"look at {draft}") from exc


def _read(place: Path) -> dict[str, bytes]:
    """The files of a pack. Raises ``NoPack``, ``FileTrouble``."""
    from controller.packs.sealing import MAX_BYTES, MAX_FILES, NoPack, unzipped

    try:
        if not place.is_dir():
            return unzipped(bundle.read_file(place, limit_bytes=MAX_BYTES))
        found = sorted(place.iterdir())
        if len(found) > MAX_FILES:
            raise NoPack("it holds more files than a pack does")
        if odd := next((path for path in found if path.is_symlink() or not path.is_file()), None):
            raise NoPack(f"{odd.name} is no plain file")
        return {path.name: bundle.read_file(path, limit_bytes=MAX_BYTES) for path in found}
    except OSError as exc:
        raise FileTrouble(f"{place} cannot be read: {exc.strerror}", hint="name the folder or the ZIP file") from exc
