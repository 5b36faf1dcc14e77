"""Cisco ASA: object groups and FQDN objects of ours, denied in access lists of the site's own."""

from vendors.cisco_asa.adapter import CiscoAsa
from vendors.cisco_asa.options import CiscoAsaOptions

__all__ = ["CiscoAsa", "CiscoAsaOptions"]
