"""A snapshot as a signed file, for sites without internet. Pure: bytes in, values out.

The file is one canonical JSON document; its signature stands beside it (``ipsets.minisign``). Nothing of a file is
read before its signature is proven, so a stranger's file meets the hash function and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ipsets import minisign, snapshot
from ipsets.errors import BundleOutdated, BundleUnreadable, SnapshotCorrupt
from ipsets.minisign import PublicKey, SigningKey
from ipsets.model import Snapshot
from ipsets.text import MISWRITTEN, canonical, instant, one_line

FORMAT: Final = "tokgate-bundle-1"
MAX_BYTES: Final = 256 * 1024 * 1024
"""Of a bundle. The largest list that the guards let pass (250 000 entries, each with its sources) has about a third."""
_SIGNED: Final = b"\nuntrusted comment: "
"""How a signature begins, on a line of its own; no JSON text holds a bare line feed inside."""
_KEYS: Final = frozenset({"format", "snapshot", "made_at", "made_by", "comment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A snapshot on its way, and who sent it."""

    snapshot: Snapshot
    made_at: datetime
    made_by: str  # the id of the instance that exported it
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A bundle as it travels: the file, and the text of the ``.minisig`` beside it."""

    data: bytes
    signature: str


def seal(bundle: Bundle, key: SigningKey) -> Sealed:
    """The two files. Raises ``BundleUnreadable`` when the bundle is larger than ``unseal`` takes."""
    content = {
        "format": FORMAT,
        "snapshot": snapshot.dumps(bundle.snapshot),
        "made_at": bundle.made_at.isoformat(),
        "made_by": bundle.made_by,
        "comment": bundle.comment,
    }
    data = f"{canonical(content)}\n".encode()
    if len(data) > MAX_BYTES:
        raise too_large(len(data))
    told = f"tokgate snapshot {bundle.snapshot.id[:12]} made at {bundle.made_at.isoformat()}"
    return Sealed(data=data, signature=minisign.sign(data, key, comment=told))


def unseal(sealed: Sealed, key: PublicKey) -> Bundle:
    """The bundle that the holder of ``key`` made.

    Raises ``BundleUntrusted``: another key, or changed; ``BundleUnreadable``: too large, cut off, of an unknown format.
    """
    if len(sealed.data) > MAX_BYTES:
        raise too_large(len(sealed.data))
    minisign.verify(sealed.data, sealed.signature, key)
    try:
        content = json.loads(sealed.data)
        if content["format"] != FORMAT:
            raise _unreadable(
                f"its format is {one_line(repr(content['format']), 60)}, not {FORMAT!r}", "update tokgate here or there"
            )
        return _read(content)
    except SnapshotCorrupt as exc:
        raise _unreadable(exc.message, "update tokgate here or there, or export it again") from exc
    except MISWRITTEN as exc:
        raise _unreadable(
            one_line(f"{type(exc).__name__}: {exc}", 300), "the signed file is no bundle; export it again"
        ) from exc


def join(sealed: Sealed) -> bytes:
    """Both files as one: the bundle, which is one line, then the lines of its signature. As ``cat`` joins them."""
    return sealed.data + sealed.signature.encode()


def split(body: bytes) -> Sealed:
    """The inverse of ``join``; nothing is proven. Raises ``BundleUnreadable`` when no signature stands at the end."""
    at = body.rfind(_SIGNED) + 1
    signature = body[at:]
    if not at or len(signature) > minisign.MAX_SIGNATURE_BYTES:
        raise _unreadable("no signature stands at its end", "join both files: cat FILE FILE.minisig")
    try:
        return Sealed(data=body[:at], signature=signature.decode())
    except UnicodeDecodeError as exc:
        raise _unreadable("its signature is not text", "copy both files again") from exc


def refuse_outdated(bundle: Bundle, *, in_force: Snapshot | None, last_made_at: datetime | None) -> None:
    """Raises ``BundleOutdated`` for what is older than the snapshot in force, or than the bundle imported last.

    A true signature proves who made a bundle, not that it is the latest: an old one could be brought in again.
    """
    found = bundle.snapshot
    if in_force and found.id != in_force.id and found.created_at < in_force.created_at:
        raise _outdated(
            f"snapshot {found.id[:12]} of {found.created_at:%Y-%m-%dT%H:%M:%SZ} is older than the one in force, "
            f"{in_force.id[:12]} of {in_force.created_at:%Y-%m-%dT%H:%M:%SZ}"
        )
    if last_made_at and bundle.made_at < last_made_at:
        raise _outdated(
            f"the bundle was made at {bundle.made_at:%Y-%m-%dT%H:%M:%SZ}, before the one that was imported last "
            f"({last_made_at:%Y-%m-%dT%H:%M:%SZ})"
        )


def too_large(size_bytes: int) -> BundleUnreadable:
    return _unreadable(f"it has {size_bytes} bytes, more than {MAX_BYTES}", "look at the file: no list is that long")


def _read(content: Any) -> Bundle:
    if set(content) != _KEYS or not all(isinstance(value, str) for value in content.values()):
        raise ValueError(f"expected the texts {', '.join(sorted(_KEYS))}")
    return Bundle(
        snapshot=snapshot.loads(content["snapshot"]),
        made_at=instant(content["made_at"]),
        made_by=content["made_by"],
        comment=content["comment"],
    )


def _unreadable(why: str, hint: str) -> BundleUnreadable:
    return BundleUnreadable(f"the bundle cannot be used: {why}", hint=hint)


def _outdated(why: str) -> BundleOutdated:
    return BundleOutdated(why, hint="nothing was imported; if going back is meant, repeat it with --force")
