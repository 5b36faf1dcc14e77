"""What a FortiGate of the lab is, and what no public source settles: its model, its people, its switches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Version = tuple[int, int, int]


class HostBits(StrEnum):
    """What becomes of a subnet with host bits set: no source tells (administration guide and references are silent)."""

    MASKED = "masked"
    REFUSED = "refused"
    KEPT = "kept"


class Mandatory(StrEnum):
    """The words for a required field that is missing at ``next``; sources say only that it fails there."""

    NAMED = "named"  # the attribute is named, the entry is discarded
    CHECK = "check"  # the plain object check text


class TransactionWords(StrEnum):
    """Whether starting, committing and aborting a transaction print anything: no source shows it."""

    QUIET = "quiet"
    WORDY = "wordy"


class LockText(StrEnum):
    """The vendor's guide is quoted with and without the line break and the point after ``fail``."""

    WRAPPED = "wrapped"
    ONE_LINE = "one_line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """One field for each fact that no public source settles; the default is the likeliest."""

    host_bits: HostBits = HostBits.MASKED
    mandatory: Mandatory = Mandatory.NAMED
    empty_group: bool = False
    """An address group without members is accepted at ``next``."""
    unnamed_policies: bool = True
    """A policy may go without a name (``gui-allow-unnamed-policy`` of the system settings)."""
    script_filter: bool = True
    """Names with any of ``<>()#'"`` are refused."""
    transaction_words: TransactionWords = TransactionWords.QUIET
    lock_text: LockText = LockText.WRAPPED
    counters_survive_reboot: bool = False
    """Policy counters start from nought at a reboot: commonly reported, not documented."""
    counters_synced: bool = False
    """After a failover the new primary goes on with the old one's counters."""
    clear_prints_nothing: bool = True
    """What ``iprope clear`` prints is not documented; the other position says which policy it cleared."""
    lookup_echoes_protocol: bool = True
    """``iprope lookup`` tells the protocol back as it was typed; one article shows its name for a number."""
    feed_comments: bool = True
    """Lines of a feed that begin with ``#`` are comments; else they are error lines."""
    ha_prompt: bool = False
    """Some releases put ``(Primary)`` behind the host name in the prompt."""
    echo_width: int = 0
    """The column at which a typed line is wrapped on the screen; 0: never."""
    line_limit: int = 0
    """A typed line of more characters is refused; 0: any line is read."""
    long_host_names_cut: bool = True
    """A long host name is printed as its first eight characters, a tilde and its last three in the prompt."""
    manage_by_cluster_index: bool = False
    """`execute ha manage` takes the cluster index of a unit, not its operating index: the article names both."""
    manage_long_prompt: bool = True
    """It asks ``admin@169.254.0.2's password:``, behind a warning of ssh; else ``admin@password:``, as an older one."""
    session_filter_shared: bool = False
    """All command lines share one filter of sessions, instead of each having its own."""
    session_vdom_range: bool = True
    """A filter of one vdom is shown as a range, as ports and addresses are; else as its number."""
    sudo: bool = True
    """``sudo VDOM show …`` from global."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model with a release. No maximum is public except those of feeds: the numbers are the lab's."""

    name: str = "FortiGate-100F"
    code: str = "FG100F"
    version: Version = (7, 4, 8)
    build: int = 2795
    date: str = "250523"
    label: str = "GA.M"
    addresses: int = 20_000
    groups: int = 5_000
    group_members: int = 600
    policies: int = 10_000
    vdoms: int = 10
    feeds_per_vdom: int = 256
    feeds: int = 512  # of all vdoms together
    feed_lines: int = 131_072  # each, before 7.4.4
    feed_addresses: int = 300_000  # all together, from 7.4.4

    @property
    def text(self) -> str:
        return ".".join(str(part) for part in self.version)

    @property
    def merged_policies(self) -> bool:
        """IPv4 and IPv6 in one policy since 6.4 (CLI reference)."""
        return self.version >= (6, 4, 0)

    @property
    def workspace(self) -> bool:
        """Transactions since 6.2 (administration guide, workspace mode)."""
        return self.version >= (6, 2, 0)

    @property
    def name_limit(self) -> int:
        """Address and group names: 79 characters, 63 in 6.0."""
        return 63 if self.version < (6, 2, 0) else 79


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """What one administrator may do. ``everywhere``: a super admin, with ``#`` for a prompt and the global scope."""

    everywhere: bool = True
    writes: bool = True
