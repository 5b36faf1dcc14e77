"""One Linux firewall: a namespace with forwarding, its own OpenSSH, dnsmasq, and rules that its owner had before us.

Only the network is its own; files and users are the machine's, so each gateway keeps its files in a folder of its own.
Reached over a /30 to this machine. Two logins: ``root``, and ``tgop`` through sudo.
"""

from __future__ import annotations

import re
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab import machine, netns, processes
from lab.errors import LabError
from lab.netns import Namespace
from lab.processes import Process
from lab.workspace import Workspace

START_SECONDS: Final = 10.0
OWNER_TABLES: Final = ("inet owner_filter", "ip owner_nat")

OWNER_RULES: Final = """\
# The owner's firewall, as it was before anyone else came.
table inet owner_filter {
	comment "office firewall, do not touch"
	counter dropped_in { comment "input dropped" }
	set admins { type ipv4_addr; flags interval; elements = { 10.213.0.0/16, 192.168.77.0/24 }; }
	set talkers { type ipv4_addr; flags dynamic,timeout; size 4096; timeout 10m; }
	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		iifname "mgmt0" tcp dport 22 counter accept comment "ssh from the management network"
		tcp dport 23 counter name "dropped_in" drop
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		update @talkers { ip saddr }
		ct state established,related counter accept
		ct state invalid counter drop
		tcp dport 25 counter reject with tcp reset comment "no mail past the relay"
	}
}
table ip owner_nat {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "wan0" counter masquerade comment "office to internet"
	}
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFiles:
    """Where a gateway keeps its things on this machine."""

    folder: Path

    @property
    def state_dir(self) -> Path:
        """Stands for ``/etc/tokgate``: the operator may write here."""
        return self.folder / "etc-tokgate"

    @property
    def dnsmasq_dir(self) -> Path:
        """Stands for ``/etc/tokgate/dnsmasq.d``: the operator may write here."""
        return self.folder / "dnsmasq.d"

    @property
    def restart_dnsmasq(self) -> Path:
        """Stands for ``systemctl restart dnsmasq``."""
        return self.folder / "restart-dnsmasq"

    @property
    def ruleset(self) -> Path:
        """What our restore unit would load at boot."""
        return self.state_dir / "ruleset.nft"

    @property
    def owner_rules(self) -> Path:
        return self.folder / "owner.nft"

    @property
    def host_key(self) -> Path:
        return self.folder / "ssh_host_ed25519_key"

    @property
    def authorized_keys(self) -> Path:
        return self.folder / "authorized_keys"

    @property
    def sshd_config(self) -> Path:
        return self.folder / "sshd_config"

    @property
    def dnsmasq_config(self) -> Path:
        return self.folder / "dnsmasq.conf"

    @property
    def dnsmasq_pid(self) -> Path:
        return self.folder / "dnsmasq.pid"


@dataclass(slots=True, kw_only=True)
class Gateway:
    """One firewall of a lab. Not started by being made: call ``start``, or use ``lab.gateway.gateway``.

    ``upstream`` is the resolver its dnsmasq asks; None: it answers only what its own files say.
    """

    workspace: Workspace
    name: str
    upstream: str | None = None
    dnsmasq: bool = True
    owner_ruleset: str = OWNER_RULES
    namespace: Namespace = field(init=False)
    near: str = ""  # this machine's end of the management link; set by ``build``
    host: str = ""  # the gateway's end: where its sshd listens; set by ``build``
    port: int = 22

    @property
    def files(self) -> GatewayFiles:
        return GatewayFiles(folder=self.workspace.run_dir / self.name)

    @property
    def client_key(self) -> Path:
        """The private key that both logins accept."""
        return client_key(self.workspace)

    @property
    def host_key(self) -> str:
        """The public host key, ``ssh-ed25519 AAAA…``, as it is pinned."""
        return " ".join(Path(f"{self.files.host_key}.pub").read_text(encoding="utf-8").split()[:2])

    # --- life -------------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Make the namespace, the management link and the files; nothing runs yet."""
        self.namespace = self.workspace.namespace(self.name)
        self.near, self.host = self.workspace.connect_to_machine(self.namespace, "mgmt0")
        self.namespace.sysctl(
            net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1, net__ipv4__conf__all__rp_filter=0
        )
        self._write_files()

    def start(self) -> None:
        """Load the owner's rules, start dnsmasq and sshd; returns when both answer. Raises ``LabError``."""
        self.nft(self.files.owner_rules.read_text(encoding="utf-8"))
        if self.dnsmasq:
            self.restart_dnsmasq()
        self.start_sshd()

    def stop(self) -> None:
        """End sshd with all its sessions, and dnsmasq. The kernel's rules stay."""
        self.stop_sshd()
        self._end_named("dnsmasq")

    def reboot(self, *, persisted: bool) -> None:
        """Lose what a reboot loses: sessions, rules, connections, dnsmasq's memory. The owner's rules come back.

        ``persisted``: our own rules come back too, as ``tokgate-restore.service`` would load them, if they were saved.
        """
        self.stop()
        self.nft("flush ruleset\n")
        self.namespace.run("conntrack", "-F", check=False)
        self.nft(self.files.owner_rules.read_text(encoding="utf-8"))
        if persisted and self.files.ruleset.exists():
            self.namespace.run("nft", "-f", str(self.files.ruleset))
        if self.dnsmasq:
            self.restart_dnsmasq()
        self.start_sshd()

    # --- its programs -----------------------------------------------------------------------------------------------

    def start_sshd(self) -> None:
        """Start sshd on the management address and wait until it greets. Raises ``LabError``."""
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"  # it starts itself again by its full path
        self.workspace.spawn(
            f"{self.name}-sshd", [sshd, "-D", "-e", "-f", str(self.files.sshd_config)], namespace=self.namespace
        )
        if not processes.wait_until(self._greets, seconds=START_SECONDS):
            raise LabError(f"{self.name}: sshd does not answer: {self.workspace.log(f'{self.name}-sshd')}")

    def stop_sshd(self) -> None:
        """End the listener and every session."""
        self._end_named("sshd")
        self.workspace.pid_file(f"{self.name}-sshd").unlink(missing_ok=True)

    def programs(self) -> tuple[str, ...]:
        """Which of its programs run: ``dnsmasq``, ``sshd``."""
        return tuple(name for name in ("dnsmasq", "sshd") if self._named(name))

    def kill_sessions(self) -> int:
        """End the open sessions only, as a broken line would; returns how many processes went."""
        listener = processes.read_pid_file(self.workspace.pid_file(f"{self.name}-sshd"))
        sessions = [found for found in self._named("sshd") if listener is None or found.pid != listener.pid]
        processes.end(sessions)
        return len(sessions)

    def restart_dnsmasq(self) -> None:
        """What the restart command does, from here. Raises ``LabError``."""
        self.namespace.run(str(self.files.restart_dnsmasq))

    def change_host_key(self) -> str:
        """Give it another host key, as a reinstalled machine has; returns the new public key."""
        self.stop_sshd()
        for path in (self.files.host_key, Path(f"{self.files.host_key}.pub")):
            path.unlink()
        _make_key(self.files.host_key)
        self.start_sshd()
        return self.host_key

    # --- looking at it ----------------------------------------------------------------------------------------------

    def nft(self, text: str) -> None:
        """Load rules as the owner would, from a file. Raises ``LabError``."""
        self.namespace.run("nft", "-f", "-", stdin=text)

    def tables(self) -> tuple[str, ...]:
        """The tables that are there, ``family name``."""
        lines = self.namespace.run("nft", "list", "tables").stdout.splitlines()
        return tuple(line.removeprefix("table ") for line in lines)

    def owner_listing(self) -> str:
        """The owner's rules with handles, as the kernel holds them, without what traffic changes.

        Two equal listings: not only the same text, nothing was even made anew.
        """
        found = [self.namespace.run("nft", "-s", "-a", "list", "table", *table.split()).stdout
                 for table in OWNER_TABLES if table in self.tables()]  # fmt: skip
        return re.sub(r"(set talkers \{.*?)\t\telements = \{[^}]*\}\n", r"\1", "".join(found), flags=re.DOTALL)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _named(self, program: str) -> tuple[Process, ...]:
        found = (Process.of(pid) for pid in self.namespace.pids())
        return tuple(process for process in found if process is not None and _program(process) == program)

    def _end_named(self, program: str) -> None:
        for _ in range(3):  # a session that was just being accepted appears while we look
            found = self._named(program)
            if not found:
                return
            processes.end(found)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.settimeout(1)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _write_files(self) -> None:
        files = self.files
        files.folder.mkdir(mode=0o755)
        for folder in (files.state_dir, files.dnsmasq_dir):
            folder.mkdir(mode=0o755)
            shutil.chown(folder, user=machine.OPERATOR)
        files.owner_rules.write_text(self.owner_ruleset, encoding="utf-8")
        _make_key(files.host_key)
        files.authorized_keys.write_text(Path(f"{self.client_key}.pub").read_text(encoding="utf-8"), encoding="utf-8")
        files.sshd_config.write_text(_sshd_config(files, host=self.host, port=self.port), encoding="utf-8")
        files.dnsmasq_config.write_text(_dnsmasq_config(files, self.upstream), encoding="utf-8")
        files.restart_dnsmasq.write_text(_restart_script(files), encoding="utf-8")
        files.restart_dnsmasq.chmod(0o755)


def gateway(workspace: Workspace, name: str, *, upstream: str | None = None, dnsmasq: bool = True) -> Gateway:
    """A gateway that runs."""
    made = Gateway(workspace=workspace, name=name, upstream=upstream, dnsmasq=dnsmasq)
    made.build()
    made.start()
    return made


def client_key(workspace: Workspace) -> Path:
    """The lab's one login key; made when missing."""
    path = workspace.folder("keys") / "id_ed25519"
    if not path.exists():
        _make_key(path)
    return path


def _make_key(path: Path) -> None:
    netns.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tokgate-lab", "-f", str(path)])


def _program(process: Process) -> str:
    """``sshd`` for a listener and for its sessions, whose command line begins ``sshd: user``."""
    return Path(process.command.split(" ")[0].rstrip(":")).name


def _sshd_config(files: GatewayFiles, *, host: str, port: int) -> str:
    # Without PAM no session manager of the machine is involved; but then sshd itself refuses accounts that are locked.
    use_pam = "yes" if _root_is_locked() else "no"
    # A shell started by sshd would source the user's start-up files: not at level 5.
    config = f"""\
ListenAddress {host}
Port {port}
HostKey {files.host_key}
PidFile none
AuthorizedKeysFile {files.authorized_keys}
StrictModes no
PermitRootLogin prohibit-password
AllowUsers root {machine.OPERATOR}
PubkeyAuthentication yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM {use_pam}
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
MaxStartups 200:30:400
MaxSessions 20
SetEnv SHLVL=5
LogLevel INFO
Subsystem sftp internal-sftp
"""
    return config + _no_penalties(config)


def _no_penalties(config: str) -> str:
    """OpenSSH 9.8 and later shuts out sources that fail too often; the tests of wrong passwords are such a source."""
    line = "PerSourcePenalties no\n"
    draft = "/dev/stdin"
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    return line if netns.run([sshd, "-t", "-f", draft], stdin=config + line, check=False).returncode == 0 else ""


def _root_is_locked() -> bool:
    return netns.run(["getent", "shadow", "root"]).stdout.split(":")[1].startswith("!")


def _dnsmasq_config(files: GatewayFiles, upstream: str | None) -> str:
    server = f"server={upstream}\n" if upstream else "local=/#/\n"
    return f"""\
# The owner's dnsmasq.
port=53
no-resolv
no-hosts
bind-dynamic
user=root
cache-size=1000
pid-file={files.dnsmasq_pid}
conf-dir={files.dnsmasq_dir},*.conf
{server}"""


def _restart_script(files: GatewayFiles) -> str:
    dnsmasq = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
    return f"""\
#!/bin/sh
# Restart this gateway's dnsmasq, in whatever network namespace the caller lives. Refuses a broken configuration.
set -eu
{dnsmasq} --test --conf-file={files.dnsmasq_config} >/dev/null
if [ -s {files.dnsmasq_pid} ]; then
	old=$(cat {files.dnsmasq_pid})
	case "$(tr '\\0' ' ' </proc/"$old"/cmdline 2>/dev/null || true)" in
	*{files.dnsmasq_config}*)
		kill "$old" || true
		i=0
		# One that ends gives up its memory, and with it its command line, before its sockets. A zombie has neither.
		while grep -q '^State:.[^ZX]' /proc/"$old"/status 2>/dev/null && [ $i -lt 500 ]; do
			sleep 0.02
			i=$((i + 1))
		done
		;;
	esac
	rm -f {files.dnsmasq_pid}
fi
exec {dnsmasq} --conf-file={files.dnsmasq_config}
"""
