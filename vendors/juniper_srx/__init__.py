"""Juniper SRX: address sets and deny policies of ours, changed in one confirmed commit."""

from vendors.juniper_srx.adapter import JuniperSrx
from vendors.juniper_srx.options import JuniperSrxOptions

__all__ = ["JuniperSrx", "JuniperSrxOptions"]
