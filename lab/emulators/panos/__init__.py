"""A PAN-OS firewall that answers over SSH as the documents and published captures say one does."""

from lab.emulators.panos.device import Mishaps, PanOs, User, pair
from lab.emulators.panos.loading import Unread
from lab.emulators.panos.switches import PA_220, PA_5250, SMALL_VM, Model, Switches

__all__ = ["PA_220", "PA_5250", "SMALL_VM", "Mishaps", "Model", "PanOs", "Switches", "Unread", "User", "pair"]
