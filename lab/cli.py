"""``tokgate lab …`` and ``tokgate demo``: found by the command as entry points, so the API never imports the lab."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from lab import demo, emulated, inventory, machine, processes, third
from lab.topology import Client, Lab
from lab.workspace import Leftovers, Workspace, known, leftovers, remove, sweep

DEFAULT: Final = "tglab"
_FLEET: Final = "fleet.json"

lab_commands = typer.Typer(
    no_args_is_help=True,
    help="A fleet on this machine: real Linux firewalls in network namespaces, and emulated ones. Needs root.",
)


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"


Name = Annotated[str, typer.Option("--name", help="Which lab; also the prefix of everything it makes.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print.")]


@lab_commands.command("up")
def up(
    name: Name = DEFAULT,
    fleet: Annotated[
        int | None,
        typer.Option(
            "--fleet", metavar="N", min=1, max=2000, help="Instead: so many emulated firewalls of four vendors."
        ),
    ] = None,
    output: Format = Output.TABLE,
) -> None:
    """Build an internet, two offices with a real firewall each and one with four emulated ones; write their inventory.

    With `--fleet`: emulated firewalls of four vendors in one process, for tests of scale; no clients, no packets.
    """
    if fleet is not None:
        facts, text = _fleet_up(name, fleet)
        _print(output, facts, text)
        return
    lab = Lab.up(name)
    try:
        path, env = inventory.write(lab)
        third.open_office(lab.workspace, path, env)
        lab.save()
        lab.workspace.keep()
    except BaseException:
        lab.close()
        raise
    _print(output, describe(lab), _next_steps(lab, env, path))


@lab_commands.command("down")
def down(
    name: Name = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="Every lab of this machine.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """Remove a lab with every trace of it, also one that crashed. Nothing to remove is no error."""
    machine.require()
    prefixes = known() if every else (name,)
    removed = {prefix: _removed(leftovers(prefix)) for prefix in prefixes}
    for prefix in prefixes:
        remove(prefix)
    removed |= dict.fromkeys(sweep(), "left behind by a process that died")
    lines = [f"{prefix}: {what}" for prefix, what in removed.items()] or ["no lab on this machine"]
    _print(output, {"removed": removed}, "\n".join(lines))


@lab_commands.command("status")
def status(name: Name = DEFAULT, output: Format = Output.TABLE) -> None:
    """Say what of a lab stands."""
    machine.require()
    found = leftovers(name)
    if found.is_empty:
        _print(output, {"name": name, "state": "down"}, f"{name}: down")
    elif (machine.BASE / name / _FLEET).exists():
        facts = _fleet_facts(name)
        _print(output, facts, f"{name}: {facts['devices']} emulated firewalls, {facts['state']}")
    elif not (machine.BASE / name / "topology.json").exists():
        text = f"{name}: not complete: {_removed(found)}. Remove it with `tokgate lab down --name {name}`."
        _print(output, {"name": name, "state": "incomplete"}, text)
    else:
        lab = Lab.load(name)
        _print(output, describe(lab), _status_table(lab))


@lab_commands.command("probe")
def probe(
    site: Annotated[str, typer.Argument(help="berlin or austin")],
    role: Annotated[str, typer.Argument(help="company, guest or marketing")],
    targets: Annotated[list[str], typer.Argument(help="tcp:HOST:PORT, udp:HOST:PORT or dns:NAME; tcp6: and so on")],
    name: Name = DEFAULT,
    output: Format = Output.TABLE,
) -> None:
    """Try things as a client of one office, and say what came of them."""
    results = _client(Lab.load(name), site, role).browse(*targets)
    table = Table("target", "address", "outcome", "ms")
    for result in results.values():
        table.add_row(result.target, result.address or "", result.outcome, f"{result.ms:.1f}")
    facts = [
        {"target": r.target, "address": r.address, "outcome": r.outcome, "ms": r.ms, "answers": list(r.answers)}
        for r in results.values()
    ]
    _print(output, {"results": facts}, table)


def demo_command(
    serve: Annotated[bool, typer.Option("--serve", envvar="SERVE", help="Stay up with the API at the end.")] = False,
    reports: Annotated[Path, typer.Option("--reports", help="Folder for the HTML reports; made when missing.")] = Path(
        "tokgate-demo"
    ),
) -> None:
    """Show the whole loop on two real and four emulated firewalls, check every claim. Needs root; three minutes."""
    raise typer.Exit(demo.main(demo.Options(serve=serve, reports=reports)))


def _fleet_up(name: str, count: int) -> tuple[dict[str, Any], str]:
    """Start the process that serves a fleet, and wait for its inventory. Raises ``LabError`` when it does not come."""
    began = time.monotonic()
    workspace = Workspace.open(name)
    folder = workspace.run_dir
    try:
        written = third.serve(workspace, folder, count)
        (folder / _FLEET).write_text(json.dumps({"devices": count}), encoding="utf-8")
        workspace.keep()
    except BaseException:
        workspace.close()
        raise
    took = time.monotonic() - began
    text = f"""\
{count} emulated firewalls of {len(emulated.MAKES)} vendors are up after {took:.1f} s; their inventory is {written}

  . {folder / emulated.ENVIRONMENT}
  tokgate db upgrade && tokgate intel refresh
  tokgate plan

Remove them with `tokgate lab down{"" if name == DEFAULT else f" --name {name}"}`."""
    return {**_fleet_facts(name), "seconds": round(took, 1)}, text


def _fleet_facts(name: str) -> dict[str, Any]:
    folder = machine.BASE / name
    process = processes.read_pid_file(folder / "pids" / "fleet.pid.json")
    running = process is not None and process.is_alive
    return {
        "name": name,
        "state": "up" if running else "ended",
        "run_dir": str(folder),
        "devices": json.loads((folder / _FLEET).read_text(encoding="utf-8"))["devices"],
        "environment": emulated.environment(folder),
    }


def describe(lab: Lab) -> dict[str, Any]:
    """A lab that stands, as plain data."""
    office = third.facts(lab.workspace.run_dir)
    return {
        "name": lab.workspace.prefix,
        "state": "up",
        "run_dir": str(lab.workspace.run_dir),
        "environment": inventory.environment(lab) | (emulated.secrets() if office else {}),
        "emulated": office,
        "resolver": lab.resolver,
        "ripestat_replay": lab.replay_url,
        "sites": {
            name: {
                "gateway": site.gateway.name,
                "host": site.gateway.host,
                "login": site.office.login,
                "namespace": site.gateway.namespace.name,
                "programs": list(site.gateway.programs()),
                "tables": list(site.gateway.tables()),
                "clients": {role: client.namespace.name for role, client in site.clients.items()},
            }
            for name, site in lab.sites.items()
        },
    }


def _client(lab: Lab, site: str, role: str) -> Client:
    known_roles = {(name, each): client for name, found in lab.sites.items() for each, client in found.clients.items()}
    if (site, role) not in known_roles:
        choices = ", ".join(f"{name} {each}" for name, each in known_roles)
        raise typer.BadParameter(f"no client {site} {role}; there are: {choices}")
    return known_roles[site, role]


def _status_table(lab: Lab) -> Table:
    table = Table("site", "gateway", "ssh", "programs", "tables", "clients", title=f"lab {lab.workspace.prefix}")
    for name, site in lab.sites.items():
        gateway = site.gateway
        table.add_row(
            name,
            gateway.name,
            f"{site.office.login}@{gateway.host}",
            " ".join(gateway.programs()),
            ", ".join(gateway.tables()),
            " ".join(site.clients),
        )
    if office := third.facts(lab.workspace.run_dir):
        table.add_row(third.SITE, " ".join(office["devices"]), "admin@127.0.0.1", f"emulators {office['state']}")
    return table


def _next_steps(lab: Lab, env: Path, path: Path) -> str:
    prefix = lab.workspace.prefix
    name = "" if prefix == DEFAULT else f" --name {prefix}"
    return f"""\
The lab {prefix} is up: sites {", ".join(lab.sites)}, and {third.SITE} with four emulated firewalls; its inventory is
{path}
Intelligence comes from the lab itself: RIPEstat is replayed from a record of 2026, DNS is the lab's own.

  . {env}
  tokgate db upgrade && tokgate intel refresh
  tokgate plan
  tokgate apply --yes
  tokgate lab probe berlin company tcp:www.tiktok.com:443 udp:www.tiktok.com:443 tcp:news.example:443{name}
  tokgate hits collect && tokgate report site berlin

Look inside with `ip netns exec {prefix}-fw-berlin nft list ruleset`; remove it all with `tokgate lab down{name}`."""


def _removed(found: Leftovers) -> str:
    if found.is_empty:
        return "nothing to remove"
    parts = (
        f"{len(found.namespaces)} namespaces",
        f"{len(found.links)} links",
        f"{len(found.processes)} processes",
        f"{len(found.files)} files and folders",
    )
    return ", ".join(parts)


def _print(output: Output, facts: dict[str, Any], text: str | Table) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(facts, indent=2))
    else:
        Console(soft_wrap=isinstance(text, str)).print(text, markup=False, highlight=False)


__all__ = ["demo_command", "describe", "lab_commands"]
