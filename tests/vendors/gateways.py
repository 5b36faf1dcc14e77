"""Real sshd for the vendor tests: endpoints of the lab's gateways."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core.ids import DeviceName
from core.secret import SecretRef
from lab import machine
from lab.gateway import Gateway
from vendors.adapter import Endpoint


def endpoint(to: Gateway, username: str = "root", **changes: object) -> Endpoint:
    """How to log in to a gateway of the lab with its key; ``changes`` replace fields."""
    made = Endpoint(
        device=DeviceName("fw-test"),
        host=to.host,
        port=to.port,
        username=username,
        password=None,
        key_file=SecretRef.parse(f"secret://file{to.client_key}"),
        key_passphrase=None,
        host_keys=(to.host_key,),
        connect_timeout=timedelta(seconds=10),
        budget=timedelta(seconds=60),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def by_password(to: Gateway, **changes: object) -> Endpoint:
    """The operator with a password."""
    password = SecretRef.parse(f"secret://file{machine.BASE}/.operator-password")
    return replace(endpoint(to, machine.OPERATOR, key_file=None, password=password), **changes)  # type: ignore[arg-type]
