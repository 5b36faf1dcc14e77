"""What an inventory may say about one Linux gateway. Values reach a shell, so their alphabet is an allow-list."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from vendors.oracle import Way

Path = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._@+/-]*[A-Za-z0-9._@+-]$", max_length=200)]
CommandLine = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._@+:=/ -]+$", max_length=300)]

RULESET_FILE: Final = "ruleset.nft"
DNS_FILE: Final = "tokgate.conf"
DNS_STAMP: Final = "dnsmasq.loaded"


class DnsmasqOptions(BaseModel):
    """The gateway's own dnsmasq feeds our sets from the answers it gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conf_dir: Path = "/etc/tokgate/dnsmasq.d"
    """A folder that dnsmasq reads (`conf-dir=`) and the login may write; we keep one file there."""
    restart: CommandLine = "/usr/bin/systemctl restart dnsmasq"
    """Run as root (through sudo when the login is not root) after the file changed."""
    program: Path = "/usr/sbin/dnsmasq"


class LinuxNftablesOptions(BaseModel):
    """Options of `vendor: linux_nftables`; the defaults fit Debian and Ubuntu."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sudo: bool | None = None
    """Call nft and conntrack through `sudo -n`. Unset: when the login is not root."""
    nft: Path = "/usr/sbin/nft"
    conntrack_program: Path = "/usr/sbin/conntrack"
    conntrack: bool = True
    """End open flows to what has just become denied."""
    state_dir: Path = "/etc/tokgate"
    """Where the ruleset is kept for the next boot; the login must be able to write there."""
    persist: bool = True
    dnsmasq: DnsmasqOptions | None = None
    """Unset: this gateway cannot enforce domains, and plans say so."""
    forward: bool = True
    """Judge traffic that the gateway forwards."""
    output: bool = False
    """Judge what the gateway itself sends too (a proxy or VPN end for users)."""
    max_entries: PositiveInt = Field(default=250_000)
    """The most list entries this gateway is trusted with. More is never sent: `over_budget` decides."""
    oracle: tuple[Way, ...] = ()
    """By which interfaces connections come in and leave, for rules that look at that. Asked without it too."""
    adopt: bool = False
    """Take over a table `inet tokgate` that carries no mark or another controller's."""

    @model_validator(mode="after")
    def _judges_something(self) -> LinuxNftablesOptions:
        if not self.hooks:
            raise ValueError("with `forward` and `output` both off no packet would meet the rules")
        return self

    @property
    def hooks(self) -> tuple[str, ...]:
        return tuple(hook for hook, wanted in (("forward", self.forward), ("output", self.output)) if wanted)

    @property
    def ruleset_path(self) -> str:
        return f"{self.state_dir}/{RULESET_FILE}"

    @property
    def stamp_path(self) -> str:
        return f"{self.state_dir}/{DNS_STAMP}"

    @property
    def dns_path(self) -> str | None:
        return f"{self.dnsmasq.conf_dir}/{DNS_FILE}" if self.dnsmasq else None
