"""What differs between releases and models, and what no public source settles: a test sets it either way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One box: what it calls itself and what it holds."""

    version: str = "9.16(4)"
    hardware: str = "ASAv, 2048 MB RAM, CPU Xeon E5 series 2499 MHz"
    serial: str = "9AUE0QEHJPC"
    object_name: int = 128
    """The documents say 64; an ASAv 9.8 printed names of 128."""
    acl_name: int = 241
    time_range_name: int = 128
    remark: int = 100
    description: int = 200
    sessions: int = 5
    """SSH sessions of one context (ASA 9.4 general operations guide, management access)."""
    config_sessions: int = 3
    deny_flow_max: int = 4096
    log_lines: int = 500
    """How many messages the buffer of `show logging` holds."""
    login_history: bool = True
    """Whether a login prints who came before; older images print the line about help alone."""
    parent_counts: bool = True
    """Whether an entry with groups has a `(hitcnt=…)` of its own; old releases print its hash alone."""
    trailing_blank: bool = False
    """Whether lines of `show access-list` end in a blank; some captures show one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Facts that no public source settles. The default is the likeliest; nothing may depend on it."""

    refusal: Literal["ERROR: ", "WARNING: ", ""] = "ERROR: "
    """What refusals begin with whose exact words are unknown (`answers.Unsure`)."""
    standby_token: str = "stby"  # noqa: S105  # a word of the prompt
    """What `prompt … state` shows on the standby unit."""
    standby_indent: int = 8
    """Blanks before the lines of the standby unit's warning."""
    auto_enable: bool = False
    """A user of privilege 15 lands at `#`, as with `aaa authorization exec LOCAL auto-enable`."""
    password_stars: bool = False
    """A typed password is echoed as asterisks rather than not at all."""
    plain_submodes: bool = False
    """The three sub-modes whose prompts are not on record say `config-object`, `config-group`, `config-range`."""
    padded_curpriv: bool = False
    """The spacing in `show curpriv`."""
    named_header: bool = False
    """`show access-list NAME` prints the two lines about cached flows, as the unnamed form does."""
    brief_zero_rows: bool = False
    """`show access-list NAME brief` lists elements that were never hit."""
    resolved_line: bool = False
    """A resolved name prints its own line before the addresses it stands for."""
    element_first: bool = True
    """Of the two hashes of a message, the element's comes first, the group entry's second."""
    short_zero_hash: bool = False
    """A second hash that is zero reads `0x0` rather than `0x00000000`; both were seen."""
    hash_by_line: bool = False
    """An entry's hash changes when its line moves."""
    host_bits: Literal["kept", "cleared", "refused"] = "kept"
    """What becomes of host bits under a mask; one capture shows them kept."""
    masked_hosts: bool = False
    """`network-object A 255.255.255.255` keeps that form; both forms were seen."""
    member_warning: bool = False
    """`WARNING: ` before the answer to a member that is there already; both forms were seen."""
    revalued: Literal["silent", "told"] = "silent"
    """What another value for an object answers; it replaces the old one either way."""
    empty_group_in_ace: Literal["refused", "accepted"] = "refused"
    """An access list entry that names a group without members."""
    fqdn_needs_acl: bool = False
    """A name object joins a group only when an access list uses that group already."""
    empty_acl_unbinds: bool = True
    """An access list that loses its last entry takes its `access-group` lines along."""
    missing_run: Literal["empty", "told"] = "empty"
    """What `show running-config … NAME` answers for what is not configured."""
    wide_zero: bool = False
    """`terminal width 0` is taken, as no limit."""
    copy_rate: bool = False
    """`write memory` names the bytes per second; both forms were seen."""
    conn_answer: bool = True
    """`clear conn` says how many it ended."""
    conn_v6_ranges: bool = True
    """`show conn address A-B` takes addresses of IPv6."""
    conn_v6_brackets: bool = False
    """`show conn` puts an address of IPv6 between brackets before its port."""
    tracer_counts: bool = True
    """A packet that is only traced moves the hit counts and is logged like one that came."""
    connections_survive: bool = True
    """Open connections go on when the access list changes against them."""
    security_levels: bool = True
    """Where no access list is bound, traffic passes from a higher to a lower security level."""
    hits_survive_reentry: bool = False
    """An entry that is entered again with other options keeps its count."""
    last_minute_holds: bool = False
    """The minute at which a periodic range ends is a part of it; an old guide says so."""
    hits_replicated: bool = False
    """The standby unit counts along."""
