"""Palo Alto Networks PAN-OS firewalls."""

from vendors.paloalto_panos.adapter import PaloAltoPanos
from vendors.paloalto_panos.facts import BUDGET
from vendors.paloalto_panos.options import PaloAltoPanosOptions

__all__ = ["BUDGET", "PaloAltoPanos", "PaloAltoPanosOptions"]
