"""Configure mode: editing, showing the candidate, committing, going back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lab.emulators.console import Reply
from lab.emulators.panos import answers, operations, printing, schema
from lab.emulators.panos.answers import Invalid, Missing, Refused
from lab.emulators.panos.changes import ALL, Part
from lab.emulators.panos.cli import Handler, PanCli, Table
from lab.emulators.panos.jobs import Job
from lab.emulators.panos.tree import bare

_DESCRIPTION: Final = 512
"""Longest text of a commit (commit, API guide)."""
_KEPT: Final = frozenset({"zone", "application", "application-group", "log-settings", "certificate-profile", "nat"})
"""Sections that are kept, not edited; they may be empty."""


def _edit(verb: str) -> Handler:
    def run(cli: PanCli, words: list[str]) -> str:
        rooted = cli.rooted(words)
        try:
            cli.device.edit(cli.user, verb, rooted)
        except Invalid as invalid:
            raise Invalid(_token(invalid.token, rooted, words)) from None
        return ""

    return run


def _token(token: int, rooted: list[str], words: list[str]) -> int:
    """Where a word of the whole path stands in the line as typed; the verb is its first word."""
    return max(1, token - (len(rooted) - len(words)) + 1)


def _show(cli: PanCli, words: list[str]) -> str:
    typed = (*cli.level, *map(bare, words))
    if not typed:
        return printing.whole(cli.device.candidate.root, cli.format, multi=cli.device.model.multi_vsys)
    path = tuple(bare(word) for word in cli.rooted(words))
    spec, _ = schema.spec_at(path)
    node = cli.device.candidate.root.at(path)
    if node is None and spec is None and path[-1] not in _KEPT:
        raise Invalid(_bad_word(path, words))
    if node is None and isinstance(schema.spec_at(path[:-1])[0], schema.Entries):
        raise Missing
    if node is None:
        return ""
    shown = schema.shown(path, multi=cli.device.model.multi_vsys) if not cli.target else typed
    return printing.part(node, shown[-1], shown, cli.format)


def _bad_word(path: tuple[str, ...], words: list[str]) -> int:
    good = next((at for at in range(len(path), 0, -1) if schema.spec_at(path[:at])[0] is not None), 0)
    return max(1, good - (len(path) - len(words)) + 1)


# --- levels -----------------------------------------------------------------------------------------------------------


def _into(cli: PanCli, words: list[str]) -> str:
    rooted = tuple(bare(word) for word in cli.rooted(words))
    spec, is_open = schema.spec_at(rooted)
    if not isinstance(spec, schema.Container | schema.Entries) and not (spec is None and is_open):
        raise Invalid(len(words))
    cli.level = (*cli.level, *map(bare, words))
    return ""


def _up(cli: PanCli, words: list[str]) -> str:
    cli.level = cli.level[:-1]
    return ""


def _top(cli: PanCli, words: list[str]) -> str:
    cli.level = ()
    return ""


def _leave(cli: PanCli, words: list[str]) -> Reply | str:
    if cli.level:
        return _top(cli, words)
    cli.configuring = False
    return Reply(text=f"{answers.LEAVING}\n")


# --- commit -----------------------------------------------------------------------------------------------------------


def _commit(cli: PanCli, words: list[str]) -> Reply:
    part, force, description = _commit_words(words)
    if not cli.device.mishaps.ask_commit:
        return _committed(cli, part, force=force, description=description)

    def told(choice: str) -> Reply:
        if choice.strip().lower() not in ("y", "yes"):
            return Reply(text=cli.framed(""))
        return _committed(cli, part, force=force, description=description)

    return cli.ask(f"{answers.PROCEED} ", told)


def _committed(cli: PanCli, part: Part, *, force: bool, description: str) -> Reply:
    try:
        job = cli.device.commit(cli.user, part, force=force, description=description)
    except Refused as refused:
        return Reply(text=cli.framed("".join(f"{line}\n" for line in refused.lines)))
    seconds = max(0.0, (job.done - cli.device.clock.now()).total_seconds())
    return Reply(text=cli.framed(told(job)), seconds=seconds)


def told(job: Job) -> str:
    """What the terminal says of a commit from first to last (netmiko issue 3033)."""
    lines = [answers.progress(job.id)]
    if job.ok:
        lines += ["...55%99%.......100%", *job.details, *job.warnings]
    else:
        lines += ["..........55%.", *job.details, answers.FAILED]
    return "".join(f"{line}\n" for line in lines)


def _commit_words(words: list[str]) -> tuple[Part, bool, str]:
    """`[force] [partial …] [description TEXT]`, in any order."""
    part, force, description, at = ALL, False, "", 0
    while at < len(words):
        match words[at]:
            case "force":
                force, at = True, at + 1
            case "description":
                description, at = _text(words, at + 1), at + 2
            case "partial":
                part, at = _part(words, at + 1)
            case _:
                raise Invalid(at + 1)
    return part, force, description


def _text(words: list[str], at: int) -> str:
    if at >= len(words) or len(bare(words[at])) > _DESCRIPTION:
        raise Invalid(at + 1)
    return bare(words[at])


_EXCLUDED: Final = {"device-and-network": "device", "policy-and-objects": "policy", "shared-object": "shared"}


def _part(words: list[str], at: int) -> tuple[Part, int]:
    part, start = Part(whole=False), at
    while at < len(words):
        match words[at]:
            case "admin":
                names, at = _names(words, at + 1)
                part = replace(part, admins=names)
            case "vsys":
                names, at = _names(words, at + 1)
                part = replace(part, vsys=names)
            case word if word in _EXCLUDED and words[at + 1 : at + 2] == ["excluded"]:
                part, at = _without(part, word), at + 2
            case _:
                break
    if at == start:
        raise Invalid(at + 1)
    return part, at


def _without(part: Part, word: str) -> Part:
    match word:
        case "device-and-network":
            return replace(part, device=False)
        case "policy-and-objects":
            return replace(part, policy=False)
        case _:
            return replace(part, shared=False)


def _names(words: list[str], at: int) -> tuple[tuple[str, ...], int]:
    """One word, or several in brackets."""
    if words[at : at + 1] == ["["] and "]" in words[at:]:
        end = words.index("]", at)
        return tuple(map(bare, words[at + 1 : end])), end + 1
    if at >= len(words):
        raise Invalid(at + 1)
    return (bare(words[at]),), at + 1


def _validate(cli: PanCli, words: list[str]) -> Reply:
    part = ALL
    if words[:1] == ["partial"]:
        part, at = _part(words, 1)
        if at != len(words):
            raise Invalid(at + 1)
    elif words != ["full"]:
        raise Invalid(1)
    cli.device.refuse_commit(cli.user)
    job = cli.device.validate(cli.user, part)
    seconds = max(0.0, (job.done - cli.device.clock.now()).total_seconds())
    lines = [f"Validate job {job.id} is in progress. Use Ctrl+C to return to command prompt"]
    lines += ["...55%99%.......100%" if job.ok else "..........55%.", *job.details, *job.warnings]
    lines += [] if job.ok else ["Validation failed"]
    return Reply(text=cli.framed("".join(f"{line}\n" for line in lines)), seconds=seconds)


def _revert(cli: PanCli, words: list[str]) -> str:
    if not words:
        cli.device.revert(cli.user)
    elif words[0] == "partial" and cli.device.switches.revert_partial:
        part, at = _part(words, 1)
        if at != len(words):
            raise Invalid(at + 2)
        cli.device.revert(cli.user, part)
    else:
        raise Invalid(2)
    return ""


def _run(cli: PanCli, words: list[str]) -> Reply | str:
    """Operational commands take this prefix here."""
    try:
        meaning, arguments = operations.SHOWING.find(words)
    except Invalid as invalid:
        raise Invalid(invalid.token + 1) from None
    return meaning(cli, arguments)


TABLE: Final = Table(
    {
        "set ...": _edit("set"),
        "delete ...": _edit("delete"),
        "move ...": _edit("move"),
        "rename ...": _edit("rename"),
        "show": _show,
        "show ...": _show,
        "edit ...": _into,
        "up": _up,
        "top": _top,
        "exit": _leave,
        "quit": _leave,
        "commit": _commit,
        "commit ...": _commit,
        "validate ...": _validate,
        "revert config": _revert,
        "revert config ...": _revert,
        "run ...": _run,
        **operations.FILES,
        "check pending-changes": operations.pending,
    }
)
