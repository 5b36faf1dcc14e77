"""What can go wrong with intelligence. Whatever it is, the last good snapshot stays in force (I2)."""

from __future__ import annotations

from core.errors import ExitCode, TokgateError
from ipsets.model import Verdict


class SourceError(TokgateError):
    """A source gave nothing usable; its last good indicators stay."""

    code = "TG2000"
    title = "Source failed"
    http_status = 502


class SourceUnreachable(SourceError):
    """No answer, a time-out, a rate limit, a 5xx: again later."""

    code = "TG2001"
    title = "Source unreachable"


class SourceImplausible(SourceError):
    """An answer that is not data: HTML, truncated, empty, wrong shape. Held and told."""

    code = "TG2002"
    title = "Source answer implausible"


class NoSnapshot(TokgateError):
    """Nothing safe to enforce exists yet, or the asked snapshot is unknown."""

    code = "TG2003"
    title = "No such snapshot"
    http_status = 404


class SnapshotCorrupt(TokgateError):
    """Stored content does not match its address; it is not used."""

    code = "TG2004"
    title = "Snapshot corrupt"


class BundleUnreadable(TokgateError):
    """A bundle, or its signature, is cut off, too large or of an unknown format. Nothing was imported."""

    code = "TG2005"
    title = "Bundle cannot be read"
    http_status = 422


class BundleUntrusted(TokgateError):
    """Another key signed it, or it was changed since. Nothing was imported."""

    code = "TG2006"
    title = "Bundle not trusted"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 403


class BundleOutdated(TokgateError):
    """Rightly signed, but older than what is in force: perhaps brought in again. Nothing was imported."""

    code = "TG2007"
    title = "Bundle is older"
    http_status = 409


class KeyUnusable(TokgateError):
    """A key to sign or to check with is none. Never carries a part of it."""

    code = "TG2008"
    title = "Key cannot be used"
    http_status = 422


class GuardTripped(TokgateError):
    """A guard holds the change; the old state stays enforced. The message names the guard and the entries.

    ``verdicts`` has first what was held, then what was dropped on the way.
    """

    code = "TG3001"
    title = "A guard refused"
    exit_code = ExitCode.GUARD_REFUSED
    http_status = 409

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        device: str | None = None,
        place: str | None = None,
        verdicts: tuple[Verdict, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, device=device, place=place)
        self.verdicts = verdicts
