"""The short form of the packet probe; ``bench/packet_probe.py`` runs it for longer."""

from __future__ import annotations

import os

import pytest

from bench.packet_probe import attack, broken_attack

pytestmark = pytest.mark.root


def test_i05_no_packet_passes_while_lists_swap_and_writers_are_killed() -> None:
    verdict = attack(f"pk{os.getpid() % 100000}", seconds=5)
    assert verdict.passed == 0
    assert verdict.probes > 1_000
    assert verdict.swaps >= 1
    assert verdict.kills >= 1


def test_the_probe_catches_a_writer_that_flushes_first() -> None:
    assert broken_attack(f"pb{os.getpid() % 100000}", seconds=20).passed > 0
