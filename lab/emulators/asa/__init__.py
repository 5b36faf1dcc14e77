"""A Cisco ASA that answers over SSH as the documents and published captures say one does.

Left out: configuration sessions, network-service objects, `packet-tracer`, `reload in`, active/active failover,
`write standby`, NAT, pipes behind `show`, and interfaces and routes as commands (a site's own text with them is kept
and printed). Standard access lists are kept, and filter nothing.
"""

from lab.emulators.asa.device import Asa, Mishaps, User, pair
from lab.emulators.asa.switches import Model, Switches
from lab.emulators.asa.text import Unread

__all__ = ["Asa", "Mishaps", "Model", "Switches", "Unread", "User", "pair"]
