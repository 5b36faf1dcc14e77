"""A Juniper SRX that answers over SSH as the documents and published captures say one does.

Left out: `configure private`, `load merge` and `load patch`, `annotate`, `copy`, help with `?`, on-box log
reports, stateless filters, logical systems as configuration. What else a site's own text has is kept and printed.
"""

from lab.emulators.srx.device import Mishaps, Srx, User, pair
from lab.emulators.srx.groups import Unread
from lab.emulators.srx.switches import Model, Switches

__all__ = ["Mishaps", "Model", "Srx", "Switches", "Unread", "User", "pair"]
