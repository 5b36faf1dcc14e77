"""Where evidence comes in, and who may bring it: the part ``evidence`` of an inventory."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from controller.inventory.fields import Name, Net, Zone
from controller.inventory.parts import Part
from ipsets.spans import Span
from vendors.reference import Reference

WEEK = timedelta(days=7)


def split_place(text: str) -> tuple[str, int]:
    """``0.0.0.0:5514`` or ``[::]:5514`` as address and port. Raises ``ValueError``."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(bare)
    except ValueError:
        raise ValueError("expected an address and a port, as 0.0.0.0:5514 or [::]:5514") from None
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or bracketed is not (address.version == 6) or not (port.isascii() and port.isdigit()):
        raise ValueError("expected an address and a port, as 0.0.0.0:5514 or [::]:5514")
    if int(port) > 65535:
        raise ValueError("a port is at most 65535")
    return str(address), int(port)


def _place(text: str) -> str:
    split_place(text)
    return text


class Listener(Part):
    """One place where syslog comes in; or NetFlow and IPFIX, over UDP."""

    over: Literal["udp", "tcp", "tls", "netflow"]
    at: Annotated[str, AfterValidator(_place)]
    """Address and port; port 0 takes a free one."""
    certificate: Path | None = None
    """Of a listener over TLS: our chain, PEM; beside the inventory."""
    key: Path | None = None
    """Its private key, PEM."""
    key_passphrase: Reference | None = None
    clients: Path | None = None
    """Authorities, PEM: senders must show a certificate that one of them signed."""

    @property
    def is_datagrams(self) -> bool:
        return self.over in ("udp", "netflow")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        given = (self.certificate, self.key, self.key_passphrase, self.clients)
        if self.over == "tls":
            if self.certificate is None or self.key is None:
                raise ValueError("a listener over tls needs `certificate` and `key`")
        elif any(value is not None for value in given):
            raise ValueError(f"`certificate`, `key`, `key_passphrase` and `clients` are for tls, not for {self.over}")
        return self


class Sensor(Part):
    """Who brings evidence and is no device. Under a device's name: more about that device."""

    site: Name
    addresses: tuple[Net, ...] = ()
    """Where its messages come from. Who brings files alone needs none."""
    time_zone: Zone | None = None
    """Where its clock stands, for times without a zone; the site's when left out."""
    relays: bool = False
    """It passes on what others wrote, who are known by the host name in the message."""
    certificate_names: tuple[Annotated[str, Field(min_length=1, max_length=253)], ...] = ()
    """Over TLS it is whoever shows a certificate with one of these names, wherever it sends from."""


class EvidenceRules(Part):
    """Without ``listen`` nothing is received."""

    listen: tuple[Listener, ...] = ()
    sensors: dict[Name, Sensor] = Field(default_factory=dict)
    """By name."""
    clock_ahead_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300
    """What is later than now by more is set aside."""
    clock_back_seconds: Annotated[int, Field(ge=0, le=7 * 86_400)] = 3_600
    """Syslog that is older by more than what the same sender sent before is set aside; relays may. 0: it never is."""
    too_old: Span = WEEK
    """What is older is set aside."""

    @model_validator(mode="after")
    def _names_are_of_one(self) -> Self:
        whose: dict[str, str] = {}
        for sensor, about in self.sensors.items():
            for name in about.certificate_names:
                if whose.setdefault(name.lower(), sensor) != sensor:
                    raise ValueError(f"sensors: {whose[name.lower()]} and {sensor} have the certificate name {name}")
        return self

    def beside(self, folder: Path) -> EvidenceRules:
        """With its files in ``folder``."""
        return self.model_copy(update={"listen": tuple(_in(folder, listener) for listener in self.listen)})


def _in(folder: Path, listener: Listener) -> Listener:
    files: dict[str, Any] = {
        name: folder / value
        for name in ("certificate", "key", "clients")
        if (value := getattr(listener, name)) is not None
    }
    return listener.model_copy(update=files)


__all__ = ["EvidenceRules", "Listener", "Sensor", "split_place"]
