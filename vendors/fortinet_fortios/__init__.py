"""Fortinet FortiGates: address objects, groups and deny policies of ours, beside whatever the owner has."""

from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.fortinet_fortios.options import FortinetFortiosOptions

__all__ = ["FortinetFortios", "FortinetFortiosOptions"]
