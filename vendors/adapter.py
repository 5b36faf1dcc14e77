"""The border every vendor crosses: a session that carries text, and an adapter that knows one vendor's tongue."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from core.ids import DeviceName
from core.secret import SecretRef
from vendors.model import Capabilities, Desired, FeedList, Observed, Plan, Reading, Receipt
from vendors.shell import Dialect, Shell


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How to reach one device. Secrets are references, resolved at login and nowhere else."""

    device: DeviceName
    host: str
    port: int
    username: str
    password: SecretRef | None
    key_file: SecretRef | None  # reference to the private key's text
    key_passphrase: SecretRef | None
    host_keys: tuple[str, ...]  # pinned, "ssh-ed25519 AAAA…"; empty: unknown, and refused
    connect_timeout: timedelta = timedelta(seconds=10)
    budget: timedelta = timedelta(seconds=120)  # for the whole session, on the monotonic clock
    legacy_algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What one command said. ``text`` is stdout, decoded; ``status`` the exit status (-1: killed by a signal)."""

    text: str
    errors: str
    status: int


class Session(Protocol):
    """A login that carries text and decides nothing. Raises only ``vendors.errors``."""

    device: DeviceName

    def run(self, command: str, *, stdin: str = "", timeout: timedelta | None = None) -> Output:
        """Run one command on an exec channel; bulk goes in through ``stdin``.

        Raises ``Unreachable`` when the session breaks or the budget ends; whoever was changing something turns that
        into ``Uncertain``.
        """
        ...

    def put(self, path: str, content: str, *, mode: int = 0o600) -> None:
        """Write a file by SFTP: temporary name, sync, rename."""
        ...

    def shell(self, dialect: Dialect) -> AbstractContextManager[Shell]:
        """A command line behind a prompt, for as long as the block lasts. Raises ``Unreachable``."""
        ...

    def again(self) -> AbstractContextManager[Session]:
        """A second login to the same device, to look at a change from outside. Raises what ``connect`` raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A rendered plan: pure text, for people to read (``plan -o commands``) and for ``apply`` to carry."""

    text: str  # the vendor's own language, complete
    files: Mapping[str, str] = field(default_factory=dict)  # path on the device -> content (persistence, DNS feed)
    typed: tuple[str, ...] = ()  # every line that changes, locks or commits, as it is sent; empty: those of ``text``

    @property
    def shown(self) -> str:
        """What is sent beside questions, for people. ``^D`` is Ctrl-D; a line with a ``#`` is none of them."""
        return "".join(f"{line}\n" for line in self.typed) or self.text


class Adapter(Protocol):
    """One vendor's tongue. Pure: ``parse``, ``render``, ``parse_counters``. With a session: the rest.

    An adapter value belongs to one device: the registry builds it from the vendor name and that device's typed options.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The most this vendor can do; ``Observed.can`` is what this device can."""
        ...

    def parse(self, text: str) -> Observed:
        """Raises ``Unreadable`` on anything truncated, garbled or foreign to the grammar (I6)."""
        ...

    def render(self, current: Observed, plan: Plan) -> Script: ...

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        """The lists that the device, as read, pulls to hold ``desired``; none when all of it is pushed. Pure.

        They are published before ``apply`` is called, and taken back when it raises ``Refused`` or ``NotPrivileged``.
        """
        ...

    def parse_counters(self, text: str) -> Reading: ...

    def read(self, session: Session) -> Observed: ...

    def refuse(self, current: Observed, plan: Plan) -> None:
        """What stands against the change in what was read: then ``apply`` sends nothing. Pure. Raises ``Refused``."""
        ...

    def apply(self, session: Session, current: Observed, plan: Plan) -> Receipt:
        """Ends in the new state, verified by reading back, or raises.

        Raises:
            Refused: the device said no and is provably in the old state.
            NotVerified: the read-back differs; the old state was restored if the message says so.
            Uncertain: the session broke; read first.
        """
        ...

    def counters(self, session: Session) -> Reading: ...

    def doctor(self, session: Session) -> tuple[Finding, ...]:
        """Check that the device is prepared; changes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of ``tokgate device doctor``."""

    check: str
    ok: bool
    message: str


__all__ = ["Adapter", "Capabilities", "Desired", "Endpoint", "Finding", "Output", "Script", "Session"]
