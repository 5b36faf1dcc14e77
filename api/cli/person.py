"""``tokgate person``: who may sign in. Passwords are asked for or read from a file, never on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.errors import FileTrouble
from api.cli.options import As, Output
from api.cli.show import say, show_rows
from controller.access_roles import AccessRole

if TYPE_CHECKING:
    from api.people_models import Person
    from core.secret import Secret

app = typer.Typer(no_args_is_help=True, help="Who may sign in, and with which roles.")

_ALONE = "accounts are made, and passwords set, on the machine alone"
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Who.")]
Reason = Annotated[str, typer.Option("--reason", help="Stands in the audit log.")]
PasswordFile = Annotated[
    str | None,
    typer.Option("--password-file", metavar="FILE|-", help="Its first line is the password; - is standard input."),
]


@app.command()
@opening.only_here(_ALONE)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in anna.smith.")],
    roles: Annotated[list[AccessRole], typer.Option("--role", help="What they are; may be repeated.")],
    local: Annotated[bool, typer.Option("--local", help="An account with a password kept here.")] = False,
    sites: Annotated[
        list[str] | None, typer.Option("--site", help="All that they see and change; may be repeated. Else every site.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Their name as people write it.")] = "",
    password_file: PasswordFile = None,
) -> None:
    """Make a local account. Its password is asked for, twice."""
    if not local:
        raise typer.BadParameter("people of a provider come with their first sign-in; --local makes an account here")
    with opening.controller() as controller:
        person = controller.people.add_local(
            name,
            title=title,
            roles=roles,
            sites=sites or None,
            password=_password(name, password_file),
            actor=opening.actor(),
        )
    say(f"{person.name} may sign in as {', '.join(sorted(person.roles))}")


@app.command("list")
def list_people(output: As = Output.TABLE) -> None:
    """List the people who have signed in or may."""
    with opening.counterpart() as asked:
        people, now = asked.people(), asked.clock.now()

    def state(row: Person) -> str:
        if row.disabled_at is not None:
            return "disabled"
        return "locked" if row.locked_until is not None and row.locked_until > now else "active"

    show_rows(people, {**_COLUMNS, "state": state}, output, none="nobody")


@app.command()
def edit(
    name: NameArgument,
    reason: Reason,
    roles: Annotated[
        list[AccessRole] | None, typer.Option("--role", help="Instead of the roles so far; may be repeated.")
    ] = None,
    sites: Annotated[
        list[str] | None, typer.Option("--site", help="Instead of the sites so far; may be repeated.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--all-sites", help="No longer limited to sites.")] = False,
    title: Annotated[str | None, typer.Option("--title", help="Their name as people write it.")] = None,
) -> None:
    """Change what somebody may. In force at once, also where they are signed in."""
    with opening.counterpart() as asked:
        person = asked.edit_person(
            name,
            reason=reason,
            roles=roles or None,
            sites=sites or None,
            everywhere=everywhere,
            title=title,
        )
    where = "every site" if person.sites is None else ", ".join(sorted(person.sites))
    say(f"{person.name} is {', '.join(sorted(person.roles))} of {where}")


@app.command()
@opening.only_here(_ALONE)
def password(name: NameArgument, password_file: PasswordFile = None) -> None:
    """Set another password, and sign them out everywhere. It unlocks a locked account too."""
    with opening.controller() as controller:
        controller.people.get(name)
        controller.people.set_password(name, _password(name, password_file), actor=opening.actor())
    say(f"{name} has another password")


@app.command()
def unlock(name: NameArgument) -> None:
    """Let somebody try their password again who is locked out."""
    with opening.counterpart() as asked:
        asked.unlock_person(name)
    say(f"{name} may try again")


@app.command()
def disable(name: NameArgument, reason: Reason) -> None:
    """No sign-in from now on, no open session, and no token that they own."""
    with opening.counterpart() as asked:
        asked.disable_person(name, reason=reason)
    say(f"{name} is disabled")


@app.command()
def enable(name: NameArgument, reason: Reason) -> None:
    """Let somebody sign in again who was disabled."""
    with opening.counterpart() as asked:
        asked.enable_person(name, reason=reason)
    say(f"{name} may sign in again")


@app.command()
def sessions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only of this person.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    output: As = Output.TABLE,
) -> None:
    """List who is signed in, and from where."""
    with opening.counterpart() as asked:
        found = asked.sessions(name, is_open=not every)
    show_rows(found, _SESSION_COLUMNS, output, none="nobody is signed in")


@app.command("sign-out")
def sign_out(name: NameArgument) -> None:
    """End every session of somebody."""
    with opening.counterpart() as asked:
        count = asked.sign_out_person(name)
    say(f"{name}: {count} session{'' if count == 1 else 's'} ended")


def _password(name: str, source: str | None) -> Secret:
    """Asked for twice on a terminal, else the first line of the file. Raises ``FileTrouble``."""
    from core.secret import Secret

    if source is None:
        if not sys.stdin.isatty():
            raise typer.BadParameter("no terminal to ask for the password; --password-file - reads standard input")
        return Secret(str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True)))
    try:
        text = sys.stdin.readline() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as exc:
        raise FileTrouble(f"{source} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    return Secret(text.partition("\n")[0].rstrip("\r"))


_COLUMNS = {
    "name": lambda row: row.name,
    "title": lambda row: row.title,
    "kind": lambda row: row.kind,
    "roles": lambda row: row.roles,
    "sites": lambda row: "all" if row.sites is None else row.sites,
    "last sign-in": lambda row: row.last_sign_in_at or "never",
}
_SESSION_COLUMNS = {
    "id": lambda row: row.id,
    "person": lambda row: row.person,
    "by": lambda row: row.kind,
    "from": lambda row: row.address,
    "since": lambda row: row.created_at,
    "last used": lambda row: row.last_used_at,
    "browser": lambda row: row.agent,
}
