"""``tokgate config``: whether the inventory is right, what is in force after all defaults, and what may be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import opening
from api.cli.options import AsPlain, Plain
from api.cli.show import note, say, show_json, show_pairs, show_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.config_models import DeclaredChange, MovedPart
    from controller.inventory import Inventory
    from controller.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Configuration: check it, show what is in force, and its schema.")
_SHOWN: Final = 50
_NAMED: Final = 4


@app.command()
@opening.only_here("it reads files of this machine; `tokgate config drift` asks the server about its own")
def check() -> None:
    """Check the settings and the whole inventory. Asks no device. Ends with 6 and every mistake when one is wrong."""
    from controller.inventory import load_inventory

    settings = opening.settings()
    found = load_inventory(settings.inventory)
    _refuse_unread(settings, found)
    devices = sum(len(site.devices) for site in found.sites.values())
    say(f"{settings.inventory} is good: {_count(len(found.sites), 'site')}, {_count(devices, 'device')}")
    for warning in (*_missing_extras(found, settings), *_short_budgets(found), *_idle_windows(found)):
        say(warning)
    if found.intelligence.catalogue is not None:
        say(f"{found.intelligence.catalogue} is good: {_count(len(found.own_services), 'service')} of your own")
    _check_declared(found)


def _check_declared(inventory: Inventory) -> None:
    """Raises ``InventoryError``: the file of exceptions is wrong."""
    if inventory.exceptions.file is None:
        return
    from controller.declared import load_declared
    from controller.exceptions import needs_roles
    from controller.inventory.exception_rules import OTHER
    from core.clock import SystemClock

    now = SystemClock().now()
    found = load_declared(inventory, now)
    over = sum(entry.ends <= now for entry in found.values())
    told = f", {over} of them over" if over else ""
    say(f"{inventory.exceptions.file} is good: {_count(len(found), 'exception')}{told}")
    rules = inventory.exceptions.reasons
    by_role = sum(needs_roles(e.approved_by, rules[e.code or OTHER]) for e in found.values() if e.ends > now)
    if by_role:
        note(f"whether their approvers hold the role is asked when it is applied: {_count(by_role, 'exception')}")


@app.command()
def drift(output: AsPlain = Plain.TABLE) -> int:
    """Compare what is in force with the files as they are now. Ends with 2 when they differ, 6 when a file is wrong."""
    from core.errors import ExitCode

    with opening.counterpart() as asked:
        found = asked.config_drift()
    if output is Plain.JSON:
        show_json(found.model_dump(mode="json"))
    else:
        if found.trouble:
            say(found.trouble, style="red")
        if found.serving is None:
            say("no schedule ever ran here: the inventory is in force when `tokgate serve` begins")
        elif found.moved:
            say("the inventory was edited since the schedule took it up; `tokgate apply --config-only` has it do so")
            _show_parts(found.parts)
        show_declared(found.exceptions)
        if found.is_none:
            say("all is as the files say")
    if found.trouble:
        return ExitCode.BAD_CONFIGURATION
    return ExitCode.DONE if found.is_none else ExitCode.CHANGES


def _show_parts(parts: Sequence[MovedPart] | None) -> None:
    if parts is None:
        say("where is not known: the schedule began before it was kept")
        return
    show_table(("part", "in the file"), ((part.place, part.move.value) for part in parts[:_SHOWN]))
    if len(parts) > _SHOWN:
        say(f"and {len(parts) - _SHOWN} more; see -o json")


def show_declared(changes: Iterable[DeclaredChange]) -> None:
    """A row for each key of the file of exceptions."""
    rows = [(change.key, change.kind.value, change.told) for change in changes]
    if rows:
        show_table(("key", "what", "why"), rows)


def _missing_extras(inventory: Inventory, settings: Settings) -> Iterator[str]:
    """What is asked for and not installed."""
    from controller.extras import missing

    for needed in missing(inventory, settings):
        places = ", ".join(needed.places[:_NAMED]) + (" …" if len(needed.places) > _NAMED else "")
        yield f"warning: {places}: does not work before {needed.todo}"


def _short_budgets(inventory: Inventory) -> Iterator[str]:
    """Devices whose session may end before a change of theirs does."""
    from vendors.registry import least_budget

    for device in (device for site in inventory.sites.values() for device in site.devices.values()):
        least = least_budget(device.vendor).total_seconds()
        if device.budget_seconds < least:
            yield (
                f"warning: {device.name}: budget_seconds is {device.budget_seconds:g}, and a change of a "
                f"{device.vendor} may take {least:g}; one that does not end in time is told as uncertain"
            )


def _idle_windows(inventory: Inventory) -> Iterator[str]:
    """Windows that overlap others so that they never decide."""
    from controller.windows import idle_windows

    for name, policy in inventory.policies.items():
        for role, rules in policy.roles.items():
            for number in idle_windows(rules, policy.services):
                yield (
                    f"warning: policies.{name}.roles.{role}.windows[{number}] never decides: whenever it is open, a "
                    f"window above it is open too, and the first one decides"
                )


def _refuse_unread(settings: Settings, inventory: Inventory) -> None:
    """Raises ``InventoryError``: a calendar can be read neither now nor from what was kept."""
    if all(calendar.source is None for calendar in inventory.calendars.values()):
        return
    from controller.calendars import unread
    from controller.errors import InventoryError
    from controller.store import Store
    from controller.store.database import is_there
    from core.clock import SystemClock

    if is_there(settings.data_dir, settings.address):
        with Store.open(settings.data_dir, address=settings.address, clock=SystemClock(), migrate=False) as store:
            missing = unread(inventory, store.kept_calendar)
    else:
        missing = unread(inventory, lambda _name: None)
    if missing:
        said = "; ".join(f"calendars.{name}: {why}" for name, why in missing.items())
        raise InventoryError(said, hint="and nothing was kept of it", place=str(settings.inventory))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@app.command()
@opening.only_here("it reads files of this machine; `tokgate config drift` asks the server about its own")
def show(output: AsPlain = Plain.TABLE) -> None:
    """Show the settings and the inventory in force, defaults included. Secrets are shown as their references."""
    from controller.inventory import load_inventory

    settings = opening.settings()
    inventory = load_inventory(settings.inventory)
    if output is Plain.JSON:
        show_json({"settings": settings.model_dump(mode="json"), "inventory": inventory.model_dump(mode="json")})
        return
    show_pairs({f"TOKGATE_{name.upper()}": _setting(value) for name, value in settings})
    _show_inventory(inventory)


def _setting(value: object) -> object:
    return "not set" if value is None else str(value)


def _show_inventory(inventory: Inventory) -> None:
    say()
    show_table(
        ("site", "time zone", "policy", "roles", "devices"),
        ((s.name, s.time_zone, s.policy, tuple(s.networks), tuple(s.devices)) for s in inventory.sites.values()),
    )
    say()
    show_table(
        ("policy", "services", "shared addresses", "role", "mode", "windows"),
        (
            (name, policy.services, policy.shared_addresses, role, rules.mode.value, len(rules.windows))
            for name, policy in inventory.policies.items()
            for role, rules in policy.roles.items()
        ),
    )
    if inventory.own_services:
        say()
        show_table(
            ("service of your own", "title", "owner", "names", "networks", "sources"),
            (
                (
                    name,
                    own.title,
                    own.owner or name,
                    sum(len(entries) for entries in own.names.values()),
                    (*(f"AS{asn}" for asn in own.asns), *own.networks),
                    tuple(source.name for source in own.sources),
                )
                for name, own in inventory.own_services.items()
            ),
        )
    say()
    show_table(
        ("device", "vendor", "login", "host keys"),
        (
            (d.name, d.vendor, f"{d.username}@{d.host} port {d.port}", len(d.host_keys))
            for s in inventory.sites.values()
            for d in s.devices.values()
        ),
    )


@app.command()
def schema(
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="Of the file of services of your own (intelligence.catalogue).")
    ] = False,
    exceptions: Annotated[
        bool, typer.Option("--exceptions", help="Of the file of declared exceptions (exceptions.file).")
    ] = False,
) -> None:
    """Print the JSON schema of the inventory, or of a file that it names, for editors."""
    from controller.declared import declared_schema
    from controller.inventory import inventory_schema, services_schema

    if exceptions:
        show_json(declared_schema())
    else:
        show_json(services_schema() if catalogue else inventory_schema())
