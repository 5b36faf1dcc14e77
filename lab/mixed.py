"""The demo's third office: one emulated firewall of each of four vendors, judged by what becomes of simulated flows.

Called by ``lab.demo`` at its end. It has an inventory and a store of its own, and needs neither root nor the network:
the firewalls are emulators behind real SSH in this process, and the demo says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any, Final

from core.clock import SystemClock
from lab import emulated
from lab.emulators.console import Console
from lab.emulators.panos import PanOs
from lab.emulators.server import served
from lab.emulators.traffic import Flow, Verdict
from lab.product import Product
from lab.story import Story

SITE: Final = "site-000"
_COMPANY: Final = "10.0.1.5"
_TIKTOK: Final = "103.136.220.10"
_ORDINARY: Final = "198.51.100.80"
_TRIES: Final = 3
_EXCEPTED: Final = "10.0.1.77"
_PORTS: Final = count(40_000)
_DECLARED: Final = f"""\
version: 1
exceptions:
  campaign:
    sites: [{SITE}]
    sources: [{{source}}]
    service: tiktok
    starts: 2026-01-01T00:00Z
    ends: {{ends}}
    reason: spring campaign
    owner: marketing@example.org
    requested_by: person:dan
    approved_by: [person:eve]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedOffice:
    """Four firewalls that answer, and tokgate pointed at them."""

    story: Story
    product: Product
    devices: tuple[emulated.Emulated, ...]

    def tell(self) -> None:
        """The chapter."""
        self.story.chapter("A third office: firewalls of four vendors, emulated")
        names = ", ".join(one.device.name for one in self.devices)
        self.story.say(
            f"{names}: emulators of their command lines behind real SSH, not devices. Flows are simulated in them."
        )
        began = datetime.now(UTC).isoformat()
        self._flows("before tokgate", _TIKTOK, Verdict.PERMIT)
        self.product.run("db", "upgrade")
        self.product.run("intel", "refresh")
        planned = self.product.json("plan", accept=(2,))["items"]
        steps = ", ".join(f"{item['device']} {len(item['steps'])} steps" for item in planned)
        self.story.check("a plan for every vendor, in its own language", all(i["script"] for i in planned), steps)
        self.story.show("tokgate apply --yes", self.product.run("apply", "--yes").stdout)
        again = self.product.run("plan", accept=(0, 2))
        self.story.check("a second plan is empty on all four", again.returncode == 0, f"exit {again.returncode}")
        self.product.run("hits", "collect")  # from here on every flow is counted between two readings
        for _ in range(_TRIES):
            self._try(_TIKTOK)
        self._flows("with tokgate", _TIKTOK, Verdict.DENY)
        self._flows("with tokgate", _ORDINARY, Verdict.PERMIT)
        self._proof()
        self._exception()
        self._somebody_elses_change()
        self.product.run("hits", "collect")
        self._report(self.product.json("report", "site", SITE, "--since", began))

    def _proof(self) -> None:
        """What the firewalls themselves say of connections that nobody makes. On an ASA a question counts as a hit."""
        self.story.show("tokgate proof show", self.product.run("proof", "show").stdout)
        said = {field["origin"]: field for field in self.product.json("proof", "show") if field["path"] == "tcp-443"}
        told = ", ".join(f"{origin} {field['state']} by {field['rule']}" for origin, field in sorted(said.items()))
        self.story.check(
            "three of the four say by their own oracle that it is blocked, by a rule of ours",
            len(said) == len(self.devices) - 1
            and all(f["state"] == "blocked" and "tokgate-" in f["rule"] for f in said.values()),
            told,
        )

    def _exception(self) -> None:
        """Declared in a file as a repository keeps it, carried out, read back on every device, and judged by flows."""
        self._declare(
            _DECLARED.format(source=_EXCEPTED, ends=f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}")
        )
        self.story.show("tokgate apply --config-only --yes", self.product.run("apply", "--config-only", "--yes").stdout)
        self.product.run("apply", "--yes")
        [given] = self.product.json("exceptions", "list")
        self.story.check(
            "an exception from a file is live on all four, read back",
            len(given["live_on"]) == len(given["devices"]) == len(self.devices),
            f"live on {len(given['live_on'])}/{len(given['devices'])}: {', '.join(given['live_on'])}",
        )
        self._flows("by the exception", _TIKTOK, Verdict.PERMIT, source=_EXCEPTED)
        self._flows("beside it", _TIKTOK, Verdict.DENY)
        self._declare("version: 1\n")
        self.product.run("apply", "--config-only", "--yes")
        self.product.run("apply", "--yes")
        self._flows("after its end", _TIKTOK, Verdict.DENY, source=_EXCEPTED)

    def _declare(self, text: str) -> None:
        (Path(self.product.settings["TOKGATE_INVENTORY"]).parent / "exceptions.yaml").write_text(text, encoding="utf-8")

    def _somebody_elses_change(self) -> None:
        """A colleague leaves a change uncommitted: tokgate sends nothing there, and commits nothing of theirs."""
        panos = next(one.device for one in self.devices if isinstance(one.device, PanOs))
        self._by_hand(panos, "configure", "set address theirs ip-netmask 203.0.113.77")
        switch = ("emergency", "switch", "monitor", "--reason", "the demo wants a change", "--yes")
        done = self.product.run(*switch, accept=(4,))
        self.story.show("tokgate emergency switch monitor", done.stdout)
        told = next((line for line in done.stdout.splitlines() if emulated.COLLEAGUE in line), "")
        self.story.check(
            "a colleague's uncommitted change stops the push to that firewall, and is not committed",
            bool(told) and "theirs" not in self._by_hand(panos, "show config running"),
            told or "nobody was told",
        )
        self._by_hand(panos, "configure", "delete address theirs")
        for action in self.product.json("emergency", "list"):
            self.product.run("emergency", "end", action["id"])
        again = self.product.run("plan", accept=(0, 2))
        self.story.check("afterwards all four hold what they should", again.returncode == 0, f"exit {again.returncode}")

    @staticmethod
    def _by_hand(device: PanOs, *lines: str) -> str:
        """What a colleague types at the firewall, and what it answers."""
        with device.lock:
            console = Console(device.login(emulated.COLLEAGUE), device.faults)
            said = [chunk.text for chunk in console.open()]
            said += [chunk.text for line in lines for chunk in console.feed(f"{line}\r")]
            console.end()
        return "".join(said)

    def _try(self, destination: str, source: str = _COMPANY) -> dict[str, Verdict]:
        verdicts = {}
        for one in self.devices:
            flow = Flow(source=ip_address(source), destination=ip_address(destination), source_port=next(_PORTS))
            with one.device.lock:
                verdicts[one.device.name] = one.device.forward(flow)
        return verdicts

    def _flows(self, when: str, destination: str, wanted: Verdict, *, source: str = _COMPANY) -> None:
        seen = self._try(destination, source)
        what = "TikTok" if destination == _TIKTOK else "an ordinary site"
        word = "reaches" if wanted is Verdict.PERMIT else "is kept from"
        said = ", ".join(f"{name} {verdict}" for name, verdict in seen.items())
        who = "company" if source == _COMPANY else "the client that it names"
        self.story.check(f"{when}, {who} {word} {what} at all four", set(seen.values()) == {wanted}, said)

    def _report(self, report: dict[str, Any]) -> None:
        hits, tried = report["totals"]["blocked"]["hits"], (_TRIES + 1) * len(self.devices)
        self.story.check(
            "the report counts the flows that the four refused",
            isinstance(hits, int) and hits >= tried,
            f"{hits} hits in the report, {tried} tries",
        )


@contextmanager
def mixed_office(story: Story, product: Product, folder: Path) -> Iterator[MixedOffice]:
    """One firewall of each vendor, reachable until the block ends. ``folder`` gets inventory and store."""
    devices = emulated.fleet(len(emulated.MAKES), SystemClock())
    with served(_served(devices)) as at:
        emulated.write(folder, devices, at)
        yield MixedOffice(story=story, product=replace(product, settings=emulated.environment(folder)), devices=devices)


def _served(devices: Iterable[emulated.Emulated]) -> list[emulated.Firewall]:
    return [one.device for one in devices]
