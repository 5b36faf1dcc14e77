"""Errors at the worst moment: the change is in force, and then something fails. Never told as if it were not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import netns
from tests.contract.rig import SHARED, TIKTOK, NftablesRig, Rig, is_untouched, look, plan, push
from tests.contract.test_changes import blocked, holds
from tests.contract.test_sessions import Tapped
from tests.contract.wishes import DEDICATED, NAMES, networks, wish
from vendors.adapter import Output
from vendors.errors import DeviceError, NotVerified, Refused, Uncertain, Unreachable, Unreadable
from vendors.linux_nftables import LinuxNftables
from vendors.linux_nftables.commands import CONNTRACK_COUNT, Shell
from vendors.model import Receipt

pytestmark = pytest.mark.root


@dataclass(slots=True)
class Failing(Tapped):
    """A session on which the commands, or the files, that a test picks fail once the change is loaded."""

    command: Callable[[str], DeviceError | None] = lambda command: None
    file: DeviceError | None = None
    loaded: bool = False

    def run(self, command: str, **options: object) -> Output:
        if self.loaded and (failure := self.command(command)):
            raise failure
        output = Tapped.run(self, command, **options)  # type: ignore[arg-type]
        self.loaded = self.loaded or output.text.endswith("@@done\n")
        return output

    def put(self, path: str, content: str, *, mode: int = 0o600) -> None:
        if self.loaded and self.file:
            raise self.file
        self.inner.put(path, content, mode=mode)


def _more(rig: Rig, *, names: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    return wish(rig, members=DEDICATED | networks("192.0.2.0/24"), names=names)


def _apply(rig: Rig, wanted, options: dict[str, object] | None = None, **failing: object) -> Receipt:  # type: ignore[no-untyped-def]
    observed, change = plan(rig, wanted)
    with rig.session() as session:
        return rig.adapter(**(options or {})).apply(Failing(session, **failing), observed, change)  # type: ignore[arg-type]


def _is_new(rig: Rig) -> bool:
    observed = look(rig)
    return is_untouched(observed) and any(networks("192.0.2.0/24") <= set(group.members) for group in observed.groups)


@pytest.mark.parametrize("failure", [Unreadable("too much"), Unreachable("gone")], ids=["unreadable", "unreachable"])
def test_i05_a_change_that_cannot_be_read_back_is_uncertain(rig: Rig, failure: DeviceError) -> None:
    push(rig, wish(rig))
    with pytest.raises(Uncertain):
        _apply(rig, _more(rig), command=lambda command: failure if "list ruleset" in command else None)
    assert _is_new(rig), "it was loaded: to say that the old state stands would be wrong"


def test_i05_a_refused_file_after_the_change_is_no_refused_change(rig: Rig) -> None:
    """dnsmasq does not restart, and its old file cannot be put back either: the table is the new one all the same."""
    push(rig, wish(rig))
    dnsmasq = {"conf_dir": str(rig.gateway.files.dnsmasq_dir), "restart": "/bin/false"}  # type: ignore[attr-defined]
    with pytest.raises((Uncertain, NotVerified)):
        _apply(rig, _more(rig, names=NAMES), {"dnsmasq": dnsmasq}, file=Refused("no space left"))
    assert any(group.name.startswith("fqdn-") for group in look(rig).groups)


@pytest.mark.parametrize("way", ["broken", "refused"])
def test_i05_a_change_that_cannot_be_undone_is_uncertain(rig: Rig, way: str) -> None:
    """Somebody else wrote at the same moment, and then the way back is barred."""
    push(rig, wish(rig))

    def meddle(command: str, output: Output) -> None:
        if output.text.endswith("@@done\n"):
            rig.damage("a foreign counter")

    def bar(command: str) -> DeviceError | None:
        if " -c -f " not in command:
            return None
        if way == "refused":
            rig.drop_member("192.0.2.0/24")  # what the way back would take away is gone already
            return None
        return Unreachable("gone")

    with pytest.raises(Uncertain):
        _apply(rig, _more(rig), after=meddle, command=bar)


def test_i05_a_budget_that_became_smaller_does_not_bar_the_way_back(rig: Rig) -> None:
    """What is undone was held before, so it has room."""
    push(rig, wish(rig))
    observed, change = plan(rig, wish(rig, members=networks(TIKTOK.v4)), max_entries=4)

    def meddle(command: str, output: Output) -> None:
        if output.text.endswith("@@done\n"):
            rig.damage("a foreign counter")

    with rig.session() as session, pytest.raises(NotVerified, match="the old state was restored"):
        rig.adapter(max_entries=4).apply(Failing(session, after=meddle), observed, change)
    assert any(group.members == DEDICATED for group in look(rig).groups)


def test_a_verified_change_stays_verified_when_the_open_flows_are_too_many_to_list(rig: Rig) -> None:
    push(rig, wish(rig))
    receipt = _apply(rig, _more(rig), command=lambda c: Unreadable("more than 64 MiB") if "conntrack -L" in c else None)
    assert receipt.flows_cut is None
    assert any("more than 64 MiB" in note for note in receipt.notes)
    assert _is_new(rig)


def test_a_gateway_with_very_many_open_flows_is_not_asked_for_them(rig: Rig, tmp_path: Path) -> None:
    """Half a million flows are a hundred megabytes: more than a session takes."""
    adapter = rig.adapter(conntrack_program="/bin/echo")
    assert isinstance(adapter, LinuxNftables)
    script = Shell(adapter.options).settle(save=False, sent=True, check_entries=True, flows=True)
    for count, answer in (("500000", "@@flows many\n"), ("5", "-L -f ipv4\n-L -f ipv6\n@@flows 0\n")):
        (tmp_path / "count").write_text(f"{count}\n", encoding="utf-8")
        said = netns.run(
            ["unshare", "-m", "sh", "-c", f"mount --bind {tmp_path}/count {CONNTRACK_COUNT} && {{ {script}\n}}"]
        )
        assert said.stdout == answer


def test_i02_folders_that_cannot_be_written_open_no_name_and_stop_no_address(rig: Rig) -> None:
    by_name = f"tcp:{SHARED.name}:443"
    push(rig, wish(rig, names=NAMES))
    assert blocked(rig, "company", by_name) == {by_name}
    assert isinstance(rig, NftablesRig)
    folders = (rig.gateway.files.state_dir, rig.gateway.files.dnsmasq_dir)
    modes = [folder.stat().st_mode for folder in folders]
    for folder in folders:
        folder.chmod(0o555)
    try:
        push(rig, _more(rig, names=NAMES))
        assert blocked(rig, "company", by_name) == {by_name}
        assert {group.name for group in look(rig).groups} >= {"dst-tiktok", "fqdn-tiktok"}
    finally:
        for folder, mode in zip(folders, modes, strict=True):
            folder.chmod(mode)
    push(rig, _more(rig, names=NAMES))
    assert holds(rig, _more(rig, names=NAMES))
