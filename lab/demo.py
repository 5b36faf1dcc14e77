"""``tokgate demo``: the whole loop on two real firewalls, told and checked step by step, from outside.

It uses the command and the API as an operator would and judges only by packets, exit codes and answers. Whatever
happens, the lab is taken down at the end.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rich.console import Console

from lab import inventory, processes
from lab.errors import LabError, LabNotPossible
from lab.mixed import mixed_office
from lab.probe import OK, Result
from lab.product import Api, Product, ProductBroken, installed
from lab.story import Story
from lab.topology import Client, Lab, Site, read_results
from lab.world import INTERNET, Host, Kind, host

PREFIX: Final = "tgdemo"
LIVE_SECONDS: Final = 5.0  # an approved or revoked exception has to be live on a healthy device by then
_HOLD_SECONDS: Final = 60

CANNOT_SHOW: Final = """\
Not shown: the plan and its change on a real firewall, packets stopped and let through, the exception taking effect,
hits, events and the report made from them. All of it needs network namespaces, nftables and an SSH server for each
firewall, and those need root and the programs above; without them this demo could only pretend.
What works here: `tokgate config check`, `tokgate intel refresh`, and every command against firewalls of your own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the demo. ``program`` is the command that is shown, ``reports`` the folder of the HTML pages."""

    serve: bool = False
    reports: Path = Path("tokgate-demo")
    prefix: str = PREFIX
    program: tuple[str, ...] = field(default_factory=installed)


def main(options: Options, console: Console | None = None) -> int:
    """Run the demo; returns the exit status: 0 when every claim held, else 1."""
    story = Story(console=console or Console())
    try:
        with _signals():
            _tell(story, options)
    except LabNotPossible as exc:
        story.say(f"{exc}\n\n{CANNOT_SHOW}")
        return 1
    except KeyboardInterrupt:
        story.say("interrupted; the lab was removed")
        return 1
    except LabError as exc:
        story.check("the lab could be built and removed", False, str(exc))
    return 0 if story.holds else 1


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """A polite end from outside is a ctrl-C: the lab goes down."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(story: Story, options: Options) -> None:
    story.chapter("An internet and two offices, on this machine")
    with _standing(options.prefix) as lab:
        product = _product(story, lab, options.program)
        demo = Demo(story=story, lab=lab, product=product, reports=options.reports)
        demo.introduce()
        try:
            demo.run()
        except Exception as exc:  # the top of the job: whatever it was, it is an outcome, and the lab goes down
            story.check("the demo came to its end", False, f"{type(exc).__name__}: {exc}")
        story.summary()
        if options.serve:
            demo.stay()


@contextlib.contextmanager
def _standing(prefix: str) -> Iterator[Lab]:
    """A lab that is removed in any case; a second ctrl-C does not stop the removal."""
    lab = Lab.up(prefix)
    try:
        yield lab
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        lab.close()
        signal.signal(signal.SIGINT, before)


def _product(story: Story, lab: Lab, program: tuple[str, ...]) -> Product:
    inventory.write(lab)
    return Product(program=program, settings=inventory.environment(lab), width=min(story.console.width, 160))


# --- what clients try -----------------------------------------------------------------------------------------------

WAYS: Final = ("tcp", "udp", "tcp6", "udp6")


def by_address(hosts: Iterable[Host]) -> tuple[str, ...]:
    """TCP 443 and UDP 443 to the addresses themselves, IPv4 and IPv6: what an app with built-in addresses does."""
    return tuple(f"{way}:{address}:443" for one in hosts for address in (one.v4, one.v6) for way in ("tcp", "udp"))


def by_name(hosts: Iterable[Host]) -> tuple[str, ...]:
    """The same after asking the gateway's DNS: what a browser does."""
    return tuple(f"{way}:{one.name}:443" for one in hosts for way in WAYS)


DEDICATED: Final = tuple(one for one in INTERNET if one.kind is Kind.TIKTOK)
SHARED: Final = tuple(one for one in INTERNET if one.kind is Kind.SHARED)
OTHERS: Final = tuple(one for one in INTERNET if one.kind not in (Kind.TIKTOK, Kind.SHARED))
TIKTOK: Final = (*by_address(DEDICATED), *by_name(DEDICATED), *by_name(SHARED))


def tally(results: Iterable[Result]) -> str:
    """``8 refused, 1 ok; at most 2 ms``."""
    known = list(results)
    counts = {outcome: sum(r.outcome == outcome for r in known) for outcome in sorted({r.outcome for r in known})}
    slowest = max((r.ms for r in known), default=0.0)
    return f"{', '.join(f'{count} {outcome}' for outcome, count in counts.items())}; at most {slowest:.0f} ms"


def all_blocked(results: Iterable[Result]) -> bool:
    """Every one, and there was at least one."""
    known = list(results)
    return bool(known) and all(result.is_blocked for result in known)


def all_ok(results: Iterable[Result]) -> bool:
    """Every one, and there was at least one."""
    known = list(results)
    return bool(known) and all(result.outcome == OK for result in known)


# --- the story ------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Demo:
    """One telling: the lab, the product, and what was seen so far."""

    story: Story
    lab: Lab
    product: Product
    reports: Path
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    tries: dict[tuple[str, str], int] = field(default_factory=dict)  # (site, role) -> blocked tries since the baseline
    owner_rules: Mapping[str, str] = field(default_factory=dict)
    url: str = ""

    def run(self) -> None:
        """The outline."""
        self.before()
        self.resolve()
        self.plan_and_apply()
        self.browse()
        self.exception()
        self.reboot()
        self.hits_and_events()
        self.report()
        self.third_office()

    def introduce(self) -> None:
        self.story.say(
            "Two gateways in network namespaces with their own sshd, dnsmasq and nftables rules, three clients each;\n"
            f"an internet with {len(INTERNET)} servers on addresses inside real prefixes. All packets cross this\n"
            "machine's kernel, none leaves it. Sources of intelligence are offline: the list in the package,\n"
            f"RIPEstat replayed from a record of 2026 ({self.lab.replay_url}), DNS of the lab ({self.lab.resolver})."
        )

    def site(self, name: str) -> Site:
        return self.lab.sites[name]

    def client(self, site: str, role: str) -> Client:
        return self.lab.sites[site].clients[role]

    def command(self, *arguments: str, accept: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run a command and show what it printed."""
        done = self.product.run(*arguments, accept=accept)
        self.story.show(f"tokgate {' '.join(arguments)}", done.stdout)
        return done

    # --- 2 to 4 -----------------------------------------------------------------------------------------------------

    def before(self) -> None:
        """Everything is reachable: what is blocked later, tokgate blocked."""
        self.story.chapter("Before: nothing is blocked")
        self.owner_rules = {name: site.gateway.owner_listing() for name, site in self.lab.sites.items()}
        for name in self.lab.sites:
            results = [
                r for role in self.site(name).clients for r in self._browse(name, role, *TIKTOK, *by_name(OTHERS))
            ]
            self.story.check(f"{name}: before tokgate every client reaches everything", all_ok(results), tally(results))

    def resolve(self) -> None:
        self.story.chapter("Resolve: what is TikTok's now")
        self.product.run("db", "upgrade")
        done = self.command("intel", "refresh")
        self.story.check("intelligence was resolved from the offline sources", done.returncode == 0, "exit 0")

    def plan_and_apply(self) -> None:
        """Plan, apply, and the second plan that finds nothing; meanwhile a client keeps a video open."""
        self.story.chapter("Plan: exactly what would change")
        planned = self.command("plan", accept=(2,))
        self.story.check(
            "the plan says that there are changes and changes nothing", self._untouched(), f"exit {planned.returncode}"
        )
        with self._open_flow("berlin", "company") as flow:
            self.story.chapter("Apply: over SSH, as one nftables transaction each")
            began = time.monotonic()
            self.command("apply", "--yes")
            self.story.check(
                "both gateways were changed and read back",
                self._ours(),
                f"exit 0 after {time.monotonic() - began:.1f} s",
            )
            self._flow_was_cut(flow)
        again = self.product.run("plan", accept=(0, 2))
        self.story.check("a second plan is empty", again.returncode == 0, f"exit {again.returncode}")
        self._owner_rules_are_the_same("after the change")
        self.product.run("hits", "collect")  # from here on every packet is counted between two readings

    def _untouched(self) -> bool:
        return not any("inet tokgate" in site.gateway.tables() for site in self.lab.sites.values())

    def _ours(self) -> bool:
        return all("inet tokgate" in site.gateway.tables() for site in self.lab.sites.values())

    def _owner_rules_are_the_same(self, when: str) -> None:
        same = [name for name, site in self.lab.sites.items() if site.gateway.owner_listing() == self.owner_rules[name]]
        lines = sum(listing.count("\n") for listing in self.owner_rules.values())
        self.story.check(
            f"the owners' own rules are byte-identical, handles included, {when}",
            same == list(self.lab.sites),
            f"{lines} lines on {', '.join(same) or 'no gateway'}",
        )

    @contextlib.contextmanager
    def _open_flow(self, site: str, role: str) -> Iterator[subprocess.Popen[str]]:
        """A TCP connection that is busy from before the change on."""
        ready = self.lab.workspace.run_dir / "flow.open"
        target = f"tcp:{DEDICATED[0].v4}:443"
        options = ["--hold", str(ready), "--deadline", str(_HOLD_SECONDS)]
        with subprocess.Popen(
            self.client(site, role).command(target, options=options), stdout=subprocess.PIPE, text=True
        ) as flow:
            try:
                if not processes.wait_until(ready.exists, seconds=5):
                    raise ProductBroken("a client could not open a connection before the change")
                yield flow
            finally:
                flow.kill()

    def _flow_was_cut(self, flow: subprocess.Popen[str]) -> None:
        try:
            said = flow.communicate(timeout=5)[0]
        except subprocess.TimeoutExpired:
            said = ""
        ended = read_results(said)
        self.story.check(
            "berlin: a connection that was open before the change was cut",
            bool(ended) and ended[0].is_blocked,
            f"{ended[0].outcome} after {ended[0].ms / 1000:.1f} s" if ended else "still open 5 s after the change",
        )

    # --- 5 ----------------------------------------------------------------------------------------------------------

    def browse(self) -> None:
        """Clients browse; the packets decide."""
        self.story.chapter("Clients browse")
        for name in self.lab.sites:
            self._blocked(name, "company", "TCP 443 and UDP 443 to TikTok's own addresses", *by_address(DEDICATED))
            self._blocked(name, "company", "TikTok's names, looked up at the gateway", *by_name(DEDICATED))
            self._blocked(name, "company", "a TikTok name on a shared CDN, by live DNS", *by_name(SHARED))
            self._blocked(name, "marketing", "TikTok, as long as there is no exception", *by_address(DEDICATED))
            self._reachable(name, "company", "the neighbour in the same CDN range", *by_name([host(Kind.NEIGHBOUR)]))
            rest = [one for one in OTHERS if one.kind is not Kind.NEIGHBOUR]
            self._reachable(name, "company", "ordinary sites and a customer of ByteDance's cloud", *by_name(rest))
        self._reachable("berlin", "guest", "TikTok: the policy only watches guests here", *TIKTOK)
        self._reachable("austin", "guest", "TikTok: the policy leaves guests alone here", *TIKTOK)

    def _browse(self, site: str, role: str, *targets: str) -> list[Result]:
        return list(self.client(site, role).browse(*targets).values())

    def _blocked(self, site: str, role: str, what: str, *targets: str) -> None:
        results = self._browse(site, role, *targets)
        self.tries[site, role] = self.tries.get((site, role), 0) + sum(result.is_blocked for result in results)
        self.story.check(f"{site}: {role} is kept from {what}", all_blocked(results), tally(results))

    def _reachable(self, site: str, role: str, what: str, *targets: str) -> None:
        results = self._browse(site, role, *targets)
        self.story.check(f"{site}: {role} reaches {what}", all_ok(results), tally(results))

    # --- 6 ----------------------------------------------------------------------------------------------------------

    def exception(self) -> None:
        """Marketing asks over REST, somebody else approves, it is live; revoked, it is over."""
        self.story.chapter("An exception for marketing, over REST")
        requester = self.product.token("demo-requester", "read", "request")
        approver = self.product.token("demo-approver", "read", "approve")
        self.url = self.product.serve(self.lab.workspace)
        asks, decides = Api(url=self.url, token=requester), Api(url=self.url, token=approver)
        body = self._request()
        self.story.say(f"preview: {asks.post('/exceptions/preview', body).get('sentence', '')}")
        path = f"/exceptions/{asks.post('/exceptions', body)['id']}"
        refused = asks.status_of_post(f"{path}/approve")
        self.story.check("who asks for an exception may not approve it", refused == 403, f"HTTP {refused}")
        self._changes_within_seconds("approved", "ok", lambda: decides.post(f"{path}/approve"))
        self._is_live(decides, path)
        self._blocked("berlin", "company", "TikTok while marketing's exception is live", *by_address(DEDICATED))
        self._reachable("berlin", "marketing", "TikTok by the exception", *by_address(DEDICATED), *by_name(SHARED))
        self._changes_within_seconds(
            "revoked", "blocked", lambda: decides.post(f"{path}/revoke", {"reason": "the campaign is over"})
        )
        self._owner_rules_are_the_same("after the exception")

    def _request(self) -> dict[str, Any]:
        marketing, now = self.client("berlin", "marketing"), datetime.now(UTC)
        return {
            "sites": ["berlin"],
            "sources": [marketing.v4, marketing.v6],
            "service": "tiktok",
            "starts": now.isoformat(),
            "ends": (now + timedelta(hours=2)).isoformat(),
            "reason": "spring campaign goes live",
            "owner": "marketing@example.org",
            "ticket": "MKT-42",
        }

    def _changes_within_seconds(self, what: str, wanted: str, act: Callable[[], object]) -> None:
        client, target = self.client("berlin", "marketing"), f"tcp:{DEDICATED[0].v4}:443"
        began = time.monotonic()
        act()
        seen = client.wait_for(target, wanted, deadline=3 * LIVE_SECONDS)
        took = time.monotonic() - began
        reached = seen.outcome == OK if wanted == "ok" else seen.is_blocked
        self.story.check(
            f"berlin: the exception was {what} and in force within {LIVE_SECONDS:.0f} s",
            reached and took <= LIVE_SECONDS,
            f"{seen.outcome} {took:.1f} s after the request was sent",
        )

    def _is_live(self, api: Api, path: str) -> None:
        shown: dict[str, Any] = {}

        def listed() -> bool:
            shown.update(api.get(path))
            return "fw-berlin" in shown.get("live_on", ())

        holds = processes.wait_until(listed, seconds=LIVE_SECONDS, every=0.2)
        evidence = f"state {shown.get('state')}, live on {', '.join(shown.get('live_on', ())) or 'nothing'}"
        self.story.check("the API says where the exception is live, read back from the device", holds, evidence)

    # --- 7 to 9 -----------------------------------------------------------------------------------------------------

    def reboot(self) -> None:
        """One gateway comes back with our rules, one without; the latter is noticed and repaired."""
        self.story.chapter("Gateways reboot")
        self.product.run("hits", "collect")  # what was counted until here survives the reboot
        self.site("berlin").gateway.reboot(persisted=True)
        self._blocked(
            "berlin", "company", "TikTok right after a reboot, by the saved rules alone", *by_address(DEDICATED)
        )
        self.site("austin").gateway.reboot(persisted=False)
        # The names too: the gateway's DNS now remembers answers that no set of ours has seen.
        open_again = self._browse("austin", "company", *by_address(DEDICATED), *by_name(SHARED))
        self.story.say(f"austin lost its disk: nothing of ours came back, company reaches TikTok ({tally(open_again)})")
        drift = self.product.run("drift", accept=(0, 2))
        self.story.show("tokgate drift", drift.stdout)
        self.story.check("the lost rules are noticed as drift", drift.returncode == 2, f"exit {drift.returncode}")
        self.command("apply", "--yes")
        self._blocked("austin", "company", "TikTok again after the repair", *by_address(DEDICATED), *by_name(SHARED))
        again = self.product.run("plan", accept=(0, 2))
        self.story.check("after the repair a plan is empty again", again.returncode == 0, f"exit {again.returncode}")

    def hits_and_events(self) -> None:
        self.story.chapter("Hits are read back and become events")
        self.command("hits", "collect")
        events = items(self.product.json("events", "list"))
        self.story.show("tokgate events list", self.product.run("events", "list").stdout)
        for site, action, role in (
            ("berlin", "blocked", "company"), ("austin", "blocked", "company"), ("berlin", "monitored", "guest"),
            ("berlin", "allowed-by-exception", "marketing"),
        ):  # fmt: skip
            client = self.client(site, role)
            hits, sources = evidence_of(events, site, action, {client.v4, client.v6})
            self.story.check(
                f"{site}: {role} was {action}, with who it was",
                hits > 0 and bool(sources),
                f"{hits} hits, from {sources}",
            )
        quiet = self.client("austin", "guest")
        named = evidence_of(events, "austin", None, {quiet.v4, quiet.v6})[1]
        self.story.check("austin: guests, whom the policy leaves alone, are in no event", not named, named or "none")

    def report(self) -> None:
        self.story.chapter("The report of both sites")
        self.reports.mkdir(parents=True, exist_ok=True)
        since = self.began.isoformat()
        for name in self.lab.sites:
            self.command("report", "site", name, "--since", since)
            self._report_is_believable(name, self.product.json("report", "site", name, "--since", since))
            path = self.reports / f"{name}.html"
            self.product.run("report", "site", name, "--since", since, "-o", "html", "--output", str(path))
            self._page_stands_alone(name, path)

    def _report_is_believable(self, name: str, report: Mapping[str, Any]) -> None:
        hits = report["totals"]["blocked"]["hits"]
        tried = sum(count for (site, _), count in self.tries.items() if site == name)
        self.story.check(
            f"{name}: the report counts at least the tries that clients saw blocked",
            isinstance(hits, int) and hits >= tried,
            f"{hits} hits in the report, {tried} tries",
        )
        coverage = report["coverage"]
        self.story.check(
            f"{name}: the report says how long the site was really enforced",
            coverage["enforced_seconds"] > 0,
            ", ".join(f"{key.removesuffix('_seconds')} {value:.0f} s" for key, value in coverage.items()),
        )

    def _page_stands_alone(self, name: str, path: Path) -> None:
        page = path.read_text(encoding="utf-8")
        outside = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:https?:)?//[^>]+>", page)
        self.story.check(
            f"{name}: the HTML report is one file that needs nothing else",
            "</html>" in page and not outside,
            f"{path}, {len(page) // 1024} KiB",
        )

    def third_office(self) -> None:
        """Other vendors, without packets: emulators, judged by simulated flows."""
        with mixed_office(self.story, self.product, self.lab.workspace.folder("mixed")) as office:
            office.tell()

    # --- and after --------------------------------------------------------------------------------------------------

    def stay(self) -> None:
        """Keep the lab and the API up until ctrl-C."""
        url = self.url or self.product.serve(self.lab.workspace)
        token = self.product.token("demo-visitor", "read", "request", "operate")
        self.story.say(f"\nThe API is at {url}/api/v1 (bearer token {token}); try\n")
        self.story.say(f"  curl -H 'Authorization: Bearer {token}' {url}/api/v1/reports/sites/berlin")
        self.story.say(f"  . {self.lab.workspace.run_dir}/env; tokgate plan\n\nCtrl-C ends it and removes the lab.")
        serving = processes.read_pid_file(self.lab.workspace.pid_file("serve"))
        while serving is not None and serving.is_alive:
            time.sleep(0.5)


def items(answer: Any) -> list[dict[str, Any]]:
    """The rows of a list, whether it came bare or as a page."""
    return list(answer["items"] if isinstance(answer, dict) else answer)


def evidence_of(
    events: Iterable[Mapping[str, Any]], site: str, action: str | None, sources: set[str]
) -> tuple[int, str]:
    """Hits of the events of one action (None: any) that name one of the sources, and which of them were named."""
    hits, named = 0, set[str]()
    for event in events:
        seen = {str(entry["source"]) for entry in event.get("sources", ())} & sources
        if event["site"] == site and action in (None, event["action"]) and seen:
            hits, named = hits + (event["hits"] or 0), named | seen
    return hits, ", ".join(sorted(named))
