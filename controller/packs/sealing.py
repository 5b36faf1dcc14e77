"""A pack as files that belong together: listed with their digests, chained, signed, and checked again. Pure.

``manifest.json`` lists every other file in order: its size, its sha256, and a chain value of sha256(the one before,
path, sha256). Its signature stands beside it in the form of minisign, so that the well-known tool checks it too. As one
file a pack is a ZIP without compression and with fixed times: it can be made again from what is in it, byte by byte.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller import audit_export
from core.errors import TokgateError
from ipsets import minisign
from ipsets.minisign import PublicKey, SigningKey

FORMAT: Final = "tokgate-evidence-pack-1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.minisig"
SUMS: Final = "SHA256SUMS"
AUDIT: Final = "audit.jsonl"
FIRST: Final = "0" * 64
"""What the first file of the chain follows on."""
MAX_FILES: Final = 1_000
MAX_BYTES: Final = 2 * 1024**3
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ZIP: Final = b"PK\x03\x04"
_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a pack is found to be. ``problems`` name the file first; empty: it is whole, and the key signed it."""

    key_id: str
    about: Mapping[str, Any]  # what the manifest says of the pack; nothing of it is proven when there are problems
    files: int
    problems: tuple[tuple[str, str], ...]  # (file, what is wrong)

    @property
    def is_whole(self) -> bool:
        return not self.problems


def text(said: Any) -> bytes:
    """A value as a file: JSON for people and programs, the same bytes for the same value."""
    return (json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def lines(rows: Iterable[Any]) -> bytes:
    """One JSON value a line."""
    said = (json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in said).encode()


def seal(files: Mapping[str, bytes], about: Mapping[str, Any], key: SigningKey) -> dict[str, bytes]:
    """The files with sums, manifest and signature. ``about`` is what the manifest says of the pack."""
    sums = "".join(f"{_sha256(data)}  {name}\n" for name, data in sorted(files.items()))
    listed = {**files, SUMS: sums.encode()}
    manifest = text({**about, "format": FORMAT, "files": [*_chained(listed)]})
    told = f"tokgate evidence pack {about.get('from')} to {about.get('to')}, sha256 {_sha256(manifest)[:16]}"
    signature = minisign.sign(manifest, key, comment=told)
    return {**listed, MANIFEST: manifest, SIGNATURE: signature.encode()}


def _chained(files: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    before = FIRST
    for name, data in sorted(files.items()):
        digest = _sha256(data)
        before = _link(before, name, digest)
        yield {"path": name, "bytes": len(data), "sha256": digest, "chain": before}


def _link(before: str, name: str, digest: str) -> str:
    return _sha256(f"{before}\n{name}\n{digest}\n".encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- checking ---------------------------------------------------------------------------------------------------------


def check(files: Mapping[str, bytes], key: PublicKey) -> Verdict:
    """Whether these are exactly the files that the holder of ``key`` sealed; offline, and of nothing else."""
    problems = [*_signature_problems(files, key)]
    manifest, unreadable = _manifest(files.get(MANIFEST))
    problems += unreadable
    problems += [*_file_problems(files, manifest)] if manifest else ()
    if AUDIT in files and not any(name == AUDIT for name, _ in problems):
        problems += [(AUDIT, broken) for broken in _audit_problems(files[AUDIT])]
    about = {name: value for name, value in manifest.items() if name != "files"}
    return Verdict(key_id=key.id, about=about, files=len(manifest.get("files", ())), problems=tuple(problems))


def _signature_problems(files: Mapping[str, bytes], key: PublicKey) -> Iterator[tuple[str, str]]:
    if MANIFEST not in files or SIGNATURE not in files:
        yield from ((name, "is missing") for name in (MANIFEST, SIGNATURE) if name not in files)
        return
    try:
        signature = files[SIGNATURE].decode("ascii")
        minisign.verify(files[MANIFEST], signature, key)
    except UnicodeDecodeError:
        yield SIGNATURE, "is no signature: not ASCII"
        return
    except TokgateError as exc:
        yield SIGNATURE, _why_unsigned(signature, key, exc)
        return
    _, body, told, whole = signature.removesuffix("\n").split("\n")
    head = f"untrusted comment: signature of tokgate, key {key.id}"
    if signature != f"{head}\n{body}\n{told}\n{whole}\n":
        yield SIGNATURE, "its first line, which nobody signs, is not the one that is written here"


def _why_unsigned(signature: str, key: PublicKey, exc: TokgateError) -> str:
    try:
        signer = minisign.key_id_of(signature)
    except TokgateError:
        return f"is no signature that can be read: {exc.message}"
    if signer != key.id:
        return f"is of key {signer}, and not of {key.id}, which was given: another key, or one of another time"
    return f"does not sign this {MANIFEST}: one of the two was changed, or it is the signature of another pack"


def _manifest(data: bytes | None) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    try:
        found = json.loads(data or b"{}")
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            return {}, [(MANIFEST, f"is none of the form {FORMAT}")] if data else []
        for entry in found["files"]:
            if not isinstance(entry["path"], str) or not _PATH.fullmatch(entry["path"]):
                return {}, [(MANIFEST, "names a file as none is named")]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}, [(MANIFEST, "is no manifest")]
    return found, []


def _file_problems(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    before, listed = FIRST, set[str]()
    for entry in manifest.get("files", ()):
        name, digest = entry["path"], str(entry.get("sha256"))
        listed.add(name)
        before = _link(before, name, digest)
        if name not in files:
            yield name, "is missing"
        elif _sha256(files[name]) != digest or len(files[name]) != entry.get("bytes"):
            yield name, "was changed: it does not match its sha256 in the manifest"
        if entry.get("chain") != before:
            yield name, "does not follow the file before it in the manifest"
    for name in sorted(files.keys() - listed - {MANIFEST, SIGNATURE}):
        yield name, "is in no manifest: it was added"


def _audit_problems(data: bytes) -> Iterator[str]:
    try:
        yield from audit_export.check(data.decode().split("\n")).breaks
    except (UnicodeDecodeError, audit_export.Unreadable) as exc:
        yield str(exc)


# --- as one file ------------------------------------------------------------------------------------------------------


class NoPack(ValueError):
    """The bytes are no pack; the message says why."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The pack as one file: the same bytes for the same files, on every machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, date_time=_DATE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            packed.writestr(info, data)
    return out.getvalue()


def _read(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Raises ``NoPack``, which names the file, when it is not what was packed."""
    try:
        return packed.read(info)
    except zipfile.BadZipFile as exc:
        raise NoPack(f"{info.filename} in it was changed") from exc


def unzipped(data: bytes) -> dict[str, bytes]:
    """The files of a pack, read from memory alone. Raises ``NoPack`` for any byte that ``zipped`` would not write."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            infos = packed.infolist()
            if any(info.compress_type for info in infos):
                raise NoPack("it was packed again, by something else: unpack it, and check the folder")
            if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > len(data):
                raise NoPack("it holds more than a pack does")
            if odd := next((i for i in infos if not _PATH.fullmatch(i.filename)), None):
                raise NoPack(f"it holds {odd.filename[:100]!r}, and no pack has a file of such a name")
            files = {info.filename: _read(packed, info) for info in infos}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as exc:
        if isinstance(exc, NoPack):
            raise
        told = "it is cut off, or its end was changed" if data.startswith(_ZIP) else "it is no ZIP file"
        raise NoPack(told) from exc
    if zipped(files) != data:
        raise NoPack(
            "what stands around its files was changed; unpack it, and check the folder, to see whether they were"
        )
    return files


__all__ = [
    "AUDIT", "FORMAT", "MANIFEST", "SIGNATURE", "NoPack", "Verdict", "check", "lines", "seal", "text", "unzipped",
    "zipped",
]  # fmt: skip
