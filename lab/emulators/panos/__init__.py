"""A PAN-OS firewall that answers over SSH as the documents and published captures say one does.

Left out: leaving a commit with Ctrl+C while the terminal waits, accepting a banner, abbreviated words and completion,
pipes, NAT and profiles as commands, registered addresses, `debug cli`, and XML of anything but hit counts. Lists of
domains act through profiles, and those of URLs only as categories of rules. Passive
links, active/active and Panorama's own command line are not there either.
"""

from lab.emulators.panos.device import Mishaps, PanOs, User, pair
from lab.emulators.panos.loading import Unread
from lab.emulators.panos.switches import PA_220, PA_5250, SMALL_VM, Model, Switches

__all__ = ["PA_220", "PA_5250", "SMALL_VM", "Mishaps", "Model", "PanOs", "Switches", "Unread", "User", "pair"]
