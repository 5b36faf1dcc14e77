"""The inventory: what a person decided, checked as a whole before anything starts."""

from controller.inventory.file import inventory_schema, load_inventory, parse_inventory
from controller.inventory.model import (
    Defaults,
    Device,
    DeviceDefaults,
    DeviceFeed,
    Intelligence,
    Inventory,
    Policy,
    PolicyWindow,
    RolePolicy,
    Site,
)
from controller.inventory.services import services_schema

__all__ = [
    "Defaults",
    "Device",
    "DeviceDefaults",
    "DeviceFeed",
    "Intelligence",
    "Inventory",
    "Policy",
    "PolicyWindow",
    "RolePolicy",
    "Site",
    "inventory_schema",
    "load_inventory",
    "parse_inventory",
    "services_schema",
]
