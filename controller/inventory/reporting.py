"""Which reports go out by themselves, where to, and how mail is sent: the parts ``reports`` and ``mail``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from controller.cron import parse_cron
from controller.errors import Invalid
from controller.inventory.fields import Host, Name, Zone
from controller.inventory.parts import Part
from controller.reports.forms import Form
from controller.reports.ranges import parse_range
from core.clock import SystemClock
from vendors.reference import Reference

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


def _mailbox(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("expected an address such as ciso@example.com")
    return value


def _cron(value: str) -> str:
    parse_cron(value)
    return value


def _range(value: str) -> str:
    try:
        parse_range(value, zone="UTC", now=SystemClock().now())
    except Invalid as exc:
        raise ValueError(exc.message.removeprefix("range: ")) from exc
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Mail(Part):
    """The server that takes our mail."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` sends in the clear, and no password: for a server on this machine."""
    username: Annotated[str, Field(max_length=200)] | None = None
    password: Reference | None = None
    sender: Mailbox
    ca_file: Path | None = None
    """Who vouches for the server's certificate, where the system's authorities do not."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.username is None) is not (self.password is None):
            raise ValueError("`username` and `password` go together")
        if self.password is not None and self.tls == "none":
            raise ValueError("a password is not sent in the clear; use `tls: starttls` or `tls: tls`")
        return self


class Bucket(Part):
    """Where a store that speaks S3 keeps them."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    prefix: Annotated[str, Field(max_length=500, pattern=r"^[A-Za-z0-9!_.*'()/-]*$")] = ""
    endpoint: Annotated[str, Field(max_length=500, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")] | None = None
    """None: Amazon's."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    access_key: Reference
    secret_key: Reference


class Target(Part):
    """Exactly one of them."""

    mail: tuple[Mailbox, ...] = Field(default=(), max_length=50)
    folder: Path | None = None
    s3: Bucket | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum((bool(self.mail), self.folder is not None, self.s3 is not None)) != 1:
            raise ValueError("expected one of `mail`, `folder`, `s3`")
        if self.folder is not None and not self.folder.is_absolute():
            raise ValueError("a folder is given from the root, as /srv/reports")
        return self

    @property
    def place(self) -> str:
        """What messages call it."""
        if self.mail:
            return f"mail {', '.join(self.mail)}"
        if self.folder is not None:
            return f"folder {self.folder}"
        return f"s3 {self.s3.bucket}/{self.s3.prefix}" if self.s3 is not None else ""


class ScheduledReport(Part):
    """One report that goes out by itself."""

    site: Name | None = None
    """None: the fleet."""
    range: Annotated[str, AfterValidator(_range)] = "last-week"
    form: Form = Form.HTML
    when: Annotated[str, AfterValidator(_cron)]
    """``minute hour day-of-month month day-of-week``, days of the week by name."""
    zone: Zone = "UTC"
    """Whose clock ``when`` is of; also the fleet's ``range``."""
    to: Annotated[tuple[Target, ...], Field(min_length=1, max_length=10)]
