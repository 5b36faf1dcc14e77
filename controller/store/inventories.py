"""The inventories that were in force, with what stood in them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from controller.model import Window
from controller.store.schema import inventory_versions
from controller.store.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryVersion:
    """What a schedule took up at that time. ``digest`` is sha256 of what it says, as the audit log names it."""

    at: datetime
    digest: str
    body: bytes

    def said(self) -> dict[str, Any]:
        """As ``Inventory.model_dump(mode="json")`` gave it."""
        found: dict[str, Any] = json.loads(zlib.decompress(self.body))
        return found


def keep_version(connection: Connection, *, at: datetime, digest: str, said: Mapping[str, Any]) -> bool:
    """In the transaction of whoever takes it up. False: the one that was taken up last is the same."""
    last = select(inventory_versions.c.digest).order_by(inventory_versions.c.id.desc()).limit(1)
    if connection.execute(last).scalar() == digest:
        return False
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    row = {"at": at, "digest": digest, "body": zlib.compress(text.encode(), 9)}
    connection.execute(insert(inventory_versions).values(**row))
    return True


class Inventories(Shelf):
    def inventory_versions(self, window: Window) -> list[InventoryVersion]:
        """Those that were in force at some moment of it, in order: the last from before, and those from inside."""
        table = inventory_versions.c
        columns = select(table.at, table.digest, table.body)
        before = columns.where(table.at <= window.start).order_by(table.id.desc()).limit(1)
        inside = columns.where(table.at > window.start, table.at < window.end).order_by(table.id)
        with self._db.read() as connection:
            rows = [*connection.execute(before).mappings(), *connection.execute(inside).mappings()]
        return [InventoryVersion(**row) for row in rows]


__all__ = ["Inventories", "InventoryVersion", "keep_version"]
