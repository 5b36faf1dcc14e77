"""``tokgate coverage``: how long sites were really enforced, how old their proofs are, whether the promise holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import opening
from api.cli.options import AsPlain, Plain
from api.cli.show import moment, say, show_json, show_pairs, show_table
from api.cli.times import parse_time
from controller.errors import Invalid
from controller.model import Window

if TYPE_CHECKING:
    from api.cli.counterpart import Counterpart
    from api.coverage_models import FleetCoverage, RoleCoverage, SiteCoverage, Slo
    from controller.service import Controller

app = typer.Typer(no_args_is_help=True, help="How long sites were really enforced, and how old their last proofs are.")
DEFAULT_SPAN: Final = timedelta(hours=24)
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="From when: 2026-11-25T18:00Z, 2026-11-25, or a span before now: 24h."),
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Until when; now when left out.")]
_SHOWN: Final = 40
_LATER: Final = "see -o json"


@app.command()
def show(
    site: Annotated[str | None, typer.Argument(metavar="[SITE]", help="One site; the fleet when left out.")] = None,
    start: From = None,
    end: To = None,
    minutes: Annotated[bool, typer.Option("--minutes", help="In whole minutes, each in its worst state.")] = False,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Show the fleet now, or one site over some time, the last 24 hours when none is given.

    A site is enforced when the look before left it so and the look after found it so; what nobody proved is unknown.
    """
    from api.coverage_models import By

    if site is None and (start or end or minutes):
        raise Invalid("--from, --to, --minutes: name a site", hint="the fleet is shown as it is now")
    with opening.counterpart() as asked:
        if site is None:
            fleet = asked.fleet_coverage()
            show_json(fleet.model_dump(mode="json")) if output is Plain.JSON else _show_fleet(fleet)
            return
        found = asked.site_coverage(site, window(asked, start, end), By.MINUTE if minutes else By.SPAN)
    show_json(found.model_dump(mode="json")) if output is Plain.JSON else _show_site(found)


@app.command()
def slo(output: AsPlain = Plain.TABLE) -> None:
    """Show the promise of the inventory (`slo`), its error budget, and how fast that goes."""
    with opening.counterpart() as asked:
        found = asked.slo()
    show_json(found.model_dump(mode="json")) if output is Plain.JSON else _show_slo(found)


def window(
    asked: Counterpart | Controller, start: str | None, end: str | None, *, default: timedelta = DEFAULT_SPAN
) -> Window:
    """Raises ``Invalid`` naming the option."""
    now = asked.clock.now()
    last = parse_time(end, option="--to", now=now, backwards=True) if end else now
    first = parse_time(start, option="--from", now=now, backwards=True) if start else last - default
    if first >= last:
        raise Invalid("--from: must lie before --to")
    return Window(first, last)


def _show_fleet(fleet: FleetCoverage) -> None:
    age = fleet.enforced_age
    never = f", {age.never} never proven" if age.never else ""
    ranks = f"half below {_age(age.p50)}, 95 % below {_age(age.p95)}, oldest {_age(age.max)}"
    say(f"enforced age of {age.sites} sites: {ranks}{never}", style="bold")
    if fleet.slo is not None:
        say(_verdict(fleet.slo))
    say()
    rows = (
        [
            line.site,
            line.state.value.replace("_", " "),
            _age(line.enforced_age.seconds),
            _share(line.kept_share),
            line.cause,
        ]
        for line in fleet.sites
    )
    show_table(("site", "now", "enforced age", "kept, 30 d", "why"), rows)


def _show_site(found: SiteCoverage) -> None:
    say(f"{found.site}, {moment(found.start)} to {moment(found.end)}", style="bold")
    total = sum(found.seconds.values())
    shares = {state.replace("_", " "): f"{value / total:.2%}" for state, value in found.seconds.items() if value}
    show_pairs({"enforced age": _age(found.enforced_age.seconds), **shares})
    say()
    show_table(("role", "held", "now"), ([r.role, _held(r), _now(r)] for r in found.roles))
    say()
    rows = [[moment(s.start), moment(s.end), s.state.value.replace("_", " "), s.cause] for s in found.spans]
    show_table(("from", "to", "state", "why"), rows[:_SHOWN])
    if len(rows) > _SHOWN:
        say(f"and {len(rows) - _SHOWN} more; {_LATER}")
    for device in found.devices if len(found.devices) > 1 else ():
        worst = [s for s in device.spans if s.state.value in ("not_enforced", "unknown", "partial")]
        say(f"{device.device}: " + (f"{len(worst)} stretches not proven; {_LATER}" if worst else "proven all the time"))


def _held(role: RoleCoverage) -> str:
    """What one role came to, the most first: a site is enforced while any of its roles is."""
    total = sum(role.seconds.values())
    parts = sorted(((value, state) for state, value in role.seconds.items() if value), reverse=True)
    return ", ".join(f"{state.replace('_', ' ')} {_share(value / total)}" for value, state in parts)


def _now(role: RoleCoverage) -> str:
    last = role.spans[-1] if role.spans else None
    if last is None:
        return ""
    return last.state.value.replace("_", " ") + (f": {last.cause}" if last.cause else "")


def _show_slo(found: Slo) -> None:
    say(_verdict(found), style="bold")
    left = "nothing counts yet" if found.budget_left is None else f"{found.budget_left:.1%}"
    show_pairs(
        {"promise": f"no older than {found.enforced_age} for {found.share:.10g} of the time", "budget left": left}
    )
    say()
    rows = ([b.window, _share(b.share), "unknown" if b.burn is None else f"{b.burn:.2f}"] for b in found.burns)
    show_table(("over", "kept", "burn"), rows)


def _verdict(found: Slo) -> str:
    if found.budget_left is None:
        return "no time counts yet: no site was ever looked at"
    if found.missed:
        return f"MISSED: proofs are not younger than {found.enforced_age} for {_share(found.share)} of the time"
    if found.burning:
        return "BURNING: as it goes now, the promise will be missed in days"
    return f"kept: proofs younger than {found.enforced_age} for {_share(found.share)} of the time"


def _share(value: float | None) -> str:
    """Rounded down: 99.96 % never reads 100 %."""
    return "unknown" if value is None else f"{int(value * 10_000) / 100:.2f} %"


def _age(seconds: float | None) -> str:
    from ipsets.spans import words

    return "never proven" if seconds is None else words(timedelta(seconds=seconds))
