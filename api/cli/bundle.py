"""``tokgate intel export|import|keygen``: a snapshot on its way to a site without internet, signed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.errors import FileTrouble
from api.cli.options import AsPlain, Plain
from api.cli.show import note, say, show_json, text_of
from api.cli.writing import whole
from core.secret import Secret, SecretRef

if TYPE_CHECKING:
    from ipsets.bundle import Sealed
    from ipsets.minisign import PublicKey

File = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle; its signature is FILE.minisig.")]
SIGNATURE = ".minisig"


@opening.only_here("a bundle is signed with a key of that machine; the API hands out what the server signs")
def export(
    file: File,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="The private key: secret://… or a file; else TOKGATE_BUNDLE_KEY."),
    ] = None,
    snapshot: Annotated[
        str | None, typer.Argument(metavar="[SNAPSHOT]", help="Which, by the start of its id; else the current.")
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="For whoever imports it; signed too.")] = "",
    output: AsPlain = Plain.TABLE,
) -> None:
    """Write a snapshot as a signed bundle: FILE, and FILE.minisig, which `minisign` verifies too.

    What an emergency withdrew here for a while is in it; its comment says what, and until when.
    """
    from ipsets.minisign import read_signing_key

    signing = read_signing_key(secret_of(key).reveal()) if key else None
    with opening.controller() as controller:
        made = controller.bundles.export(snapshot, key=signing, comment=comment, actor=opening.actor())
    bundle, sealed = made.bundle, made.sealed
    for place, data in ((file, sealed.data), (_beside(file), sealed.signature.encode())):
        with whole(place) as out:
            out.write(data)
    if output is Plain.JSON:
        show_json(
            {
                "snapshot": bundle.snapshot.id,
                "file": str(file),
                "signature": str(_beside(file)),
                "public_key": str(made.key),
                "made_at": bundle.made_at.isoformat(),
                "withdrawn": made.withdrawn,
            }
        )
    else:
        say(f"snapshot {bundle.snapshot.id[:12]} written to {file} and {_beside(file)}, {len(sealed.data)} bytes")
        say(f"the other side imports both with --public-key {made.key}")
    if made.withdrawn:
        note(f"withdrawn here, and in the bundle all the same: {', '.join(made.withdrawn)}", style="yellow")


@opening.only_here("a bundle is a file; `POST /api/v1/intel/import` takes one")
def import_bundle(
    file: File,
    reason: Annotated[str, typer.Option("--reason", help="Why; stands in the audit log and in every report.")],
    public_key: Annotated[
        str | None,
        typer.Option(
            "--public-key",
            metavar="KEY",
            help="Whose bundles are taken: the line RW…, or a .pub file; else TOKGATE_BUNDLE_TRUST.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Take one that is older, or that changes much. Every other refusal still holds."),
    ] = False,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Verify a signed bundle, offline, put its snapshot in force, and pin it: refreshes here do not undo it.

    Refused when signed by another key or changed (5), when unreadable or older than what is in force (1), and when a
    guard of today holds it (3): nothing is changed then.
    """
    key = public_key_of(public_key) if public_key else None
    sealed = _read_both(file)
    with opening.controller() as controller:
        made = controller.import_bundle(sealed, key, actor=opening.actor(), reason=reason, force=force)
    if output is Plain.JSON:
        from api.snapshot_models import Pin

        bundle = made.bundle
        show_json(
            {
                "snapshot": made.pin.snapshot,
                "pin": Pin.of(made.pin).model_dump(mode="json"),
                "made_at": bundle.made_at.isoformat(),
                "made_by": bundle.made_by,
                "comment": bundle.comment,
                "key_id": made.key.id,
            }
        )
        return
    told = f": {text_of(made.bundle.comment)}" if made.bundle.comment else ""
    say(f"bundle made at {text_of(made.bundle.made_at)} by {text_of(made.bundle.made_by)}, key {made.key.id}{told}")
    say(f"PINNED: {made.pin}")
    note("  refreshes here do not undo it; import the next one, or `tokgate intel unpin` to let them decide again")


def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes; must not be there yet.")],
    output: AsPlain = Plain.TABLE,
) -> None:
    """Make a key pair to sign bundles with: writes the private key (mode 0600), prints the public one."""
    new_key_pair(file, output, advice="keep it off the sites; they need only the line above")


def new_key_pair(file: Path, output: Plain, *, advice: str) -> None:
    """Raises ``FileTrouble``."""
    from ipsets.minisign import new_key

    key = new_key()
    _write_private(file, key.text())
    if output is Plain.JSON:
        show_json({"file": str(file), "key_id": key.public.id, "public_key": str(key.public)})
    else:
        say(str(key.public))
        note(f"the private key {key.public.id} is in {file}: {advice}")


# --- files ------------------------------------------------------------------------------------------------------------


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SIGNATURE)


def secret_of(text: str) -> Secret:
    """Raises ``SecretUnavailable``; ``KeyUnusable`` for a reference that is none, without repeating it."""
    if not text.startswith("secret:"):
        return SecretRef("file", str(Path(text).absolute()).lstrip("/")).resolve()
    from ipsets.errors import KeyUnusable

    try:
        return SecretRef.parse(text).resolve()
    except ValueError as exc:
        raise KeyUnusable(f"--key: {exc}", hint="give secret://file/…, secret://env/… or the path of a file") from exc


def public_key_of(text: str, *, option: str = "--public-key") -> PublicKey:
    """From the line itself, or a file that holds it. Raises ``KeyUnusable``."""
    from ipsets.errors import KeyUnusable
    from ipsets.minisign import read_public_key

    if text.startswith("RW") and not Path(text).exists():
        return read_public_key(text)
    try:
        found = read_file(Path(text), limit_bytes=4096)
        return read_public_key(found.decode())
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyUnusable(
            f"{option}: {type(exc).__name__}: neither a line beginning with RW nor a readable file",
            hint="give the line beginning with RW that was printed when the key was made",
        ) from exc


def _read_both(file: Path) -> Sealed:
    """The bundle and its signature, neither beyond its limit; from one file, as the API hands it out, when it has both.

    Raises ``BundleUnreadable``.
    """
    from ipsets.bundle import MAX_BYTES, Sealed, split
    from ipsets.errors import BundleUnreadable
    from ipsets.minisign import MAX_SIGNATURE_BYTES

    try:
        if not _beside(file).exists():
            return split(read_file(file, limit_bytes=MAX_BYTES))
        signature = read_file(_beside(file), limit_bytes=MAX_SIGNATURE_BYTES).decode()
        return Sealed(data=read_file(file, limit_bytes=MAX_BYTES), signature=signature)
    except (OSError, UnicodeDecodeError) as exc:
        what = f"{exc.filename}: {exc.strerror}" if isinstance(exc, OSError) else f"{_beside(file)}: not text"
        raise BundleUnreadable(what, hint=f"both {file} and {_beside(file)} are needed") from exc


def read_file(path: Path, *, limit_bytes: int) -> bytes:
    """A plain file of at most so many bytes. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for its writer
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "not a plain file", str(path))
        if found.st_size > limit_bytes:
            raise OSError(0, f"too large: {found.st_size} bytes, more than {limit_bytes}", str(path))
        return stream.read(limit_bytes)


def _write_private(file: Path, text: str) -> None:
    """For us alone from its first byte on, and never over another key. Raises ``FileTrouble``."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
    except OSError as exc:
        raise FileTrouble(
            f"{file} cannot be written: {exc.strerror}", hint="name a file that is not there yet"
        ) from exc
