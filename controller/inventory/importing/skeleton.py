"""The inventory that an import starts from: it watches, and blocks nothing until a person says so."""

from __future__ import annotations

from controller.inventory.importing.editing import flow
from controller.inventory.importing.model import Reading


def skeleton(reading: Reading) -> str:
    """Roles are those that the source has; all of them only monitored."""
    roles = sorted({role for site in reading.sites.values() for role in site.networks}) or ["company"]
    lines = "".join(f"      {flow(role)}: {{mode: monitor}}\n" for role in roles)
    return f"""\
# Imported. `tokgate config check` checks it; inventory.example.yaml of the distribution shows every key.
version: 1

intelligence:
  sources:
    - kind: curated # the list that comes with tokgate
  guard:
    never_block: [] # your own public networks and whatever must never be blocked, e.g. 203.0.113.0/24

defaults:
  device:
    username: tokgate
    key_file: secret://file/etc/tokgate/id_ed25519 # or secret://env/NAME; never the key itself

policies:
  standard:
    services: [tiktok]
    roles: # only watched, until you write `enforce`
{lines}
sites: {{}}
"""
