"""What differs between releases and models, and what no public source settles: a test sets it either way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One box: what it calls itself, how its release prints, and what it holds. None: no limit is on record."""

    hardware: str = "vsrx"
    version: str = "24.4R1.9"
    kernel: str = "64-bit  JNPR-12.1-20220119.55d6bc7_buil"
    hit_layout: Literal["action", "plain", "lower"] = "action"
    """`show security policies hit-count`: the 24.4 columns, the older ones without action (genie capture), or those
    with the header in lower case."""
    identity_lines: bool = True
    """Whether `show security policies` has the vrf, feed and profile parts of 24.4; a 2019 capture lacks them."""
    members: int = 16_384
    """Addresses, and sets, of one address-set: 16384 from the 21.4 model on, 4096 in the 20.4 model (Juniper/yang)."""
    dns_name: int = 253
    """Longest `dns-name`; 63 up to 20.4 (Juniper/yang)."""
    dns_interval: bool = True
    """Whether `dns-query-interval` exists (since 22.4, Juniper/yang)."""
    policy_units: int | None = None
    """Addresses of one policy, an IPv6 one weighing 4; capirca splits above 1023 for old releases."""
    policies: int | None = None
    addresses: int | None = None
    sessions: int = 8
    editors: int = 32
    """How many can be in configuration mode (Junos CLI guide)."""
    history: int = 50
    deny_reason: bool = True
    """Whether deny records name a reason and a session; those of old releases do not."""
    log_lines: int = 2_000
    """How many lines a log file keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Facts that no public source settles. The default is the likeliest; nothing may depend on it."""

    words_swapped: bool = False
    """An unknown first word gets `unknown command.` and a later one `syntax error, expecting <command>.`."""
    modified_prefix: bool = False
    """`configure exclusive error: ` before the refusal over a changed candidate; gnetcli saw both forms."""
    located_values: bool = True
    """A bad value in a load is told with its line and column, as a bad word is."""
    cluster_banner: Literal["joined", "split"] = "joined"
    """In configuration mode the node's banner stands on the line of `[edit]`, by analogy with `{master}[edit]`."""
    commit_nodes: bool = True
    """A commit in a cluster answers a line for each node, by analogy with two routing engines."""
    always_quoted: bool = False
    """Descriptions of one word are printed in quotes."""
    host_bits: Literal["kept", "cleared", "refused"] = "kept"
    """What becomes of host bits in the address book."""
    ipv6_kept: bool = False
    """IPv6 prefixes come back as they were typed rather than in their shortest form."""
    compare_indent: Literal["depth", "four"] = "depth"
    """Blanks behind the sign in `show | compare`: two and one a level, as in three captures; or four always."""
    neighbours: Literal["both", "before", "none"] = "both"
    """Which unchanged siblings `show | compare` prints beside what was added to an ordered list."""
    unknown_address: str = "Address or address_set ({}) not found"
    """What a commit says of a policy that names no known address."""
    disabled_word: str = "inactive"
    """The state of a policy outside its scheduler's hours in `show security policies`."""
    edit_clears_hits: bool = False
    """A policy that a commit changed counts from zero."""
    addresses_per_name: int | None = None
    """How many addresses of one name are used."""
    rollback_keeps_edits: bool = True
    """What somebody is editing outlives an automatic rollback, with what it was begun on."""
    stale_lock: bool = False
    """A session that dies in exclusive mode leaves its lock behind, as users of Ansible saw."""
    stream_logs_kept: bool = False
    """`security log mode stream` leaves its records in the box's own files too."""
    clear_takes_prefix: bool = True
    """`clear security flow session` knows `destination-prefix`, as the show form does."""
    feed_demands_profile: bool = False
    """A list is not pulled over https without a `tls-profile`; else nobody looks at the certificate then."""
    stop_inclusive: bool = False
    """A scheduler's window holds in the second of its `stop-time` too."""
    feed_request: bool = False
    """`request security dynamic-address update` exists; only guides name it."""
    denied_packets: bool = False
    """Every packet of a denied attempt is a match of its own, rather than the attempt."""
    default_log_mode: Literal["event", "stream"] = "event"
    """Where records go without `security log mode`."""
