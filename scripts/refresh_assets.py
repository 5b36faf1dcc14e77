#!/usr/bin/env python3
"""Fetch the browser files of others that the package ships, at the versions pinned here, and write them where they lie.

``--check`` only says whether the files there are the pinned ones; it needs no network. Fetching needs ``npm``, which
compares each package with the digest pinned here. For a newer version change its line, fetch, and look at the pages.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "api" / "web" / "static" / "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of npm. ``integrity``: of the archive, as npm writes it; ``files``: ours by theirs, with sha256."""

    name: str
    version: str
    integrity: str
    files: Mapping[str, tuple[str, str]]


PACKAGES: Final = (
    Package(
        name="htmx.org",
        version="2.0.11",
        integrity="sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        files={
            "dist/htmx.min.js": (
                "htmx.min.js",
                "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
            ),
        },
    ),
    Package(
        name="htmx-ext-sse",
        version="2.2.4",
        integrity="sha512-LJmxVhykyflBWgh5PvbRidcyuqMHlgfajmmzumvKctv9puvsufeH6OaejSMZTNTnEI8O2wXXn4ZZtBdpEMqmEQ==",
        files={
            "dist/sse.min.js": (
                "sse.min.js",
                "98a46496de0c3605fbffdce9167ba427bdd9553184f83f149c261891a92c0136",
            ),
            "LICENSE": (
                "LICENSE.htmx-ext-sse.txt",
                "a17d224ce9afdc21ec9491b76a2f5d036d19aa641ac4f85ca29c21f9f7e54fdf",
            ),
        },
    ),
    Package(
        name="uplot",
        version="1.6.32",
        integrity="sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        files={
            "dist/uPlot.iife.min.js": (
                "uPlot.iife.min.js",
                "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
            ),
            "dist/uPlot.min.css": (
                "uPlot.min.css",
                "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
            ),
            "LICENSE": (
                "LICENSE.uplot.txt",
                "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
            ),
        },
    ),
)


def wrong() -> list[str]:
    """What of the shipped files is not as pinned, in words."""
    pins = {ours: digest for package in PACKAGES for ours, digest in package.files.values()}
    there = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    found = [f"{name} is pinned nowhere" for name in sorted(there - pins.keys())]
    found += [f"{name} is missing" for name in sorted(pins.keys() - there)]
    for name in sorted(pins.keys() & there):
        if hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() != pins[name]:
            found.append(f"{name} is another one than pinned")
    return found


def fetch(package: Package) -> None:
    """Write its files. Raises ``SystemExit`` for an archive that is not the pinned one."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
        done = subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True)
        archive = Path(folder) / done.stdout.split()[-1]
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != package.integrity:
            raise SystemExit(f"{package.name} {package.version}: the archive is not the pinned one")
        with tarfile.open(archive) as inside:
            for theirs, (ours, _) in package.files.items():
                member = inside.extractfile(f"package/{theirs}")
                assert member is not None
                (FOLDER / ours).write_bytes(member.read())


def main() -> None:
    if sys.argv[1:] != ["--check"]:
        for package in PACKAGES:
            fetch(package)
    if found := wrong():
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
