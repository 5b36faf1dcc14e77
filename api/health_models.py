"""Whether this process does its work, over the wire."""

from __future__ import annotations

from typing import Literal

from api.models import Answer
from controller import views


class Live(Answer):
    status: Literal["ok"] = "ok"


class ReadyCheck(Answer):
    name: str
    ok: bool


class Ready(Answer):
    """Whether this process does its work. What exactly is wrong is told to who has a token, under /api/v1/health."""

    ready: bool
    checks: tuple[ReadyCheck, ...]

    @classmethod
    def of(cls, health: views.Health) -> Ready:
        return cls(ready=health.ready, checks=tuple(ReadyCheck(name=c.name, ok=c.ok) for c in health.checks))


class HealthCheck(ReadyCheck):
    message: str


class Health(Answer):
    ready: bool
    version: str
    checks: tuple[HealthCheck, ...]

    @classmethod
    def of(cls, health: views.Health, *, version: str) -> Health:
        checks = tuple(HealthCheck(name=c.name, ok=c.ok, message=c.message) for c in health.checks)
        return cls(ready=health.ready, version=version, checks=checks)
