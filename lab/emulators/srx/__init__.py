"""A Juniper SRX that answers over SSH as the documents and published captures say one does.

Left out so far: policies as traffic sees them (counters, sessions, records), feeds, clusters, `configure private`,
`load merge` and `load patch`, `annotate`, completion and help.
"""

from lab.emulators.srx.device import Mishaps, Srx, User
from lab.emulators.srx.groups import Unread
from lab.emulators.srx.switches import Model, Switches

__all__ = ["Mishaps", "Model", "Srx", "Switches", "Unread", "User"]
