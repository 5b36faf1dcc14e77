"""What is in the spool is sent in order and once; a crash at any byte loses nothing that the journal does not have."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.errors import Busy, SpoolFailed
from controller.export.spool import Progress, Spool, look

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MIB = 1 << 20


def opened(folder: Path, *, start: int = 0, most_bytes: int = 64 * MIB) -> Spool:
    return Spool(folder, start=start, most_bytes=most_bytes)


def fill(spool: Spool, first: int, last: int, *, size: int = 20) -> None:
    found = [(n * 10, NOON + timedelta(seconds=n), f"id-{n}", f"{n}:" + "x" * size) for n in range(first, last + 1)]
    spool.append(found, cursor=last * 10)


def drained(spool: Spool, *, take: int = 7) -> list[int]:
    """The numbers in the texts, read and acknowledged a few at a time."""
    found = list[int]()
    while entries := spool.read(take):
        found += [int(entry.text.partition(":")[0]) for entry in entries]
        spool.ack(entries[-1], at=NOON)
    return found


def test_order_is_kept_over_segments_and_openings(tmp_path: Path) -> None:
    with closing(opened(tmp_path, most_bytes=MIB)) as spool:
        for start in range(1, 2_001, 100):
            fill(spool, start, start + 99, size=300)
        assert len([*tmp_path.glob("*.seg")]) > 3
        first = [spool.read(5), spool.read(5)]
        spool.ack(first[0][-1], at=NOON)
    with closing(opened(tmp_path, most_bytes=MIB)) as spool:
        assert (spool.waiting, spool.cursor) == (1_995, 20_000)
        assert drained(spool, take=64) == list(range(6, 2_001))
        assert (spool.progress.sent, spool.progress.acked_cursor) == (2_000, 20_000)
        assert len([*tmp_path.glob("*.seg")]) == 1


def test_what_was_not_acknowledged_is_read_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as spool:
        fill(spool, 1, 9)
        spool.read(4)
        spool.rewind()
        assert [entry.number for entry in spool.read(3)] == [1, 2, 3]
        spool.ack(spool.read(1)[0], at=NOON)
        spool.rewind()
        assert [entry.id for entry in spool.read(9)] == [f"id-{n}" for n in range(5, 10)]


def test_cut_at_any_byte_it_is_as_if_the_half_record_never_was(tmp_path: Path) -> None:
    """Of every length that a kill may leave: whole records stay, the journal is read on from the last of them."""
    whole = tmp_path / "whole"
    with closing(opened(whole, start=3)) as spool:
        fill(spool, 1, 3, size=1)
        spool.ack(spool.read(1)[0], at=NOON)
        fill(spool, 4, 4, size=1)
    [segment] = whole.glob("*.seg")
    data = segment.read_bytes()
    ends = [data.find(f"{n}:x".encode()) + 3 for n in range(1, 5)]
    for length in range(len(data) + 1):
        cut = tmp_path / "cut"
        shutil.copytree(whole, cut)
        (cut / segment.name).write_bytes(data[:length])
        kept = sum(end <= length for end in ends)
        with closing(opened(cut)) as spool:
            assert spool.cursor == max(kept, 1) * 10  # what was acknowledged is not asked for again
            spool.append([(99, NOON, "id-new", "99:")], cursor=99)
            found = [int(entry.text.partition(":")[0]) for entry in spool.read(9)]
            assert found == [*range(2, kept + 1), 99]
        shutil.rmtree(cut)


def test_a_bit_that_flips_anywhere_never_makes_another_message(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with closing(opened(whole)) as spool:
        fill(spool, 1, 3, size=1)
    [segment] = whole.glob("*.seg")
    data = segment.read_bytes()
    for at in range(len(data)):
        spoilt = tmp_path / "spoilt"
        shutil.copytree(whole, spoilt)
        (spoilt / segment.name).write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with closing(opened(spoilt)) as spool:
            found = [entry.text for entry in spool.read(9)]
        assert found == [f"{n}:x" for n in range(1, len(found) + 1)]
        shutil.rmtree(spoilt)


_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from controller.export.spool import Spool

spool = Spool(Path(sys.argv[1]), start=0, most_bytes=1 << 20)
number = spool.cursor
while True:
    batch = [(n, datetime.now(UTC), f"id-{n}", f"{n}:" + "x" * (n % 900)) for n in range(number + 1, number + 8)]
    spool.append(batch, cursor=batch[-1][0])
    number += 7
    if (number // 7) % 5 == 0:
        entries = spool.read(20)
        spool.ack(entries[-1], at=datetime.now(UTC))
        print(entries[-1].number, flush=True)
"""


def test_a_killed_writer_leaves_a_spool_that_goes_on(tmp_path: Path) -> None:
    """SIGKILL at whatever moment: every number once, in order, from the one behind the last acknowledgement."""
    acked = 0
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
        )
        assert writer.stdout is not None
        for _ in range(3):
            acked = max(acked, int(writer.stdout.readline()))
        writer.send_signal(signal.SIGKILL)
        writer.stdout.close()
        writer.wait()
        with closing(opened(tmp_path, most_bytes=MIB)) as spool:
            entries = spool.read(100_000)
            assert spool.progress.acked >= acked
            assert [int(entry.text.partition(":")[0]) for entry in entries] == [entry.number for entry in entries]
            expected = range(spool.progress.acked + 1, spool.progress.acked + 1 + len(entries))
            assert [entry.number for entry in entries] == list(expected)
            assert spool.cursor == (entries[-1].number if entries else spool.progress.acked)


def test_a_full_spool_drops_the_oldest_and_says_how_many(tmp_path: Path) -> None:
    with closing(opened(tmp_path, most_bytes=200_000)) as spool:
        taken = 0
        for start in range(1, 1_001, 10):
            fill(spool, start, start + 9, size=1_000)
            taken += spool.take_lost()
            assert spool.size <= 200_000 + 30_000
        entries = spool.read(2_000)
        assert entries[0].missing == taken == spool.progress.dropped > 500
        assert entries[-1].number == 1_000
        assert {entry.missing for entry in entries[1:]} == {0}
    with closing(opened(tmp_path, most_bytes=200_000)) as spool:  # the gap is told after a restart too
        assert spool.read(1)[0].missing == taken


def test_what_the_journal_had_dropped_is_a_gap_before_what_comes_next(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as spool:
        fill(spool, 1, 2)
        spool.leave_out(7)
        spool.append([(900, NOON, "id", "10:")], cursor=900)
        assert [(entry.number, entry.missing) for entry in spool.read(9)] == [(1, 0), (2, 0), (10, 7)]
        assert spool.waiting == 3


def test_a_replay_stands_behind_what_waits_and_outlives_a_crash(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as spool:
        fill(spool, 1, 5)
        spool.begin_again(20, "01m8aqh8pkjaeyz2zdfgbx8bc2")
    with closing(opened(tmp_path)) as spool:
        assert (spool.cursor, spool.replay) == (20, "01m8aqh8pkjaeyz2zdfgbx8bc2")
        fill(spool, 3, 5)
        assert drained(spool) == [1, 2, 3, 4, 5, 3, 4, 5]


def test_a_lost_note_means_again_and_a_lost_folder_means_anew(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as spool:
        fill(spool, 1, 5)
        spool.ack(spool.read(3)[-1], at=NOON)
    (tmp_path / "state.json").write_text('{"acked": ')
    with closing(opened(tmp_path)) as spool:
        assert drained(spool) == [1, 2, 3, 4, 5]
    for segment in tmp_path.glob("*.seg"):
        segment.unlink()
    with closing(opened(tmp_path)) as spool:  # the note knows how far it was
        fill(spool, 6, 6)
        assert [(entry.number, entry.missing) for entry in spool.read(9)] == [(6, 0)]
    with closing(opened(tmp_path / "new", start=77)) as spool:
        assert spool.cursor == 77


def test_a_full_disk_is_told_and_nothing_is_half_there(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk: the write is cut short by the system."""
    import resource

    with closing(opened(tmp_path)) as spool:
        fill(spool, 1, 3)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size + 50, before[1]))
        try:
            with pytest.raises(SpoolFailed):
                fill(spool, 4, 9)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert spool.cursor == 30
        fill(spool, 4, 9)
        assert drained(spool) == [*range(1, 10)]


def test_one_process_writes_and_others_look(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as spool:
        fill(spool, 1, 9)
        spool.ack(spool.read(4)[-1], at=NOON)
        with pytest.raises(Busy):
            opened(tmp_path)
        seen = look(tmp_path)
        assert seen is not None
        assert (seen.waiting, seen.progress.acked, seen.oldest) == (5, 4, NOON + timedelta(seconds=5))
        assert seen.size == spool.size
        drained(spool)
        after = look(tmp_path)
        assert after is not None
        assert (after.waiting, after.oldest) == (0, None)
    assert look(tmp_path / "nowhere") is None


def test_what_is_noted_is_read_as_it_was() -> None:
    said = Progress(acked=7, failing_since=NOON, last_error="no", taken_at=NOON, replay="x")
    assert Progress.loads(said.dumps()) == said
