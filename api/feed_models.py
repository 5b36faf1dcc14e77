"""Lists that firewalls pull, over the wire."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from api.models import Answer, Instant
from controller import model
from controller.feeds import FeedView, GroupView
from controller.inventory import Device as InventoryDevice


class Feed(Answer):
    """A list that a device pulls, and whether it does. `digest` is the sha256 of what is served."""

    device: str = Field(examples=["fw-berlin"])
    site: str = Field(examples=["berlin"])
    group: str | None = Field(examples=["edges"], description="with which it shares one more address of its lists")
    name: str = Field(examples=["dst-tiktok"])
    kind: str = Field(examples=["ip"], description="ip, domain or url")
    path: str = Field(examples=["/feeds/fw-berlin/dst-tiktok.txt"])
    entries: int
    octets: int
    digest: str
    published_at: Instant
    settled: bool = Field(description="false: the change that it was published for was not read back so far")
    pulled_at: Instant | None = Field(description="the last good pull; null: never")
    pulled_from: str | None
    current: bool = Field(description="whether the last good pull was of what is served now")
    stale: str | None = Field(description="why the device is said not to come for it; null when it does")

    @classmethod
    def of(cls, view: FeedView) -> Feed:
        feed, pulled = view.feed, view.pulled
        return cls(
            device=feed.device,
            site=view.site,
            group=view.group,
            name=feed.name,
            kind=feed.kind,
            path=f"/feeds/{feed.device}/{feed.name}.txt",
            entries=feed.entries,
            octets=feed.octets,
            digest=feed.digest,
            published_at=feed.published_at,
            settled=feed.settled and not feed.leaving,
            pulled_at=pulled.at if pulled else None,
            pulled_from=pulled.address if pulled else None,
            current=view.is_current,
            stale=view.stale or None,
        )


class FeedPull(Answer):
    """One request for a list. `digest`: what was sent, or what the device has; null when it was given nothing."""

    name: str
    at: Instant
    address: str
    agent: str
    status: int = Field(examples=[304])
    digest: str | None
    octets: int

    @classmethod
    def of(cls, pull: model.FeedPull) -> FeedPull:
        return cls(**{name: getattr(pull, name) for name in cls.model_fields})


class FeedToken(Answer):
    """A token of a device as we know it: never itself, only how it begins."""

    id: str
    prefix: str
    created_at: Instant
    created_by: str
    first_used_at: Instant | None
    last_used_at: Instant | None

    @classmethod
    def of(cls, token: model.FeedToken) -> FeedToken:
        return cls(**{name: getattr(token, name) for name in cls.model_fields})


class FeedDevice(Answer):
    """What a device pulls, from where it may, and its last pulls, the newest first."""

    device: str
    group: str | None
    allow: tuple[str, ...] = Field(examples=[["192.0.2.1/32"]])
    auth: str = Field(examples=["token"])
    stale_after_seconds: int
    lists: tuple[Feed, ...]
    pulls: tuple[FeedPull, ...]
    tokens: tuple[FeedToken, ...]

    @classmethod
    def of(
        cls,
        device: InventoryDevice,
        *,
        views: Iterable[FeedView],
        pulls: Iterable[model.FeedPull],
        tokens: Iterable[model.FeedToken],
    ) -> FeedDevice:
        return cls(
            device=device.name,
            group=device.feed.group,
            allow=tuple(str(net) for net in device.pulls_from),
            auth=device.feed.auth,
            stale_after_seconds=int(device.feed.stale_after.total_seconds()),
            lists=tuple(Feed.of(view) for view in views),
            pulls=tuple(FeedPull.of(pull) for pull in pulls),
            tokens=tuple(FeedToken.of(token) for token in tokens),
        )


class FeedMember(Answer):
    """A device of a group, and from where it pulls."""

    device: str
    allow: tuple[str, ...] = Field(examples=[["192.0.2.1/32"]])


class FeedMixed(Answer):
    """A list that these devices hold differently although they may ask from one address: it is not served there."""

    name: str
    devices: tuple[str, ...]


class FeedGroup(Answer):
    """Devices that are told one address of lists: each is given its own there."""

    name: str = Field(examples=["edges"])
    path: str = Field(examples=["/feeds/edges/"], description="a list's name and `.txt` go behind it")
    devices: tuple[FeedMember, ...]
    mixed: tuple[FeedMixed, ...]
    tokens: tuple[FeedToken, ...]

    @classmethod
    def of(cls, group: GroupView, tokens: Iterable[model.FeedToken]) -> FeedGroup:
        return cls(
            name=group.name,
            path=f"/feeds/{group.name}/",
            devices=tuple(
                FeedMember(device=device.name, allow=tuple(str(net) for net in device.pulls_from))
                for device in group.devices
            ),
            mixed=tuple(FeedMixed(name=mixed.list, devices=tuple(mixed.devices)) for mixed in group.mixed),
            tokens=tuple(FeedToken.of(token) for token in tokens),
        )
