"""Configuration: how far what is in force is from the files that declare it."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Ctl, Reader
from api.config_models import ConfigDrift

router = APIRouter(prefix="/config", tags=["config"])


@router.get("/drift", summary="What the files say, and what is in force")
def config_drift(controller: Ctl, caller: Reader) -> ConfigDrift:
    """Reads the inventory and its file of exceptions anew; asks no device. What they declare is changed there alone."""
    return ConfigDrift.of(controller.declared.drift())
