"""An emulated FortiGate, FortiOS 6.0 to 7.6: strict, stateful, without sockets.

What is emulated, what is not, and which switches stand for facts that no public source settles: see the page on
emulators among the vendor documents.
"""

from lab.emulators.fortios.device import FortiGate
from lab.emulators.fortios.loading import Unloadable
from lab.emulators.fortios.switches import Admin, HostBits, LockText, Mandatory, Model, Switches, TransactionWords

__all__ = [
    "Admin",
    "FortiGate",
    "HostBits",
    "LockText",
    "Mandatory",
    "Model",
    "Switches",
    "TransactionWords",
    "Unloadable",
]
