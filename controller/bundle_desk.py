"""Snapshots that leave for a place without internet, and whose bundles are taken here. Imports are the facade's.

A withdrawal is a decision of this place, for a while: what leaves is the list behind it, which says so. The shorter one
would be pinned over there, and stay short for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.audit import AuditNote
from controller.emergencies import EmergencyDesk
from controller.errors import Conflict
from controller.exceptions import check_text
from controller.settings import Settings
from controller.store import Store
from controller.views import Exported
from controller.withholding import Withholding
from core.clock import Clock
from ipsets.bundle import Bundle, seal
from ipsets.errors import BundleUntrusted, NoSnapshot
from ipsets.minisign import PublicKey, SigningKey, key_id_of, read_public_key, read_signing_key
from ipsets.model import WITHDRAWN, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleDesk:
    """One for a controller."""

    store: Store
    settings: Settings
    clock: Clock
    emergencies: EmergencyDesk
    withholding: Withholding

    def make(self, snapshot_id: str | None = None, *, comment: str = "") -> Bundle:
        """A stored snapshot, by default the one in force, whole, ready to be signed.

        Raises ``NoSnapshot``, ``Invalid``; ``Conflict`` for one that lacks what was withdrawn.
        """
        check_text("comment", comment, required=False)
        snapshot = self._whole(snapshot_id)
        told = [text for text in (comment.strip(), self._word() if snapshot_id is None else "") if text]
        return Bundle(
            snapshot=snapshot, made_at=self.clock.now(), made_by=self.store.instance_id(), comment="; ".join(told)
        )

    def _whole(self, snapshot_id: str | None) -> Snapshot:
        if snapshot_id is None:
            base = self.withholding.base()
            if base is None:
                raise NoSnapshot("no intelligence yet", hint="run `tokgate intel refresh`")
            return base
        found = self.store.snapshot(snapshot_id)
        if any(verdict.guard == WITHDRAWN for verdict in found.dropped):
            behind = f", {found.parent[:12]}," if found.parent else ""
            raise Conflict(
                f"snapshot {found.id[:12]} lacks what was withdrawn here for a while",
                hint=f"export the one behind it{behind} or leave the snapshot out",
            )
        return found

    def _word(self) -> str:
        """What is withdrawn here now, for whoever imports the list with it; empty when nothing is."""
        told = [f"{e.value} until {e.ends:%Y-%m-%d %H:%M}Z" for e in self.emergencies.withdrawn() if e.ends]
        return f"withdrawn at the sender, and in here all the same: {', '.join(told)}" if told else ""

    def export(
        self, snapshot_id: str | None = None, *, actor: str, comment: str = "", key: SigningKey | None = None
    ) -> Exported:
        """As ``make``, signed with ``key``, by default the one of the settings.

        Raises as ``make``; ``Conflict`` when there is no key; ``SecretUnavailable``, ``KeyUnusable``.
        """
        signing = key or self._signing_key()
        bundle = self.make(snapshot_id, comment=comment)
        sealed = seal(bundle, signing)
        withdrawn = () if snapshot_id else tuple(e.value for e in self.emergencies.withdrawn())
        detail = {"key": signing.public.id, "comment": bundle.comment, "withdrawn_here": list(withdrawn)}
        note = AuditNote(actor=actor, action="snapshot.export", subject=bundle.snapshot.id[:12], detail=detail)
        self.store.append_audit(note)
        return Exported(bundle=bundle, sealed=sealed, key=signing.public, withdrawn=withdrawn)

    def _signing_key(self) -> SigningKey:
        if self.settings.bundle_key is None:
            raise Conflict(
                "there is no key to sign bundles with, and none leaves here unsigned",
                hint="set TOKGATE_BUNDLE_KEY to a secret:// reference; `tokgate intel keygen` makes a key",
            )
        return read_signing_key(self.settings.bundle_key.resolve().reveal())

    def trusted_key(self, signature: str) -> PublicKey:
        """That of the settings' keys which the signature names."""
        keys = [read_public_key(text) for text in self.settings.bundle_trust]
        if not keys:
            raise Conflict(
                "no key is trusted to sign bundles here",
                hint="set TOKGATE_BUNDLE_TRUST to the public keys whose bundles are taken, RW…",
            )
        named = key_id_of(signature)
        found = next((key for key in keys if key.id == named), None)
        if found is None:
            raise BundleUntrusted(
                f"signed with key {named}; trusted here: {', '.join(key.id for key in keys)}",
                hint="nothing was imported; ask where the bundle comes from, and whether the key was changed",
            )
        return found
