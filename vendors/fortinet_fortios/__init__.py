"""Fortinet FortiGates: address objects, groups and deny policies of ours, beside whatever the owner has."""

from vendors.fortinet_fortios.options import FortinetFortiosOptions

__all__ = ["FortinetFortiosOptions"]
