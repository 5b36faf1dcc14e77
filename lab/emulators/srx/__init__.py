"""An emulated Juniper SRX, so far its login, its modes and the lock of ``configure exclusive``.

No configuration statements yet: no ``set``, ``load``, ``commit``, policies, counters or cluster. They are refused.
"""

from lab.emulators.srx.device import Srx as Srx
