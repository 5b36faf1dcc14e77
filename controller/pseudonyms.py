"""Text that may leave the house: names, addresses, users and secrets of the inventory by numbers, the same everywhere.

Pure but for the secrets, which are resolved so that they can be looked for. What only a device knows, as its serial
number or an object of its owner's, is not known here: whoever shares a text reads it first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_network
from typing import Final

from controller.inventory import Device, Inventory
from controller.inventory.references import references
from core.errors import TokgateError
from vendors.session import fingerprint

_ADDRESS: Final = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?:/\d{1,3})?(?![\w:])"
)
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_ULID: Final = re.compile(r"(?<![0-9A-Za-z])0[0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{25}(?![0-9A-Za-z])")


class Pseudonyms:
    """One numbering; ``hide`` as many texts with it as belong together."""

    def __init__(self, inventory: Inventory) -> None:
        self._numbers: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        found: dict[str, str] = {}
        for kind, text in _known(inventory):
            if text:
                found.setdefault(text.casefold(), kind)
        self._kinds = found
        longest = sorted(found, key=len, reverse=True)
        words = "|".join(re.escape(text) for text in longest)
        self._words = re.compile(f"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])", re.IGNORECASE) if longest else None

    def hide(self, text: str) -> str:
        """The text with everything known or recognised replaced."""
        text = _FINGERPRINT.sub(lambda m: self._of("key", m[0]), text)
        text = _MAIL.sub(lambda m: self._of("mail", m[0].casefold()), text)
        text = _ULID.sub(lambda m: self._of("id", m[0].casefold()), text)
        if self._words is not None:
            text = self._words.sub(lambda m: self._of(self._kinds[m[0].casefold()], m[0].casefold()), text)
        return _ADDRESS.sub(self._address, text)

    def _address(self, match: re.Match[str]) -> str:
        try:
            ip_network(match[0], strict=False)
        except ValueError:
            return match[0]
        return self._of("address", match[0].casefold())

    def _of(self, kind: str, text: str) -> str:
        if text not in self._numbers:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._numbers[text] = f"<{kind} {self._counts[kind]}>"
        return self._numbers[text]


def _known(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Every text of the inventory that is nobody else's business, with what it is. The first kind of a text counts."""
    devices = [device for site in inventory.sites.values() for device in site.devices.values()]
    for device in devices:
        yield "device", device.name
        yield "host", device.host
        yield "user", device.username
        yield from (("key", fingerprint(key)) for key in device.host_keys)
        yield from (("key", key.split()[1]) for key in device.host_keys if " " in key)
    for site in inventory.sites.values():
        yield "site", site.name
        yield "title", site.title
        for role, networks in site.networks.items():
            yield "role", role
            yield from (("address", str(network)) for network in networks)
    yield from (("policy", name) for name in inventory.policies)
    for device in devices:  # last: that a password is also a name is nobody's business
        yield from (("secret", secret) for secret in _secrets(device))


def _secrets(device: Device) -> Iterable[str]:
    """Values and references alike. One that cannot be resolved was not used either."""
    named = [device.password, device.key_file, device.key_passphrase]
    named += [reference for _, reference in references(device.options)]
    for reference in named:
        if reference is None:
            continue
        yield str(reference)
        with suppress(TokgateError):
            yield reference.resolve().reveal()
