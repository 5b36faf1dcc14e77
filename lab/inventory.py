"""What a user of the lab hands to tokgate: an inventory, a key, and the environment, as a user would write them.

The host keys are pinned, the login key is a ``secret://file`` reference, and the sources are the lab's own: nothing is
asked of the real internet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.topology import Lab, Site

_HEAD = """\
# Written by `tokgate lab up`. The sources of intelligence are the lab's own: RIPEstat is replayed from a record on the
# loopback, DNS is asked at the lab's internet.
"""


def inventory(lab: Lab) -> dict[str, Any]:
    """The inventory of a lab that stands, as plain data."""
    return {
        "version": 1,
        "intelligence": {
            "sources": [
                {"kind": "curated"},
                {
                    "kind": "ripestat",
                    "asns": [138699, 11983],
                    "base_url": lab.replay_url,
                    "holders": False,
                    "neighbours": [],
                },
                {"kind": "dns", "resolvers": [lab.resolver]},
            ]
        },
        "defaults": {
            "device": {
                "username": "root",
                "key_file": f"secret://file{lab.workspace.run_dir}/keys/id_ed25519",
                "connect_timeout_seconds": 5,
                "budget_seconds": 60,
            }
        },
        "policies": {f"{name}-policy": _policy(site) for name, site in lab.sites.items()},
        "sites": {name: _site(site) for name, site in lab.sites.items()},
    }


def _policy(site: Site) -> dict[str, Any]:
    return {
        "services": ["tiktok"],
        "shared_addresses": "block",
        "roles": {role: {"mode": network.mode} for role, network in site.office.roles.items()},
    }


def _site(site: Site) -> dict[str, Any]:
    return {
        "title": site.office.title,
        "time_zone": site.office.time_zone,
        "policy": f"{site.office.name}-policy",
        "networks": {role: list(network.networks) for role, network in site.office.roles.items()},
        "devices": {site.gateway.name: _device(site)},
    }


def _device(site: Site) -> dict[str, Any]:
    gateway = site.gateway
    return {
        "vendor": "linux_nftables",
        "host": gateway.host,
        "port": gateway.port,
        "username": site.office.login,
        "host_keys": [gateway.host_key],
        "own_addresses": list(site.own_addresses),
        "options": {
            "state_dir": str(gateway.files.state_dir),
            "dnsmasq": {
                "conf_dir": str(gateway.files.dnsmasq_dir),
                "restart": str(gateway.files.restart_dnsmasq),
            },
        },
    }


def environment(lab: Lab) -> dict[str, str]:
    """The settings that point tokgate at the lab."""
    return {
        "TOKGATE_INVENTORY": str(lab.workspace.run_dir / "inventory.yaml"),
        "TOKGATE_DATA_DIR": str(lab.workspace.run_dir / "data"),
    }


def write(lab: Lab) -> tuple[Path, Path]:
    """Write ``inventory.yaml`` and ``env`` into the run folder; returns their paths."""
    run_dir = lab.workspace.run_dir
    (run_dir / "data").mkdir(mode=0o700, exist_ok=True)
    path, env = run_dir / "inventory.yaml", run_dir / "env"
    path.write_text(_HEAD + yaml.safe_dump(inventory(lab), sort_keys=False), encoding="utf-8")
    env.write_text("".join(f"export {key}={value}\n" for key, value in environment(lab).items()), encoding="utf-8")
    return path, env
