"""What can go wrong on a device, split by the caller's next move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import ConfigError, ExitCode, TokgateError
from core.ids import DeviceName

if TYPE_CHECKING:
    from vendors.shell import Said


class DeviceError(TokgateError):
    """Something failed on one device; ``device`` is set."""

    code = "TG4000"
    title = "Device error"
    exit_code = ExitCode.DEVICES_FAILED
    http_status = 502


class Unreachable(DeviceError):
    """No session, or it broke while reading: try again with back-off."""

    code = "TG4001"
    title = "Device unreachable"


class HostKeyChanged(DeviceError):
    """The device shows another host key than the pinned one: only a person may go on."""

    code = "TG4002"
    title = "Host key changed"


class HostKeyUnknown(DeviceError):
    """No host key is pinned for this device: only a person may accept one."""

    code = "TG4003"
    title = "Host key not pinned"


class AuthRejected(DeviceError):
    """The device refused the login: another try may lock the account."""

    code = "TG4004"
    title = "Login refused"


class NotPrivileged(DeviceError):
    """Logged in, but the account may not do the work (sudo, capability)."""

    code = "TG4005"
    title = "Account lacks rights"


class Unreadable(DeviceError):
    """A reading that is truncated, garbled or not understood: no plan is made from it."""

    code = "TG4006"
    title = "Reading not understood"


class Refused(DeviceError):
    """The device said no and is provably where it was."""

    code = "TG4007"
    title = "Change refused by the device"


class Uncertain(DeviceError):
    """Neither the old nor the new state is proven: read before writing again."""

    code = "TG4008"
    title = "Outcome uncertain"


class NotVerified(DeviceError):
    """The change was taken but the read-back is not what was meant; it was undone, or the message says why not."""

    code = "TG4009"
    title = "Read-back differs"


class CapacityExceeded(DeviceError):
    """The desired state is larger than the device takes; nothing was sent."""

    code = "TG4010"
    title = "Device capacity exceeded"


class ToolMissing(DeviceError):
    """The device lacks a program or permission that the adapter needs; the message names it."""

    code = "TG4011"
    title = "Device is not prepared"


class LineRefused(DeviceError):
    """One line of many was refused; the lines behind it that were in flight may have been acted on.

    An adapter catches it, finds the way back, and says in which state the device is.
    """

    code = "TG4012"
    title = "Line refused by the device"

    def __init__(
        self, *, index: int, said: Said, answered: tuple[Said, ...], reason: str, device: DeviceName | None = None
    ) -> None:
        super().__init__(f"line {index + 1}, `{said.line}`, was refused: {reason}", device=device)
        self.index, self.said, self.answered, self.reason = index, said, answered, reason


class AnotherDevice(DeviceError):
    """Who answered is another device of the inventory, which answers for itself too: nothing is counted of it."""

    code = "TG4013"
    title = "Another device answered"


class UnknownVendor(ConfigError):
    """The inventory names a vendor that has no adapter; the message lists the known ones."""

    code = "TG1010"
    title = "Unknown vendor"
