"""When the certificate that we serve with ends.

Some firewalls that pull take a certificate that has expired for a refused login, and enforce nothing of their lists any
more (PAN-OS 8.0 new features, authentication for external dynamic lists). A server that does not answer they survive.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509

from core.errors import ConfigError

log = structlog.get_logger()

WARNED_BEFORE: Final = timedelta(days=30)


def ends_at(chain: Path) -> datetime | None:
    """When the first certificate of the chain expires; None for a file that cannot be read as one."""
    try:
        return min(found.not_valid_after_utc for found in x509.load_pem_x509_certificates(chain.read_bytes()))
    except (OSError, ValueError):
        return None


def check(chain: Path, now: datetime) -> None:
    """Raises ``ConfigError`` for a chain that has expired; warns a month before. Who loads it says if it is none."""
    ends = ends_at(chain)
    if ends is None:
        return
    if ends <= now:
        raise ConfigError(
            f"TLS: {chain} expired at {ends:%Y-%m-%d %H:%M} UTC",
            hint="give a new one; with this one firewalls may drop their lists, and without a server they keep them",
        )
    if ends - now < WARNED_BEFORE:
        log.warning("serve.certificate_ends", certificate=str(chain), days=(ends - now).days)
