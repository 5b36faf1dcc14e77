"""Whose adapter a platform is for, by the words that NetBox, Nautobot, Ansible, NAPALM and netmiko have for it.

Sources: netmiko's ``CLASS_MAPPER`` (its device types), the ``ansible_network_os`` of the collections cisco.asa,
fortinet.fortios, junipernetworks.junos and paloaltonetworks.panos, NAPALM's driver names, and the slugs of the
community's device type library. ``junos`` alone may also be a router or a switch; it is taken, because whoever names a
device for tokgate means a firewall, and the adapter refuses what is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from vendors.registry import known_vendors

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "cisco_asa": ("cisco_asa", "asa", "cisco.asa.asa", "cisco_asa_os", "cisco_adaptive_security_appliance"),
    "fortinet_fortios": (
        "fortinet_fortios",
        "fortinet",
        "fortios",
        "fortinet.fortios.fortios",
        "fortigate",
        "fortinet_fortigate",
    ),
    "juniper_srx": (
        "juniper_srx",
        "juniper_junos",
        "juniper",
        "junos",
        "srx",
        "junipernetworks.junos.junos",
        "juniper_junos_srx",
    ),
    "linux_nftables": ("linux_nftables", "linux", "nftables", "debian", "ubuntu", "generic_linux"),
    "paloalto_panos": (
        "paloalto_panos",
        "panos",
        "pan_os",
        "paloaltonetworks.panos.panos",
        "palo_alto_panos",
        "palo_alto_pan_os",
    ),
}
_VENDORS: Final = {word: vendor for vendor, words in _WORDS.items() for word in words}


def vendor_of(platforms: Iterable[str], own: Mapping[str, str]) -> str | None:
    """The vendor of the first word that maps to one; ``own`` goes before ours. None: no word does."""
    for platform in platforms:
        word = re.sub(r"[\s-]+", "_", platform.strip().lower())
        found = own.get(platform) or _VENDORS.get(word)
        if found in known_vendors():
            return found
    return None
