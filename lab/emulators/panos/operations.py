"""Operational mode, and what configure mode takes behind `run`."""

from __future__ import annotations

from typing import Final

from lab.emulators.console import Reply
from lab.emulators.panos import answers, inquiries, locking, shows
from lab.emulators.panos.answers import Invalid, Missing, Refused
from lab.emulators.panos.changes import ALL, Part
from lab.emulators.panos.cli import Handler, PanCli, Table
from lab.emulators.panos.tree import Node, bare

_MAX_WIDTH: Final = 500
_ON_OFF: Final = {"on": True, "off": False}


# --- coming and going, the terminal -----------------------------------------------------------------------------------


def _configure(cli: PanCli, words: list[str]) -> Reply:
    cli.configuring, cli.level = True, ()
    return Reply(text=f"{answers.ENTERING}\n")


def _exit(cli: PanCli, words: list[str]) -> Reply:
    return Reply(close=True)


def _switch(name: str) -> Handler:
    def run(cli: PanCli, words: list[str]) -> str:
        if words[0] not in _ON_OFF:
            raise Invalid(3)
        setattr(cli, name, _ON_OFF[words[0]])
        return ""

    return run


def _width(cli: PanCli, words: list[str]) -> str:
    if not words[0].isdecimal() or not 1 <= int(words[0]) <= _MAX_WIDTH:
        raise Invalid(4)
    cli.width = int(words[0])
    return ""


def _format(cli: PanCli, words: list[str]) -> str:
    match words[0]:
        case "default" | "set" | "json" | "xml" as form:
            cli.format = form
            return ""
    raise Invalid(3)


def _idle(cli: PanCli, words: list[str]) -> str:
    if words[0] != "never" and not words[0].isdecimal():
        raise Invalid(4)
    return ""


def _target(cli: PanCli, words: list[str]) -> str:
    if not cli.device.model.multi_vsys or words[0] not in ("none", *cli.device.running.vsys_names()):
        raise Invalid(4)
    cli.target = "" if words[0] == "none" else words[0]
    return f"Session target vsys changed to {words[0]}\n"


# --- what there is ----------------------------------------------------------------------------------------------------


def _system_info(cli: PanCli, words: list[str]) -> str:
    return shows.system_info(cli.device)


def pending(cli: PanCli, words: list[str]) -> str:
    return "yes\n" if cli.device.changes.made else "no\n"


def _change_list(cli: PanCli, words: list[str]) -> str:
    return shows.changes(cli.device, _by(words))


def _summary(cli: PanCli, words: list[str]) -> str:
    return shows.summary(cli.device, _by(words))


def _by(words: list[str]) -> Part:
    names = tuple(bare(word) for word in words if word not in ("[", "]"))
    return Part(admins=names, whole=False) if names else ALL


def _diff(cli: PanCli, words: list[str]) -> str:
    return shows.difference(cli.device)


def _whole(which: str) -> Handler:
    def run(cli: PanCli, words: list[str]) -> str:
        space = cli.device.running if which == "running" else cli.device.candidate
        return shows.whole(cli.device, space.root)

    return run


def _audit_info(cli: PanCli, words: list[str]) -> str:
    return shows.audit(cli.device)


def _audit_version(cli: PanCli, words: list[str]) -> str:
    return shows.whole(cli.device, _version(cli, words[0], 4))


def _version(cli: PanCli, number: str, token: int) -> Node:
    if not number.isdecimal():
        raise Invalid(token)
    found = next((each for each in cli.device.versions if each.number == int(number)), None)
    if found is None:
        raise Missing
    return found.tree


# --- jobs -------------------------------------------------------------------------------------------------------------


def _jobs(cli: PanCli, words: list[str]) -> str:
    return shows.jobs(cli.device, cli.device.jobs[::-1])


def _jobs_that_are(*wanted: str) -> Handler:
    def run(cli: PanCli, words: list[str]) -> str:
        now = cli.device.clock.now()
        return shows.jobs(cli.device, [job for job in cli.device.jobs[::-1] if job.status(now) in wanted])

    return run


def _job(cli: PanCli, words: list[str]) -> str:
    if not words[0].isdecimal():
        raise Invalid(3)
    found = cli.device.job(int(words[0]))
    if found is None:
        raise Refused(f"Server error : job {words[0]} not found")
    return shows.job(cli.device, found)


def _clear_job(cli: PanCli, words: list[str]) -> str:
    """Only what waits can be cancelled (task manager)."""
    found = cli.device.job(int(words[0])) if words[0].isdecimal() else None
    if found is None or found.status(cli.device.clock.now()) != "PEND":
        raise Refused(f"Server error : job {words[0]} not found")
    cli.device.cancel(found)
    return ""


# --- locks ------------------------------------------------------------------------------------------------------------


def _config_lock(cli: PanCli, words: list[str]) -> str:
    return locking.take_config(cli.device, cli.user, cli.target or "shared", comment="".join(words)) + "\n"


def _config_unlock(cli: PanCli, words: list[str]) -> str:
    return locking.drop_config(cli.device, cli.user, cli.target or "shared") + "\n"


def _commit_lock(cli: PanCli, words: list[str]) -> str:
    return locking.take_commit(cli.device, cli.user, comment="".join(words)) + "\n"


def _commit_unlock(cli: PanCli, words: list[str]) -> str:
    return locking.drop_commit(cli.device, cli.user, words[0] if words else cli.user) + "\n"


def _show_config_locks(cli: PanCli, words: list[str]) -> str:
    return locking.shown(cli.device, cli.device.config_locks)


def _show_commit_locks(cli: PanCli, words: list[str]) -> str:
    return locking.shown(cli.device, {f"shared {admin}": held for admin, held in cli.device.commit_locks.items()})


# --- files ------------------------------------------------------------------------------------------------------------


def _save(cli: PanCli, words: list[str]) -> str:
    cli.device.saved[words[0]] = cli.device.candidate.copy()
    return f"Config saved to {words[0]}\n"


def _load(cli: PanCli, words: list[str]) -> str:
    name = words[0]
    tree = cli.device.running.root if name == "running-config.xml" else cli.device.saved.get(name)
    if tree is None:
        raise Refused(f"Server error : {name} does not exist")
    cli.device.replace(cli.user, tree)
    return f"Config loaded from {name}\n"


def _load_version(cli: PanCli, words: list[str]) -> str:
    cli.device.replace(cli.user, _version(cli, words[0], 3))
    return f"Config loaded from version {words[0]}\n"


# --- high availability, restart ---------------------------------------------------------------------------------------


def _ha(cli: PanCli, words: list[str]) -> str:
    return shows.high_availability(cli.device)


def _panorama(cli: PanCli, words: list[str]) -> str:
    """Nothing without one. That the address stands there is what scripts rely on; the rest is likely."""
    if not cli.device.panorama:
        return ""
    return f"Panorama Server 1 : {cli.device.panorama}\n    Connected     : yes\n    HA state      : Unknown\n"


def _sync(cli: PanCli, words: list[str]) -> str:
    if cli.device.peer is None:
        raise Refused(cli.device.switches.ha_off)
    cli.device.push_to_peer()
    return (
        "Executing this command will overwrite the candidate configuration on the peer"
        " and trigger a commit on the peer.\n"
    )


def _restart(cli: PanCli, words: list[str]) -> Reply:
    def told(choice: str) -> Reply:
        if choice.strip().lower() != "y":
            return Reply()
        cli.device.reboot()
        return Reply(close=True)

    return cli.ask(f"{answers.RESTART} ", told)


FILES: Final[dict[str, Handler]] = {
    "save config to *": _save,
    "load config from *": _load,
    "load config version *": _load_version,
}
_SHOWING: Final[dict[str, Handler]] = {
    "show system info": _system_info,
    "show jobs all": _jobs,
    "show jobs processed": _jobs_that_are("FIN"),
    "show jobs pending": _jobs_that_are("PEND", "ACT"),
    "show jobs id *": _job,
    "show config running": _whole("running"),
    "show config candidate": _whole("candidate"),
    "show config diff": _diff,
    "show config list changes": _change_list,
    "show config list changes partial admin ...": _change_list,
    "show config list change-summary": _summary,
    "show config list change-summary partial admin ...": _summary,
    "show config audit info": _audit_info,
    "show config audit version *": _audit_version,
    "show config-locks": _show_config_locks,
    "show config-locks vsys *": _show_config_locks,
    "show commit-locks": _show_commit_locks,
    "show commit-locks vsys *": _show_commit_locks,
    "show high-availability state": _ha,
    "show high-availability all": _ha,
    "show panorama-status": _panorama,
    "check pending-changes": pending,
    "request config-lock add": _config_lock,
    "request config-lock add comment *": _config_lock,
    "request config-lock remove": _config_unlock,
    "request commit-lock add": _commit_lock,
    "request commit-lock add comment *": _commit_lock,
    "request commit-lock remove": _commit_unlock,
    "request commit-lock remove admin *": _commit_unlock,
    "request high-availability sync-to-remote running-config": _sync,
    "request restart system": _restart,
    "clear job id *": _clear_job,
    "set cli scripting-mode *": _switch("scripting"),
    "set cli pager *": _switch("paging"),
    "set cli op-command-xml-output *": _switch("xml"),
    "set cli terminal width *": _width,
    "set cli config-output-format *": _format,
    "set cli timeout idle *": _idle,
    "set system setting target-vsys *": _target,
    **inquiries.COMMANDS,
}
SHOWING: Final = Table(_SHOWING)
TABLE: Final = Table({**_SHOWING, **FILES, "configure": _configure, "exit": _exit, "quit": _exit})
