"""The tables. Alembic's migrations build them; a test keeps the two in step.

Times are whole microseconds since 1970 UTC, so that they sort and are exact. Structured values are canonical JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

REVISION: Final = "0023"

"""The newest migration; a store at this revision needs none."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Exact, unlike a float timestamp. Raises ``ValueError`` for a naive time: its zone would be a guess."""
    if at.tzinfo is None:
        raise ValueError("a stored time needs a time zone")
    return (at - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The aware UTC time of ``micros``."""
    return _EPOCH + value * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else moment(int(value))


Number = Integer().with_variant(BigInteger(), "postgresql")
"""A number of a row that was given one after the other: SQLite's are long, PostgreSQL's plain ones end at 2**31."""

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))
"""``instance``: our id, made once. ``current_snapshot``: what is in force; ``pinned_snapshot``: by whose word it stays.
``audit_head``: the chain's last entry."""

jobs = Table("jobs", metadata, Column("name", String, primary_key=True), Column("done_at", Instant, nullable=False))

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("parent", String),
    Column("networks", Integer, nullable=False),
    Column("domains", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

source_records = Table(
    "source_records", metadata, Column("name", String, primary_key=True), Column("body", Text, nullable=False)
)

words = Table(
    "words",
    metadata,
    Column("digest", String, primary_key=True),
    Column("used_at", Instant, nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""What sources and guards said, each text once (``ipsets.words``); only so many bytes of them are kept."""

refreshes = Table(
    "refreshes",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("snapshot", String, nullable=False),
    Column("words", String, nullable=False, index=True),  # a digest; those words may not be kept any more
    Column("ages", Text, nullable=False),
    Index("ix_refreshes_snapshot", "snapshot", "at"),
)
"""Each time a snapshot was found, and in which words."""

alerts = Table(
    "alerts",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,  # a number that was shown never stands for another alert
)

plans = Table(
    "plans",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("site", String, nullable=False),
    Column("device", String, nullable=False),
    Column("snapshot", String, nullable=False),
    Column("checksum", String, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("trigger", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("started_at", Instant, nullable=False, index=True),
    Column("finished_at", Instant),
    Column("process", String, nullable=False),  # whose run it is; says whether it can still end by itself
    Index("ix_runs_open", "finished_at", "process"),
)

run_devices = Table(
    "run_devices",
    metadata,
    Column("run", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("device", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("site", String, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("outcome", String, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("snapshot", String),
    Column("error_code", String),
    Column("error", Text),
    Column("degraded", Text, nullable=False),
    Column("flows_cut", Integer),
    Column("timings", Text),
    Index("ix_run_devices_site", "site", "run"),
    Index("ix_run_devices_device", "device", "run"),
    Index("ix_run_devices_done", "site", "outcome", "finished_at"),
)

run_changes = Table(
    "run_changes",
    metadata,
    Column("run", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("device", String, primary_key=True),
    Column("body", Text, nullable=False),
)
"""What a run set out to change on a device, a line for each step; apart from ``run_devices``, whose rows lists read."""

device_status = Table(
    "device_status", metadata, Column("device", String, primary_key=True), Column("body", Text, nullable=False)
)

device_exceptions = Table(
    "device_exceptions",
    metadata,
    Column("exception", String, primary_key=True),  # it may be of a store that was restored since
    Column("device", String, primary_key=True, index=True),
)
"""Which exceptions each device was last read back holding: of its status, to be found from the exception."""

observations = Table(
    "observations",
    metadata,
    Column("id", Number, primary_key=True),
    Column("site", String, nullable=False),
    Column("device", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("found", String),
    Column("left", String),
    Column("cause", Text, nullable=False),
    Index("ix_observations_site", "site", "device", "at"),
    Index("ix_observations_at", "at"),
)

readings = Table("readings", metadata, Column("device", String, primary_key=True), Column("body", Text, nullable=False))

events = Table(
    "events",
    metadata,
    Column("id", String, primary_key=True),
    Column("site", String, nullable=False),
    Column("device", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("role", String),
    Column("exception", String),
    Column("action", String, nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("hits", BigInteger),
    Column("packets", BigInteger),
    Column("octets", BigInteger),
    Column("quality", String, nullable=False),
    Column("snapshot", String),
    Column("sources", Text, nullable=False),
    Column("sources_truncated", Boolean(create_constraint=False), nullable=False),
    Column("entries", Text, nullable=False),
    UniqueConstraint("device", "end", "rule", "start", name="uq_events_proof"),  # so that new ones lie side by side
    Index("ix_events_end", "end", "id"),
    Index("ix_events_site", "site", "end", "id"),
    Index(
        "ix_events_exception",
        "exception",
        "end",
        "id",
        postgresql_where=text("exception IS NOT NULL"),
        sqlite_where=text("exception IS NOT NULL"),
    ),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", Number, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("kind", String, nullable=False),  # "event", "episode"
    Column("subject", String, nullable=False),  # its id
    Column("site", String, nullable=False),
    Index("ix_journal_site", "site", "seq"),
    sqlite_autoincrement=True,  # a number never stands for something else later
)
"""What was recorded, in the order of the commits: one writer at a time gives out the numbers, so none appears behind
one that was read already. An episode that grows is in here again."""

episodes = Table(
    "episodes",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("site", String, nullable=False),
    Column("device", String),
    Column("client", String, nullable=False),  # whose it is, for the next evidence; empty: nothing joins it
    Column("source", String),
    Column("host", String, nullable=False),
    Column("user", String, nullable=False),
    Column("role", String),
    Column("indicator", String, nullable=False),
    Column("app", String, nullable=False),
    Column("surface", String, nullable=False),
    Column("action", String, nullable=False),
    Column("exception", String),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("confidence", Integer, nullable=False),
    Column("count", BigInteger),
    Column("packets", BigInteger),
    Column("octets", BigInteger),
    Column("body", Text, nullable=False),
    Column("threads", Text),  # what it is made of, as long as more may join it
    Index("ix_episodes_end", "end", "id"),
    Index("ix_episodes_site", "site", "end", "id"),
    Index("ix_episodes_client", "client", "end"),
    Index("ix_episodes_kind", "kind", "site", "end", "id"),
)

evidence_batches = Table(
    "evidence_batches",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)
"""Which batches of evidence were taken: each is taken once, in the transaction of what came of it."""

_COUNTS: Final = ("events", "hits", "packets", "octets", "no_hits", "no_packets", "no_octets", "at_least", "truncated")


def _counts() -> list[Column[Any]]:
    """What events add up to, as in ``controller.sums.Count``."""
    return [Column(name, BigInteger, nullable=False) for name in _COUNTS]


hit_times = Table(
    "hit_times",
    metadata,
    Column("site", String, primary_key=True),
    Column("grain", String, primary_key=True),  # "half" an hour, "day" or "month", of UTC
    Column("start", Instant, primary_key=True),
    Column("action", String, primary_key=True),
    *_counts(),
)
"""Events added up by time, in the transaction that writes them."""

hit_days = Table(
    "hit_days",
    metadata,
    Column("site", String, primary_key=True),
    Column("start", Instant, primary_key=True),  # of a day of UTC
    Column("device", String, primary_key=True),
    Column("role", String, primary_key=True),  # "": none
    Column("exception", String, primary_key=True),  # "": none
    Column("action", String, primary_key=True),
    *_counts(),
)
"""The same events by the day, and by what counted them."""

hit_seen = Table(
    "hit_seen",
    metadata,
    Column("site", String, primary_key=True),
    Column("grain", String, primary_key=True),  # "day" or "month", of UTC
    Column("start", Instant, primary_key=True),
    Column("side", String, primary_key=True),  # "source" or "destination"
    Column("name", String, primary_key=True),
    Column("action", String, primary_key=True),
    Column("role", String, primary_key=True),  # "": none
    Column("packets", BigInteger, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("no_packets", BigInteger, nullable=False),
    Column("no_octets", BigInteger, nullable=False),
    Column("last_seen", Instant, nullable=False),
)
"""The clients and destinations of those events."""

stretches = Table(
    "stretches",
    metadata,
    Column("id", Number, primary_key=True),
    Column("site", String, nullable=False),
    Column("device", String, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("gap", BigInteger, nullable=False),  # microseconds between the two looks in it that are farthest apart
    Column("looks", Integer, nullable=False),
    Column("found", String),
    Column("left", String),
    Column("cause", Text, nullable=False),
    Index("ix_stretches_site", "site", "device", "last"),
    Index("ix_stretches_last", "last"),
)
"""Looks at a device that follow each other and say the same, as one row; written in the transaction of each look."""

coverage_sums = Table(
    "coverage_sums",
    metadata,
    Column("start", Instant, primary_key=True),  # of a day of UTC
    Column("site", String, primary_key=True),
    Column("enforced", BigInteger, nullable=False),
    Column("partial", BigInteger, nullable=False),
    Column("monitored", BigInteger, nullable=False),
    Column("off", BigInteger, nullable=False),
    Column("not_enforced", BigInteger, nullable=False),
    Column("unknown", BigInteger, nullable=False),
    Column("promised", BigInteger, nullable=False),  # the last proof was young enough
)
"""Microseconds of each state in all days of a site before that one, as far as they are kept: what some days came to is
the difference of two rows. Worked out from ``stretches``, and only of what no later look can change."""

coverage_kept = Table(
    "coverage_kept",
    metadata,
    Column("site", String, primary_key=True),
    Column("basis", String, nullable=False),  # a digest of what it was worked out with
    Column("target", BigInteger, nullable=False),  # microseconds: how old a proof may be, of ``promised``
    Column("first", Instant, nullable=False),  # when somebody first tried to look
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)
"""From which day up to which ``coverage_sums`` has every day of a site, and what they were worked out with."""

episode_days = Table(
    "episode_days",
    metadata,
    Column("site", String, primary_key=True),
    Column("start", Instant, primary_key=True),  # of a day of UTC
    Column("app", String, primary_key=True),
    Column("surface", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("action", String, primary_key=True),
    Column("episodes", BigInteger, nullable=False),
    Column("sightings", BigInteger, nullable=False),
    Column("untold", BigInteger, nullable=False),  # so many do not know how many sightings they are
)
"""What a site's episodes that end in a day come to, of those that were not taken back."""

episode_kept = Table(
    "episode_kept",
    metadata,
    Column("site", String, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)
"""From which day up to which ``episode_days`` has every day of a site."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Number, primary_key=True),
    Column("origin", String, nullable=False),
    Column("why", String, nullable=False),
    Column("site", String),
    Column("count", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("samples", Text, nullable=False),
    UniqueConstraint("origin", "why", name="uq_quarantine_origin"),
    Index("ix_quarantine_last", "last_at", "id"),
    sqlite_autoincrement=True,
)
"""Records that are no evidence: how many of each kind from where, and the last few of them."""

exceptions = Table(
    "exceptions",
    metadata,
    Column("id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("starts", Instant, nullable=False),
    Column("ends", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Column("service", String, nullable=False, server_default=""),
    Column("code", String, nullable=False, server_default=""),
    Column("owner", String, nullable=False, server_default=""),
    Column("requested_by", String, nullable=False, server_default=""),
    Column("said", Text, nullable=False, server_default=""),  # every word of it, to be searched
    CheckConstraint("starts < ends", name="ck_exceptions_life"),
    Index("ix_exceptions_state", "state", "id"),  # lists are in the order of the key
    Index("ix_exceptions_owner", "owner", "id"),
    Index("ix_exceptions_requested_by", "requested_by", "id"),
)

exception_sites = Table(
    "exception_sites",
    metadata,
    Column("exception", ForeignKey("exceptions.id", ondelete="CASCADE"), primary_key=True),
    Column("site", String, primary_key=True),
    Index("ix_exception_sites_site", "site", "exception"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("prefix", String, nullable=False, index=True),
    Column("hash", String, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
    Column("owner", String, index=True),
    Column("sites", Text),
    Column("rotated_at", Instant),
    Column("old_prefix", String, index=True),
    Column("old_hash", String),
    Column("old_until", Instant),
)

people = Table(
    "people",
    metadata,
    Column("name", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("roles", Text, nullable=False),
    Column("sites", Text),
    Column("issuer", String),
    Column("subject", String),
    Column("hash", String),  # argon2, of a local account's password
    Column("created_at", Instant, nullable=False),
    Column("created_by", String, nullable=False),
    Column("disabled_at", Instant),
    Column("failures", Integer, nullable=False),  # wrong passwords since the last right one
    Column("locked_until", Instant),
    Column("last_sign_in_at", Instant),
    UniqueConstraint("issuer", "subject", name="uq_people_identity"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("hash", String, nullable=False, unique=True),  # sha256 of what the cookie holds
    Column("person", ForeignKey("people.name"), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Column("idle_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("revoked_at", Instant),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)

feed_bodies = Table(
    "feed_bodies", metadata, Column("digest", String, primary_key=True), Column("body", LargeBinary, nullable=False)
)
"""The texts of lists that firewalls pull, gzip, each once however many devices pull it; by sha256 of the plain text."""

feed_lists = Table(
    "feed_lists",
    metadata,
    Column("device", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("slot", String, primary_key=True),  # "served"; "before": what is put back when a change is refused
    Column("kind", String, nullable=False),
    Column("digest", String, nullable=False, index=True),
    Column("entries", Integer, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("since", Instant, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("modified_at", Instant, nullable=False),  # whole seconds, later for each other content
    Column("run", String, nullable=False),
    Column("settled", Boolean(create_constraint=False), nullable=False),  # the change that it belongs to was read back
    Column("leaving", Boolean(create_constraint=False), nullable=False),  # gone once that change is read back
)

feed_pulls = Table(
    "feed_pulls",
    metadata,
    Column("id", Number, primary_key=True),
    Column("device", String, nullable=False),
    Column("name", String, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("digest", String),
    Column("octets", BigInteger, nullable=False),
    Index("ix_feed_pulls_list", "device", "name", "id"),
)
"""The last pulls of each list; only so many are kept."""

feed_good = Table(
    "feed_good",
    metadata,
    Column("device", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("digest", String, nullable=False),
    Column("address", String, nullable=False),
)
"""The last good pull of each list: what the device was given, or was told that it has."""

feed_tokens = Table(
    "feed_tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("device", String, nullable=False, index=True),
    Column("prefix", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String, nullable=False),
    Column("first_used_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("sites", Text),
    Column("secret", Text, nullable=False),  # a reference, never the secret; empty: not signed
    Column("old_secret", Text),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String, nullable=False),
    Column("paused_at", Instant),
    Column("paused_why", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Instant),
    Column("retry_at", Instant),
    Column("last_error", Text, nullable=False),
    Column("delivered_at", Instant),
    Column("dropped", Integer, nullable=False),
    Column("form", String, nullable=False, server_default="json"),
)

webhook_messages = Table(
    "webhook_messages",
    metadata,
    Column("seq", Number, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("webhook", ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("queued_at", Instant, nullable=False, index=True),
    Column("items", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", Instant),
    Column("status", Integer),
    Column("error", Text, nullable=False),
    Index("ix_webhook_messages_queue", "webhook", "state", "seq"),
    sqlite_autoincrement=True,  # later messages stand behind earlier ones, also when those are gone
)
"""The outbox: written in the transaction of what a message tells of, sent by the process that runs the schedule."""

repeats = Table(
    "repeats",
    metadata,
    Column("caller", String, primary_key=True),
    Column("key", String, primary_key=True),  # sha256 of the Idempotency-Key
    Column("request", String, nullable=False),  # sha256 of what was asked
    Column("at", Instant, nullable=False, index=True),
    Column("process", String, nullable=False),  # whose it is until it is answered; says whether it can still be
    Column("written", Boolean(create_constraint=False), nullable=False),  # it has changed something
    Column("status", Integer),
    Column("headers", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary),
)
"""What was asked under which key, and the answer without what is shown once, compressed."""

inventory_versions = Table(
    "inventory_versions",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", Instant, nullable=False, index=True),  # when it was taken up
    Column("digest", String, nullable=False),
    Column("body", LargeBinary, nullable=False),  # what it says as JSON, compressed; of secrets references alone
    sqlite_autoincrement=True,
)
"""Every inventory that a schedule took up. The audit log has the digests; here is what stood in it."""
LEAKING: Final = text("state = 'leaking'")
"""Said as text, and not as a value: so a database knows that the index of leaks answers it."""

proofs = Table(
    "proofs",
    metadata,
    Column("id", String, primary_key=True),
    Column("round", String, nullable=False),
    Column("site", String, nullable=False),
    Column("origin", String, nullable=False),  # the device that was asked, or the host that tried
    Column("by", String, nullable=False),
    Column("path", String, nullable=False),
    Column("role", String, nullable=False),
    Column("exception", String, nullable=False),
    Column("source", String, nullable=False),
    Column("target", String, nullable=False),
    Column("expected", String, nullable=False),
    Column("said", String, nullable=False),
    Column("state", String, nullable=False),
    Column("rule", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_proofs_site", "site", "at", "id"),
    Index("ix_proofs_at", "at", "id"),
    Index("ix_proofs_leaks", "at", "site", sqlite_where=LEAKING, postgresql_where=LEAKING),
)
"""Each connection that a firewall was asked about, or that a probe tried."""

proof_cells = Table(
    "proof_cells",
    metadata,
    Column("site", String, primary_key=True),
    Column("origin", String, primary_key=True),
    Column("by", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("role", String, primary_key=True),
    Column("exception", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("source", String, nullable=False),
    Column("target", String, nullable=False),
    Column("rule", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("since", Instant, nullable=False),
    Column("leak", String),  # the episode of the leak that is open
)
"""What the last round of each of them came to."""

report_sendings = Table(
    "report_sendings",
    metadata,
    Column("report", String, primary_key=True),
    Column("target", String, primary_key=True),
    Column("due", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("retry_at", Instant),
    Column("error", Text, nullable=False),
)
"""Of each target of a scheduled report the last time that it was due, and what came of it."""

identity_keys = Table(
    "identity_keys",
    metadata,
    Column("kind", String, primary_key=True),  # "day", "week", "month", "quarter" or "year", of UTC
    Column("start", Instant, primary_key=True),
    Column("end", Instant, nullable=False),
    Column("key", LargeBinary),  # None: destroyed
    Column("destroyed_at", Instant),
)
"""What pseudonyms are made with, one key for each period. A period whose key was destroyed gets no other."""

unmaskings = Table(
    "unmaskings",
    metadata,
    Column("id", String, primary_key=True),
    Column("site", String, nullable=False, index=True),
    Column("body", Text, nullable=False),
)
"""Who asked to see whom, why, and who decided it."""
