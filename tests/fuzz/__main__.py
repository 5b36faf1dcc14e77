"""``python -m tests.fuzz TARGET [options of libFuzzer] FOLDER``: fuzz from the seeds, and keep in FOLDER what is new.

``python -m tests.fuzz TARGET FILE`` runs one input (and the seeds) once, ``--replay`` those in a folder. That needs
nothing but the tests' own libraries; fuzzing needs atheris (Apache-2.0), which has wheels for Linux on x86-64. See
"Fuzzing" in CONTRIBUTING.md.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path

import structlog

from tests.fuzz.seeds import dictionary, seeds

LIMITS = ("-max_len=4096", "-rss_limit_mb=1024", "-timeout=10")
"""MiB, and seconds for one input. Options of the command come later, and count."""


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    target, *words = sys.argv[1:]
    if "--replay" in words:
        return replay(target, [Path(word) for word in words if word != "--replay"])
    folder = Path(words[-1])
    if folder.is_file():
        return replay(target, [folder])
    folder.mkdir(parents=True, exist_ok=True)
    import atheris

    with atheris.instrument_imports(include=["core.net", "ipsets", "controller.evidence", "maxminddb", "ftlbgp"]):
        from tests.fuzz.harness import TARGETS
    for data in seeds(target):
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)  # as libFuzzer names them
    words_file = folder.parent / f"{folder.name}.dict"
    words_file.write_text(dictionary(), encoding="ascii")
    atheris.Setup([sys.argv[0], *LIMITS, f"-dict={words_file}", *words], TARGETS[target])
    atheris.Fuzz()
    return 1  # never: libFuzzer ends the process


def replay(target: str, places: list[Path]) -> int:
    """Runs the seeds, and the files in or at these places. An exception ends it: that is a finding."""
    from tests.fuzz.harness import TARGETS

    files = [path for place in places for path in (sorted(place.iterdir()) if place.is_dir() else [place])]
    found = [*seeds(target), *(path.read_bytes() for path in files)]
    for data in found:
        TARGETS[target](data)
    sys.stdout.write(f"replayed {len(found)} inputs of {target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
