"""Measurements beside a peer in the same run; ``make bench`` writes JSON and the table in ``docs/benchmarks.md``."""
