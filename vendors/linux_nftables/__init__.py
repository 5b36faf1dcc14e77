"""Linux gateways with nftables: one table of ours, `inet tokgate`, beside whatever the owner has."""

from vendors.linux_nftables.adapter import LinuxNftables
from vendors.linux_nftables.options import LinuxNftablesOptions

__all__ = ["LinuxNftables", "LinuxNftablesOptions"]
