"""Intelligence: snapshots by their content's address, which one is in force, and what each source said last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, select

from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.errors import Invalid, StoreError
from controller.model import Pin
from controller.rehearsal import rehearsal
from controller.store.history import History
from controller.store.schema import audit as audit_log
from controller.store.schema import meta, snapshots, source_records
from controller.store.searching import Listing, within
from controller.store.shelf import get_meta, insert_unless, one, put, put_meta
from controller.versions import refuse_changed, version_of
from core.ids import SnapshotId
from ipsets import snapshot as codec
from ipsets.errors import NoSnapshot
from ipsets.model import Snapshot
from ipsets.resolve import SourceRecord, dumps_record, loads_record

CURRENT: Final = "current_snapshot"
PINNED: Final = "pinned_snapshot"
IN_FORCE: Final = "what is in force"
PUT_IN_FORCE: Final = "snapshot.current"
"""What the audit log calls it; its subject is how the snapshot's id begins."""
WITHHELD: Final = "withheld"
IMPORTED: Final = "snapshot.import"
"""What the audit log calls a bundle that was put in force; its detail has ``made_at``."""
_PREFIX: Final = re.compile(r"[0-9a-f]{4,64}")
_KEPT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSummary:
    """A snapshot in a list."""

    id: SnapshotId
    created_at: datetime
    parent: SnapshotId | None
    networks: int
    domains: int
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long a snapshot was in force. ``until`` is None while it is."""

    snapshot: str  # how its id begins
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """``derived`` is in force: the list ``base`` without what the emergency actions ``ids`` withdraw."""

    base: SnapshotId
    derived: SnapshotId
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotQuery(Listing):
    """Which snapshots; text is looked for in their ids."""

    KEYS = (snapshots.c.created_at, snapshots.c.id)
    SAID = (snapshots.c.id,)

    since: datetime | None = None  # made at that time or later
    until: datetime | None = None  # made before it

    def filters(self) -> Iterator[ColumnElement[bool]]:
        return within(snapshots.c.created_at, self.since, self.until)


class Snapshots(History):
    """Immutable once saved; the few last used ones stay in memory, verified."""

    _known: dict[SnapshotId, Snapshot]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it; the same content twice is one snapshot, with the later provenance and verdicts.

        Those of before stay known for a while: ``said_at``.
        """
        row = {
            "id": snapshot.id,
            "created_at": snapshot.created_at,
            "parent": snapshot.parent,
            "networks": sum(len(s.networks) for s in snapshot.services),
            "domains": sum(len(s.domains) for s in snapshot.services),
            "body": codec.dumps(snapshot),
        }
        with self._db.write() as connection:
            again = {key: row[key] for key in ("created_at", "parent", "body")}
            insertion = insert_unless(connection, snapshots).values(**row)
            connection.execute(insertion.on_conflict_do_update(index_elements=["id"], set_=again))
            self._keep_words(connection, snapshot, self._clock.now())
        self._known = {known: kept for known, kept in self._known.items() if known != snapshot.id}

    def set_current(
        self, snapshot_id: SnapshotId, *, withheld: Withheld | None = None, audit: AuditNote | None = None
    ) -> None:
        """Put a saved snapshot in force; ``withheld``: which list stands behind it. Raises ``NoSnapshot``."""
        with self._db.write() as connection:
            self._full_id(connection, snapshot_id)
            before = get_meta(connection, CURRENT)
            put_meta(connection, CURRENT, snapshot_id)
            _put_withheld(connection, withheld)
            self._log(connection, audit and _with_current(audit, before, snapshot_id))

    def pin(self) -> Pin | None:
        """The pin that holds the snapshot in force; None when refreshes decide."""
        with self._db.read() as connection:
            found = get_meta(connection, PINNED)
        return None if found is None else _read_pin(found)

    def set_pin(self, pin: Pin, *, withheld: Withheld | None = None, audit: AuditNote) -> None:
        """Put a snapshot in force, and keep it there. What is stored of it is read again first.

        ``withheld``: which list stands behind it.

        Raises ``NoSnapshot``; ``SnapshotCorrupt``: nothing was changed.
        """
        with self._db.write() as connection:
            full = self._full_id(connection, pin.snapshot)
            codec.loads(self._body(connection, full))
            refuse_changed(_version(connection), what=IN_FORCE)
            before = get_meta(connection, CURRENT)
            if before != full:
                put_meta(connection, CURRENT, full)
                note = replace(audit, action=PUT_IN_FORCE, subject=full[:12], detail={"pinned": True})
                self._log(connection, _with_current(note, before, full))
            was = {"snapshot": before and before[:12], "pin": _pin_in_words(get_meta(connection, PINNED))}
            put_meta(connection, PINNED, _pin_text(replace(pin, snapshot=full)))
            _put_withheld(connection, withheld)
            said = {"snapshot": full[:12], "pin": _pin_in_words(get_meta(connection, PINNED))}
            self._log(connection, audit.moving(was, said))

    def drop_pin(self, *, audit: AuditNote) -> None:
        """Let refreshes decide again. What is in force stays until the next one."""
        with self._db.write() as connection:
            refuse_changed(_version(connection), what=IN_FORCE)
            was = {"pin": _pin_in_words(get_meta(connection, PINNED))}
            connection.execute(delete(meta).where(meta.c.key == PINNED))
            self._log(connection, audit.moving(was, None))

    def in_force_version(self) -> str:
        """Names which snapshot is in force, and the pin that holds it there."""
        with self._db.read() as connection:
            return _version(connection)

    def refuse_other_in_force(self) -> None:
        """Before something is kept on the way to a pin. Raises ``ChangedMeanwhile``."""
        refuse_changed(self.in_force_version(), what=IN_FORCE, ahead=True)

    def withheld(self) -> Withheld | None:
        """Which list stands behind the one in force; None when it is the list itself."""
        with self._db.read() as connection:
            text, current = get_meta(connection, WITHHELD), get_meta(connection, CURRENT)
        said = json.loads(text) if text is not None else None
        if said is None or said["derived"] != current:
            return None
        return Withheld(base=SnapshotId(said["base"]), derived=SnapshotId(said["derived"]), ids=tuple(said["ids"]))

    def put_withheld(self, withheld: Withheld) -> None:
        """Of the snapshot that is in force already."""
        with self._db.write() as connection:
            _put_withheld(connection, withheld)

    def in_force_before(self, *snapshot_ids: SnapshotId) -> str | None:
        """How the id begins of the snapshot that was last in force and is none of these; None when there was none."""
        others = select(audit_log.c.subject).where(
            audit_log.c.action == PUT_IN_FORCE, audit_log.c.subject.not_in([each[:12] for each in snapshot_ids])
        )
        with self._db.read() as connection:
            found = connection.execute(others.order_by(audit_log.c.seq.desc()).limit(1)).scalar()
        return None if found is None else str(found)

    def last_import_made_at(self) -> datetime | None:
        """When the bundle that was imported last was made; None when there was none."""
        query = select(audit_log.c.detail).where(audit_log.c.action == IMPORTED)
        with self._db.read() as connection:
            found = connection.execute(query.order_by(audit_log.c.seq.desc()).limit(1)).scalar()
        return None if found is None else datetime.fromisoformat(json.loads(found)["made_at"])

    def current_snapshot(self) -> Snapshot | None:
        """What is in force; None before the first resolve. Raises ``SnapshotCorrupt``."""
        with self._db.read() as connection:
            found = get_meta(connection, CURRENT)
            return None if found is None else self._load(connection, SnapshotId(found))

    def term(self, at: datetime) -> Term:
        """Which snapshot was in force then, as the audit log tells. Raises ``NoSnapshot``: that is not known."""
        columns = (audit_log.c.seq, audit_log.c.subject, audit_log.c.at)
        known = select(*columns).where(audit_log.c.action == PUT_IN_FORCE).limit(1)
        with self._db.read() as connection:
            row = one(connection, known.where(audit_log.c.at <= at).order_by(audit_log.c.seq.desc()))
            later = known.where(audit_log.c.seq > (row["seq"] if row else 0))
            after = one(connection, later.order_by(audit_log.c.seq))
        if row is None:
            since = f"the first was put in force {after['at']:%Y-%m-%dT%H:%M:%SZ}" if after else "none was put in force"
            raise NoSnapshot(f"no snapshot was in force {at:%Y-%m-%dT%H:%M:%SZ}: {since}", hint="ask for a later time")
        return Term(snapshot=row["subject"], since=row["at"], until=after["at"] if after else None)

    def snapshot(self, prefix: str) -> Snapshot:
        """The one whose id starts so. Raises ``NoSnapshot``, ``Invalid`` when several do, ``SnapshotCorrupt``."""
        with self._db.read() as connection:
            return self._load(connection, self._full_id(connection, prefix))

    def snapshots(
        self, *, limit: int = 50, before: SnapshotId | None = None, wanted: SnapshotQuery | None = None
    ) -> list[SnapshotSummary]:
        """The newest first, or the oldest; ``before`` is the last one already seen.

        Raises ``NoSnapshot`` when that is unknown.
        """
        asked = wanted or SnapshotQuery()
        columns = [c for c in snapshots.columns if c.name != "body"]
        with self._db.read() as connection:
            seen = [] if before is None else [_behind(connection, asked, self._full_id(connection, before))]
            query = select(*columns).where(*asked.all(*seen)).order_by(*asked.order).limit(limit)
            current = get_meta(connection, CURRENT)
            rows = connection.execute(query).mappings().all()
        return [SnapshotSummary(**row, current=row["id"] == current) for row in rows]

    def snapshot_count(self, wanted: SnapshotQuery, *, most: int) -> int:
        """How many snapshots are wanted; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)

    def _full_id(self, connection: Connection, prefix: str) -> SnapshotId:
        if not _PREFIX.fullmatch(prefix):
            raise NoSnapshot(f"{prefix[:70]!r} is no snapshot id", hint="give at least its first 4 hexadecimal digits")
        query = select(snapshots.c.id).where(snapshots.c.id >= prefix, snapshots.c.id < prefix + "g").limit(2)
        found = connection.execute(query).scalars().all()
        if not found:
            raise NoSnapshot(f"no snapshot {prefix}", hint="`tokgate intel show` lists them")
        if len(found) > 1:
            raise Invalid(f"several snapshots start with {prefix}", hint="give more of the id")
        return SnapshotId(found[0])

    def _load(self, connection: Connection, snapshot_id: SnapshotId) -> Snapshot:
        known = self._known.get(snapshot_id)
        if known is not None:
            return known
        loaded = codec.loads(self._body(connection, snapshot_id))
        if rehearsal() is not None:  # it may be gone with the rehearsal
            return loaded
        self._known = {**dict(list(self._known.items())[1 - _KEPT :]), snapshot_id: loaded}
        return loaded

    @staticmethod
    def _body(connection: Connection, snapshot_id: SnapshotId) -> str:
        body = connection.execute(select(snapshots.c.body).where(snapshots.c.id == snapshot_id)).scalar()
        if body is None:
            raise NoSnapshot(f"snapshot {snapshot_id} is in force but not in the store", hint="run `tokgate db check`")
        return str(body)

    # --- sources --------------------------------------------------------------------------------------------------

    def source_records(self) -> dict[str, SourceRecord]:
        """What each source said last, also those that the inventory no longer names."""
        with self._db.read() as connection:
            rows = connection.execute(select(source_records).order_by(source_records.c.name)).mappings().all()
        return {row["name"]: loads_record(row["body"]) for row in rows}

    def save_source_records(
        self, records: Iterable[SourceRecord] | Mapping[str, SourceRecord], *, alerts: Iterable[AlertNote] = ()
    ) -> None:
        """Keep the word of every source that was asked; a source that is not asked any more is forgotten.

        ``alerts`` are what is different from the words of before: told with them, or not at all.
        """
        asked = list(records.values()) if isinstance(records, Mapping) else list(records)
        with self._db.write() as connection:
            names = [record.name for record in asked]
            connection.execute(source_records.delete().where(source_records.c.name.not_in(names)))
            for record in asked:
                put(connection, source_records, {"name": record.name, "body": dumps_record(record)})
            self._raise_alerts(connection, alerts, self._clock.now())

    def save_source_record(self, record: SourceRecord, *, audit: AuditNote) -> None:
        """Keep what a person decided about one source."""
        with self._db.write() as connection:
            put(connection, source_records, {"name": record.name, "body": dumps_record(record)})
            self._log(connection, audit)


def _version(connection: Connection) -> str:
    return version_of(f"{get_meta(connection, CURRENT)}\n{get_meta(connection, PINNED)}")


def _put_withheld(connection: Connection, withheld: Withheld | None) -> None:
    if withheld is not None:
        content = {"base": withheld.base, "derived": withheld.derived, "ids": list(withheld.ids)}
        put_meta(connection, WITHHELD, json.dumps(content, sort_keys=True))


def _with_current(note: AuditNote, before: str | None, after: str) -> AuditNote:
    """Which snapshot was in force before, and which is."""
    return note.moving({"snapshot": before and before[:12]}, {"snapshot": after[:12]})


def _pin_text(pin: Pin) -> str:
    content = {"snapshot": pin.snapshot, "actor": pin.actor, "reason": pin.reason, "at": pin.at.isoformat()}
    return json.dumps(content, sort_keys=True)


def _pin_in_words(text: str | None) -> str | None:
    """For the audit log; None: nothing is pinned. One that cannot be read is replaced by the next all the same."""
    if text is None:
        return None
    try:
        pin = _read_pin(text)
    except StoreError:
        return "one that cannot be read"
    return f"{pin.snapshot[:12]} by {pin.actor} at {pin.at.isoformat()}"


def _read_pin(text: str) -> Pin:
    try:
        content = json.loads(text)
        return Pin(
            snapshot=SnapshotId(content["snapshot"]),
            actor=content["actor"],
            reason=content["reason"],
            at=datetime.fromisoformat(content["at"]),
        )
    except (ValueError, KeyError, TypeError) as exc:
        hint = "what is in force stays; pin again, or restore a backup"
        raise StoreError("the stored pin cannot be read", hint=hint) from exc


def _behind(connection: Connection, asked: SnapshotQuery, snapshot_id: SnapshotId) -> ColumnElement[bool]:
    row = one(connection, select(snapshots.c.created_at).where(snapshots.c.id == snapshot_id))
    return asked.behind(row["created_at"] if row else None, snapshot_id)
