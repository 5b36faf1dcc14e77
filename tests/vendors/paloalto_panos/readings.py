"""Whole readings of a firewall, made of a candidate and of what captures say it tells about itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.ids import DeviceName
from tests.vendors.paloalto_panos.candidate import CONTAINERS, Candidate
from vendors.paloalto_panos import PaloAltoPanos, PaloAltoPanosOptions

DATA = Path(__file__).parent / "data"
ORDER = ("tag", "address", "address-group", "schedule", "external-list", "rulebase security rules")
FACTS = {
    "show system info": (DATA / "show_system_info_9.1.2_aws.txt").read_text(),
    "show high-availability state": "HA is not enabled\n",
    "check pending-changes": "no\n",
    "show config list change-summary": "",
    "show panorama-status": "",
    "show system state filter cfg.general.max*": "cfg.general.max-address: 10000\n",
    "login": "tokgate\n",
}


def firewall(**options: object) -> PaloAltoPanos:
    """An adapter with these options."""
    return PaloAltoPanos(PaloAltoPanosOptions.model_validate(options), DeviceName("fw-test"))


def reading(candidate: Candidate, *, flip: bool = False, **facts: str) -> str:
    """What a firewall with that candidate answers; ``facts`` replace those of its name (blanks as underscores)."""
    scope = f"vsys {candidate.vsys} " if candidate.vsys else ""
    said: Mapping[str, str] = FACTS | {key.replace("_", " "): value for key, value in facts.items()}
    shown = {f"show {scope}{path}": candidate.show(path, flip=flip) for path in ORDER}
    assert set(ORDER) == set(CONTAINERS)
    return "".join(f"@@ {command}\n{text}" for command, text in (said | shown).items()) + "@@ end\n"
