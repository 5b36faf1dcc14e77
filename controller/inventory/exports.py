"""Who is sent events and episodes as they are recorded: the part ``exports`` of an inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from controller.evidence.model import EpisodeKind
from controller.export.forms import Form
from controller.export.lines import FACILITIES
from controller.inventory.fields import Host, Name
from controller.inventory.parts import Part
from controller.webhooks import check_url
from core.errors import TokgateError
from vendors.reference import Reference

Port = Annotated[int, Field(ge=1, le=65535)]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Broker = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]{1,253}):[0-9]{1,5}$")]
Facility = Annotated[str, Field(json_schema_extra={"enum": [*FACILITIES]})]
DocumentForm = Literal[Form.JSON, Form.ECS, Form.OCSF]
LineForm = Literal[Form.RFC5424, Form.CEF, Form.LEEF, Form.JSON, Form.ECS, Form.OCSF]
PostedForm = Literal[Form.JSON, Form.ECS, Form.OCSF, Form.SLACK, Form.TEAMS]


def _facility(value: str) -> str:
    if value not in FACILITIES:
        raise ValueError(f"expected one of {', '.join(FACILITIES)}")
    return value


def _address(value: str) -> str:
    try:
        return check_url(value)
    except TokgateError as exc:
        raise ValueError(exc.message.removeprefix("url: ")) from exc


class ExportBase(Part):
    """What every receiver has."""

    records: Annotated[tuple[Literal["event", "episode"], ...], Field(min_length=1)] = ("event", "episode")
    """``event``: what counters prove. ``episode``: what all evidence comes to."""
    kinds: tuple[EpisodeKind, ...] = ()
    """Only these; events are ``hits``. None said: all."""
    sites: tuple[Name, ...] = ()
    """Only of these. None said: of every site."""
    confidence: Annotated[int, Field(ge=0, le=100)] = 0
    """Episodes of at least so much."""
    begin: Literal["now", "start"] = "now"
    """Where a receiver that is new begins: with what is recorded from now on, or with all that is kept."""
    spool_mib: Annotated[int, Field(ge=1, le=100_000)] = 256
    """So much waits on the disk at most."""
    when_full: Literal["wait", "drop-oldest"] = "wait"
    """``wait``: what has no room stays in the store for as long as that keeps it. ``drop-oldest``: the newest first."""
    ca_file: Path | None = None
    """Who vouches for the receiver's certificate, where the system's authorities do not; beside the inventory."""


class ClientCertificate(Part):
    """Who we are to the receiver."""

    client_cert: Path | None = None
    """A certificate chain, PEM; beside the inventory."""
    client_key: Reference | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.client_cert is None) is not (self.client_key is None):
            raise ValueError("`client_cert` and `client_key` go together")
        return self


class SyslogExport(ExportBase, ClientCertificate):
    """A collector of syslog, over TLS (RFC 5425) or plain TCP (RFC 6587)."""

    kind: Literal["syslog"]
    host: Host
    port: Port = 6514
    transport: Literal["tls", "tcp"] = "tls"
    framing: Literal["octet-counting", "newline"] = "octet-counting"
    server_name: Host | None = None
    """The name in the collector's certificate; ``host`` when left out."""
    form: LineForm = Form.RFC5424
    facility: Annotated[Facility, AfterValidator(_facility)] = "local0"


class WebhookExport(ExportBase):
    """A receiver over HTTP. Addresses that are a password, as those of chats, are given by reference."""

    kind: Literal["webhook"]
    url: Annotated[str, AfterValidator(_address)] | None = None
    url_secret: Reference | None = None
    """A reference to the address, instead of ``url``."""
    secret: Reference | None = None
    """Signs what is sent, as for webhooks; None: it is not signed."""
    authorization: Reference | None = None
    """The whole value of the header `Authorization`."""
    form: PostedForm = Form.JSON
    batch: Annotated[int, Field(ge=1, le=1000)] = 100
    """So many in one request at most."""

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.url is None) is (self.url_secret is None):
            raise ValueError("one of `url` and `url_secret`")
        if self.url is not None and self.form in (Form.SLACK, Form.TEAMS):
            raise ValueError("the address of a chat is a password: `url_secret` is a reference to it")
        return self


class KafkaExport(ExportBase, ClientCertificate):
    """A topic of Kafka, or of what speaks its protocol. Needs the extra ``kafka``."""

    kind: Literal["kafka"]
    brokers: Annotated[tuple[Broker, ...], Field(min_length=1, max_length=20)]
    topic: Topic
    form: Literal[Form.JSON, Form.ECS, Form.OCSF, Form.CEF, Form.LEEF] = Form.JSON
    tls: bool = True
    sasl: Literal["plain", "scram-sha-256", "scram-sha-512"] | None = None
    username: Word | None = None
    password: Reference | None = None

    @model_validator(mode="after")
    def _knows_who_it_is(self) -> Self:
        if len({self.sasl is None, self.username is None, self.password is None}) > 1:
            raise ValueError("`sasl`, `username` and `password` go together")
        return self


Export = Annotated[SyslogExport | WebhookExport | KafkaExport, Field(discriminator="kind")]


def beside(folder: Path, export: Export) -> Export:
    """Its files start at the inventory's folder."""
    found = {name: getattr(export, name, None) for name in ("ca_file", "client_cert")}
    return export.model_copy(update={name: folder / path for name, path in found.items() if path is not None})


__all__ = ["Export", "ExportBase", "KafkaExport", "SyslogExport", "WebhookExport", "beside"]
