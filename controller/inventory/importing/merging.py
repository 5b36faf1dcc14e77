"""What a source says, put into an inventory: what came from it before follows it, what people wrote stays.

Pure. For each key three values are compared: what the source said at the last sync (kept in a file of state), what the
file says, what the source says now. A file that differs from the last sync was changed by a person, who is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from controller.inventory.checks import devices as written_devices
from controller.inventory.document import Spot, dotted, read_document
from controller.inventory.importing.editing import Edits, Value
from controller.inventory.importing.errors import TooManyGone
from controller.inventory.importing.model import FoundDevice, FoundSite, Reading
from vendors.registry import options_model

GUARD_SHARE = 0.10
GUARD_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a source said at the last sync. ``gone`` holds the day on which a device was missed first."""

    sites: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How to merge. ``policy`` and ``time_zone`` are for new sites; ``forced``: pass the guard."""

    today: str
    policy: str | None = None
    time_zone: str | None = None
    prune: bool = False
    forced: bool = False
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The vendor's own options of new devices, by vendor; a source has no word for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The new text and state; ``left`` says what was not done and why, ``gone`` and ``pruned`` name devices."""

    text: str
    known: Known
    done: tuple[str, ...]
    left: tuple[str, ...]
    gone: tuple[str, ...]
    pruned: tuple[str, ...]


def merged(text: str, reading: Reading, known: Known, terms: Terms) -> Merged:
    """``text`` is a valid inventory. Raises ``TooManyGone``."""
    return _Merge(text, reading, known, terms).outcome()


class _Merge:
    def __init__(self, text: str, reading: Reading, known: Known, terms: Terms) -> None:
        self.reading, self.known, self.terms = reading, known, terms
        self.edits = Edits(text)
        self.data: dict[str, Any] = read_document(text).data
        self.written: dict[str, Spot] = {str(spot[-1]): spot for spot, _ in written_devices(self.data)}
        self.port = ((self.data.get("defaults") or {}).get("device") or {}).get("port") or 22
        self.taken = {self._address(device): str(spot[-1]) for spot, device in written_devices(self.data)}
        self.done: list[str] = []
        self.left = list(reading.left_out)
        self.sites: dict[str, Mapping[str, Any]] = dict(known.sites)
        self.devices: dict[str, Mapping[str, Any]] = dict(known.devices)
        self.new_sites: dict[str, dict[str, Any]] = {}

    def outcome(self) -> Merged:
        gone, pruned = self._gone()
        wanted = {device.site for device in self.reading.devices.values()}
        for name, site in self.reading.sites.items():
            if name in wanted:
                self._site(name, site)
        for name, device in self.reading.devices.items():
            self._device(name, device)
        for name, value in self.new_sites.items():
            self.edits.add(("sites",), name, value)
        return Merged(
            text=self.edits.done(),
            known=Known(sites=self.sites, devices=self.devices, gone=gone),
            done=tuple(self.done),
            left=tuple(self.left),
            gone=tuple(sorted(gone)),
            pruned=tuple(pruned),
        )

    # --- what is gone ---

    def _gone(self) -> tuple[dict[str, str], list[str]]:
        held = {name for name in self.known.devices if name in self.written}
        missing = held - self.reading.names
        newly = missing - self.known.gone.keys()
        ripe = sorted(missing & self.known.gone.keys()) if self.terms.prune else []
        for count, what in ((len(newly), "misses"), (len(ripe), "has missed")):
            if count >= GUARD_LEAST and count > GUARD_SHARE * len(held) and not self.terms.forced:
                raise TooManyGone(
                    f"the source {what} {count} of the {len(held)} devices that came from it",
                    hint="nothing was changed; if this is right, repeat it with --force and --reason",
                )
        pruned = [name for name in ripe if self._prune(name)]
        for name in sorted(newly):
            self.done.append(f"{name}: gone from the source; marked, and still in force")
        marks = {name: self.known.gone.get(name, self.terms.today) for name in missing - set(pruned)}
        return dict(sorted(marks.items())), pruned

    def _prune(self, name: str) -> bool:
        spot = self.written[name]
        if not self.edits.can_cut(spot):
            self.left.append(f"{dotted(spot)}: written in one line; take it out by hand")
            return False
        self.edits.cut.add(spot)
        del self.devices[name]
        self.done.append(f"- {dotted(spot)}")
        return True

    # --- sites ---

    def _site(self, name: str, found: FoundSite) -> None:
        here = (self.data.get("sites") or {}).get(name)
        if here is None and name in self.known.sites:
            self.left.append(f"sites.{name}: was taken out by hand; not put back")
        elif here is None:
            self._new_site(name, found)
        elif name not in self.known.sites:
            self.left.append(f"sites.{name}: was written by hand; only its devices follow the source")
        else:
            base = self.known.sites[name]
            now = _site_values(found)
            self._keys(("sites", name), here, base, {k: v for k, v in now.items() if k != "networks"})
            networks = self._named(name, str(here.get("policy")), now["networks"])
            self._keys(("sites", name, "networks"), here.get("networks") or {}, base.get("networks") or {}, networks)
            self.sites[name] = {**now, "networks": networks}

    def _new_site(self, name: str, found: FoundSite) -> None:
        policies = list(self.data.get("policies") or {})
        policy = self.terms.policy or (policies[0] if len(policies) == 1 else None)
        zone = found.time_zone or self.terms.time_zone
        if policy not in policies or zone is None:
            lacks = "time zone; give --time-zone" if zone is None else "policy of this file; give --policy"
            self.left.append(f"sites.{name}: has no {lacks}")
            return
        now = _site_values(found)
        networks = self._named(name, str(policy), now["networks"])
        title = {"title": found.title} if found.title else {}
        self.new_sites[name] = {**title, "time_zone": zone, "policy": policy, "networks": networks}
        self.sites[name] = {**now, "networks": networks}
        self.done.append(f"+ sites.{name}")

    def _named(self, site: str, policy: str, networks: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """The networks of the roles that the site's policy names."""
        roles = ((self.data.get("policies") or {}).get(policy) or {}).get("roles") or {}
        for role in sorted(networks.keys() - set(roles)):
            self.left.append(f"sites.{site}: role {role!r} is not in policy {policy!r}; map it with --role {role}=…")
        return {role: nets for role, nets in networks.items() if role in roles}

    # --- devices ---

    def _device(self, name: str, found: FoundDevice) -> None:
        spot = self.written.get(name)
        if spot is None:
            self._new_device(name, found)
            return
        if name not in self.known.devices:
            self.left.append(f"{dotted(spot)}: was written by hand; left alone")
            return
        base = self.known.devices[name]
        if found.site != base.get("site"):
            self.left.append(f"{dotted(spot)}: is at site {found.site!r} now; move it by hand")
        self._keys(spot, _at(self.data, spot), base.get("fields") or {}, found.fields)
        self.devices[name] = {"site": found.site, "fields": dict(found.fields)}

    def _new_device(self, name: str, found: FoundDevice) -> None:
        address = self._address(found.fields)
        site = (self.data.get("sites") or {}).get(found.site)
        if name in self.known.devices:
            self.left.append(f"{name}: was taken out by hand; not put back")
        elif address in self.taken:
            self.left.append(f"{name}: {address[0]} port {address[1]} is {self.taken[address]} already")
        elif site is None and found.site not in self.new_sites:
            self.left.append(f"{name}: its site {found.site!r} is not in the file")
        else:
            self._fit(name, found, site)

    def _fit(self, name: str, found: FoundDevice, site: Mapping[str, Any] | None) -> None:
        vendor = str(found.fields["vendor"])
        options = self.terms.options.get(vendor)
        if lacks := _unfit(vendor, options):
            self.left.append(f"{name}: {lacks}")
            return
        self.taken[self._address(found.fields)] = name
        self._put(found.site, name, {**found.fields, **({"options": options} if options else {})}, site)
        self.devices[name] = {"site": found.site, "fields": dict(found.fields)}
        self.done.append(f"+ sites.{found.site}.devices.{name}")

    def _put(self, site: str, name: str, value: Value, here: Mapping[str, Any] | None) -> None:
        if here is None:
            self.new_sites[site].setdefault("devices", {})[name] = value
        elif "devices" in here:
            self.edits.add(("sites", site, "devices"), name, value)
        else:
            beside: Any = self.edits.added.setdefault(("sites", site), {}).setdefault("devices", {})
            beside[name] = value

    def _address(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        return str(fields.get("host")).lower(), str(fields.get("port") or self.port)

    # --- one key after the other ---

    def _keys(self, spot: Spot, here: Mapping[str, Any], base: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        for key, value in now.items():
            if value is not None:
                self._key((*spot, key), here.get(key), base.get(key), value)
        for key in sorted(k for k, v in base.items() if v is not None and now.get(k) is None and k != "networks"):
            self.left.append(f"{dotted((*spot, key))}: the source says nothing of it any more")

    def _key(self, spot: Spot, here: Any, base: Any, value: Any) -> None:
        if _same(here, value):
            return
        if here is None and base is None:
            self.edits.add(spot[:-1], str(spot[-1]), value)
        elif not _same(here, base):
            self.left.append(f"{dotted(spot)}: was changed by hand; the source says {_told(spot, value)}")
            return
        elif not self.edits.can_set(spot):
            self.left.append(f"{dotted(spot)}: has comments or lines of its own; the source says {_told(spot, value)}")
            return
        else:
            self.edits.set(spot, value)
        self.done.append(f"{'+' if here is None else '~'} {dotted(spot)}")


def _unfit(vendor: str, options: Mapping[str, Any] | None) -> str:
    try:
        options_model(vendor).model_validate(dict(options or {}))
    except ValidationError as exc:
        named = ", ".join(sorted({str(error["loc"][0]) for error in exc.errors() if error["loc"]}))
        return f"the options of {vendor} need {named}; give them with --options FILE"
    return ""


def _told(spot: Spot, value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _site_values(found: FoundSite) -> dict[str, Any]:
    networks = {role: list(nets) for role, nets in found.networks.items()}
    return {"title": found.title, "time_zone": found.time_zone, "networks": networks}


def _same(one: Any, other: Any) -> bool:
    return list(_words(one)) == list(_words(other))


def _words(value: Any) -> Iterator[str]:
    yield from sorted(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)


def _at(data: Any, spot: Spot) -> Any:
    for part in spot:
        data = data[part]
    return data
