"""What differs between releases and models, and what no public source settles: a test sets it either way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

APPLICATIONS: Final = frozenset(
    [
        "dns",
        "ftp",
        "icmp",
        "ms-rdp",
        "ntp",
        "ntp-base",
        "ping",
        "quic",
        "smtp",
        "ssh",
        "ssl",
        "telnet",
        "unknown-tcp",
        "unknown-udp",
        "web-browsing",
    ]
)
"""A few of the predefined applications."""
CATEGORIES: Final = frozenset(
    ["command-and-control", "gambling", "malware", "phishing", "social-networking", "unknown"]
)
"""A few of the predefined URL categories. No flow here is of any: that takes a licence and the vendor's database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One box: what it calls itself and what it holds.

    The limits are the vendor's product comparison, as published in pan-os-php's `pan_max_values.json`; those of the
    default are "VM-Series (4 vCPU, 9 GB)".
    """

    name: str = "PA-VM"
    family: str = "vm"
    serial: str = "007200001056"
    version: str = "10.1.6"
    multi_vsys: bool = False
    rules: int = 10_000
    addresses: int = 10_000
    groups: int = 1_000
    group_members: int = 2_500
    fqdn_objects: int = 2_000
    schedules: int = 256
    lists: int = 30
    list_ips: int = 50_000
    list_domains: int = 500_000
    list_urls: int = 100_000
    services: int = 2_000
    commit_queue: int = 10
    """How many commits may wait; 0 for releases before 7.1, which refuse a second one (commit queueing, 7.1)."""
    sessions: int = 10
    applications: frozenset[str] = APPLICATIONS
    list_shown: int = 100
    """How many entries `request system external-list show` prints at most; that it stops is known, where is not."""

    @property
    def release(self) -> tuple[int, int]:
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)


SMALL_VM: Final = Model(
    rules=200, addresses=2_000, groups=100, list_domains=50_000, list_urls=50_000, commit_queue=4, services=1_000
)
"""VM-Series (2 vCPU, 4.5 GB)."""
PA_220: Final = Model(
    name="PA-220", family="200", rules=500, addresses=2_500, groups=250, list_domains=50_000, list_urls=50_000
)
PA_5250: Final = Model(
    name="PA-5250",
    family="5200",
    multi_vsys=True,
    rules=65_000,
    addresses=160_000,
    groups=80_000,
    fqdn_objects=6_144,
    list_ips=150_000,
    list_domains=4_000_000,
    list_urls=250_000,
    services=12_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Facts that no public source settles. The default is the likeliest; nothing may depend on it."""

    error_prefix: Literal["", "Server error : ", "Server error: "] = ""
    """What a refusal of the management plane begins with; all three were seen."""
    caret: bool = True
    """A line with `^` stands before `Invalid syntax.`, as it often does."""
    missing: Literal["Invalid syntax.", "Server error : No such node", "No such node", "Object not present"] = (
        "Server error : No such node"
    )
    """What names a thing that is not there: to delete, move, rename or show."""
    other_type: Literal["replaced", "refused"] = "replaced"
    """What becomes of an address's old type when another one is set."""
    rule_references: Literal["set", "commit"] = "set"
    """When a rule that names what is not there is refused; for members of groups it is at `set`."""
    any_and_more: Literal["commit", "set"] = "commit"
    """When `any` beside other members is refused."""
    empty_group: Literal["refused", "accepted"] = "refused"
    """A static group without members, at commit."""
    one_name_space: bool = True
    """An address and a group may not share a name."""
    rename_follows: bool = True
    """References follow a renamed object; otherwise renaming is refused while something refers to it."""
    no_changes: Literal[
        "There are no changes to commit.",
        "There are no changes to commit",
        "The result of this commit would be the same",
    ] = "There are no changes to commit."
    """What `commit` answers when nothing would change."""
    config_lock_survives_commit: bool = True
    """The holder's commit leaves the config lock; so KB kA14u000000bpo7CAA; the guide says otherwise."""
    revert_partial: bool = True
    """`revert config partial admin NAME` is understood; it is told in forums, and not in the documents."""
    whole_config: Literal["braces", "xml"] = "braces"
    """What `show config running` and `show config candidate` print; sources differ."""
    candidate_survives_reboot: bool = False
    """Edits that were neither committed nor saved are there after a restart."""
    ha_off: str = "HA not enabled"
    """What `show high-availability state` answers without a pair."""
    list_host_mask: bool = True
    """Single addresses of a list are shown with `/32`."""
    append_end_token: bool = True
    """An entry of a URL list without a slash at its end is read as with one. Up to 10.1 it is not, and goes on with
    whatever follows: `example.com` takes `example.com.test.info` (PAN-OS 10.0, URL category exceptions)."""
    categories_shown: bool = True
    """`show running security-policy` names the external lists that a rule has as categories; else it leaves the line
    out. That it names them is on no record."""
    list_header: bool = False
    """`request system external-list show` tells source, reference and validity before the counts."""
    list_conditional: Literal["none", "tag", "date"] = "none"
    """Whether a list is pulled with `If-None-Match` or `If-Modified-Since` of the last good answer."""
    list_gzip: bool = False
    """Whether a list may come in gzip."""
    empty_list_taken: bool = True
    """Whether a body of no byte is a list without entries, or a failure that keeps the old copy."""
    rule_deny_subtype: Literal["drop", "deny"] = "drop"
    """The subtype that the traffic log has for a `deny` by a rule with `application any`."""
    csv_header: bool = False
    """`csv-output equal yes` prints the names of the fields first."""
    hit_columns: Literal["seven", "three"] = "seven"
    """The columns of `show rule-hit-count`; an older release has name, count and last hit."""
    job_table: Literal["plain", "dequeued", "wide"] = "dequeued"
    """The columns of `show jobs`; three widths were seen."""
    sessions_survive: bool = False
    """Open sessions outlive a commit that denies them though `rematch` is on."""
    schedule_end_inclusive: bool = False
    """The last minute of a schedule belongs to it."""
    vsys_prompt: Literal["-{}", " {}", "({})", ""] = "-{}"
    """How the prompt of a login names the virtual system that `set system setting target-vsys` chose."""
    session_networks: bool = True
    """A filter of sessions takes a network for an end, and not a single address alone."""
    clear_answer: bool = True
    """`clear session id` says that it is done; else it says nothing."""
    idle_rules_shown: bool = True
    """`show running security-policy` also prints rules whose schedule does not hold at the moment."""
    log_query: bool = True
    """`show log traffic query equal …` is understood; otherwise it is no command."""
