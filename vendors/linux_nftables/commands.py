"""The shell texts that run on a gateway. Fixed words, paths from the allow-listed options, nothing that a user typed.

Pure. Bulk goes in through stdin, never on a command line. Statuses tell which part failed, because a shell is the only
witness of what happened between check and load.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from vendors.linux_nftables.options import LinuxNftablesOptions
from vendors.linux_nftables.shape import TABLE

ENTRIES: Final = "# entries\n"
"""Parts a change: structure before it, elements after it."""

NO_TEMP, NOT_SENT, CHECK_REFUSED, LOAD_REFUSED, NOT_MOVED, LOAD_CRASHED = 90, 91, 92, 93, 94, 95
SAVED_MARK: Final = "# tokgate desired="
LOCALE: Final = "export LC_ALL=C TZ=UTC PATH=/usr/sbin:/usr/bin:/sbin:/bin"
IN_BLOCKS: Final = "dd ibs=64k obs=256k 2>/dev/null"
"""nft prints in pieces of a few hundred bytes. Sent as they come, 100,000 entries cost a second of unpacking here."""
CONNTRACK_COUNT: Final = "/proc/sys/net/netfilter/nf_conntrack_count"
FLOWS_UP_TO: Final = 100_000
"""A listed flow is 200 bytes and more: the flows of a gateway with very many do not fit in one answer."""
_SUDO: Final = {None: 'SU=; [ "$(id -u)" = 0 ] || SU="sudo -n"', True: 'SU="sudo -n"', False: "SU="}


@dataclass(frozen=True, slots=True)
class Shell:
    """Commands for one gateway; whether they need sudo is asked of the shell that runs them."""

    options: LinuxNftablesOptions

    @property
    def start(self) -> str:
        """The first line of every command: no translation, UTC, and ``$SU`` for what needs root."""
        return f"{LOCALE}\n{_SUDO[self.options.sudo]}"

    @property
    def nft(self) -> str:
        return f"$SU {self.options.nft}"

    @property
    def conntrack(self) -> str:
        return f"$SU {self.options.conntrack_program}"

    @property
    def new_ruleset(self) -> str:
        return f"{self.options.ruleset_path}.new"

    @property
    def new_dns(self) -> str:
        return f"{self.options.state_dir}/dnsmasq.new"

    def read(self) -> str:
        """Everything a plan needs, in one command; ``parse.observed_from`` reads what it prints."""
        saved = self.options.ruleset_path
        return "\n".join(
            [
                self.start,
                'echo "@@boot $(cat /proc/sys/kernel/random/boot_id)"',
                'echo "@@netns $(readlink /proc/self/ns/net)"',
                'echo "@@unit $(systemctl is-enabled tokgate-restore.service 2>/dev/null | head -n 1)"',
                f'test -x {self.options.conntrack_program} && echo "@@conntrack yes" || echo "@@conntrack no"',
                self._ask_dnsmasq(),
                f"if [ ! -w {self.options.state_dir} ]; then echo '@@saved unwritable'",
                f"elif [ ! -s {saved} ]; then echo '@@saved none'",
                f'else echo "@@saved $(head -n 1 {saved} | sed -n "s/^{SAVED_MARK}//p")"; fi',
                f'echo "@@stamp $(cat {self.options.stamp_path} 2>/dev/null)"',
                "echo '@@dns'",
                self._show_dns(),
                "echo '@@ruleset'",
                f"E=$({self.nft} -a -s list ruleset 2>&1 >&3)",
                'S=$?; echo "@@nft $S"; [ -z "$E" ] || printf "%s\\n" "$E" | sed "s/^/ /"',
                "echo '@@end'",
            ]
        ).join(("{ ", f"\n}} 3>&1 | {IN_BLOCKS}"))

    def _ask_dnsmasq(self) -> str:
        dnsmasq = self.options.dnsmasq
        if dnsmasq is None:
            return "echo '@@dnsmasq off'"
        return (
            f"if [ ! -x {dnsmasq.program} ]; then echo '@@dnsmasq none'\n"
            f"elif [ ! -w {dnsmasq.conf_dir} ]; then echo '@@dnsmasq dir'\n"
            f"elif {dnsmasq.program} --version | grep -q ' nftset'; then echo '@@dnsmasq yes'\n"  # not `no-nftset`
            "else echo '@@dnsmasq old'; fi"
        )

    def _show_dns(self) -> str:
        path = self.options.dns_path
        return f"[ ! -e {path} ] || sed 's/^/ /' {path}" if path else ":"

    def load(self, *, check_entries: bool, keep: bool, dns: bool, forget_stamp: bool) -> str:
        """Take a change on stdin, check it, load it as one transaction, then put the new dnsmasq file in place.

        ``keep``: the change is the whole table, so a copy of it is what ``settle`` keeps for the next boot.

        Without ``check_entries`` only what stands before ``ENTRIES`` is checked first. The kernel takes all of the
        change or nothing of it either way.
        """
        checked = '"$F"' if check_entries else '"$F.head"'
        head = "" if check_entries else f'sed "/^{ENTRIES.strip()}$/q" "$F" > "$F.head" || exit {NOT_SENT}\n'
        return (
            f"{self.start}\n"
            f'F=$(mktemp) || exit {NO_TEMP}\ntrap \'rm -f "$F" "$F.head"\' EXIT\n'
            f'cat > "$F" || exit {NOT_SENT}\n'
            f'[ "$(tail -n 1 "$F")" = "# end" ] || exit {NOT_SENT}\n'
            f"{head}"
            f"{self.nft} -c -f {checked} || exit {CHECK_REFUSED}\n"
            + (f"rm -f {self.options.stamp_path}\n" if forget_stamp else "")
            # nft that is killed or crashes may have loaded the change or not; one that says no has not
            + f'{self.nft} -f "$F" || {{ [ $? -lt 128 ] && exit {LOAD_REFUSED}; exit {LOAD_CRASHED}; }}\n'
            + (f'cat "$F" > {self.new_ruleset}\n' if keep else "")
            + (f"mv -f {self.new_dns} {self.options.dns_path} || exit {NOT_MOVED}\n" if dns else "")
            + "echo '@@done'"
        )

    def check_dns(self) -> str:
        """Whether dnsmasq would take the new file; changes nothing."""
        program = self.options.dnsmasq.program if self.options.dnsmasq else "/bin/false"
        return f"{self.start}\n{program} --test --conf-file={self.new_dns}"

    def restart_dns(self, digest: str) -> str:
        """Restart dnsmasq, which empties its cache: answers that it remembers feed no set. Then say for which file."""
        command = self.options.dnsmasq.restart if self.options.dnsmasq else "/bin/false"
        return f"{self.start}\n$SU {command} && printf %s {digest} > {self.options.stamp_path}"

    def counters(self) -> str:
        """Boot, namespace and the whole table with counters, in one command."""
        return (
            f'{self.start}\necho "@@boot $(cat /proc/sys/kernel/random/boot_id)"\n'
            f'echo "@@netns $(readlink /proc/self/ns/net)"\necho "@@now $(date +%s.%N)"\necho "@@json"\n'
            f"exec 3>&1\nS=$({{ {{ {self.nft} -j list table {TABLE}; echo $? >&4; }} | {IN_BLOCKS} >&3; }} 4>&1)\n"
            "[ $S = 0 ] || exit $S\necho '@@end'"
        )

    def whole(self) -> str:
        """Every rule of every table, as ``oracle.ruleset_from`` reads it, and whether iptables has others. Reads only.

        Tables of iptables' own kind are told by name to root, and to others by the modules that are loaded.
        """
        return (
            f"{self.start}\n"
            "if [ -r /proc/net/ip_tables_names ]; then "
            "L=$(cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null | tr '\\n' ' ')\n"
            "else L=$(grep -oE '^ip6?table_(filter|mangle|raw|nat|security)' /proc/modules | tr '\\n' ' '); fi\n"
            'echo "@@legacy $L"\necho "@@json"\n'
            f"exec 3>&1\nS=$({{ {{ {self.nft} -j list ruleset; echo $? >&4; }} | {IN_BLOCKS} >&3; }} 4>&1)\n"
            "[ $S = 0 ] || exit $S\necho '@@end'"
        )

    def settle(self, *, save: bool, sent: bool, check_entries: bool, flows: bool) -> str:
        """After a verified change: keep the new ruleset for the next boot if nft takes it, and list the open flows.

        The ruleset comes on stdin unless it was ``sent`` before: then nft has just taken it. What it says:
        ``@@saved STATUS`` after nft's words, ``@@flows STATUS`` after conntrack's list of both families. A list that is
        too long is not made: ``@@flows many``.
        """
        new, kept = self.new_ruleset, self.options.ruleset_path
        take = "" if sent else f"cat > {new} && "
        checked = f"cat {new}" if check_entries else f'sed "/^{ENTRIES.strip()}$/q" {new}'
        check = "" if sent else f"{checked} | {self.nft} -c -f - && "
        keep = (
            f'{{ {take}[ "$(tail -n 1 {new})" = "# end" ] && {check}'
            f"{{ sync {new} 2>/dev/null || sync; }} && mv -f {new} {kept}; }} 2>&1\n"
            'echo "@@saved $?"\n'
        )
        show = f'S=0; [ "$(cat {CONNTRACK_COUNT} 2>/dev/null || echo 0)" -le {FLOWS_UP_TO} ] || S=many\n' + "".join(
            f'[ "$S" = many ] || {self.conntrack} -L -f {f} 2>/dev/null || S=$?\n' for f in ("ipv4", "ipv6")
        )
        return f"{self.start}\n" + (keep if save else "") + (f'{show}echo "@@flows $S"\n' if flows else "")

    def cut_flows(self) -> str:
        """End the flows that come on stdin, a line each: family protocol source destination sport dport."""
        return (
            f"{self.start}\nN=0\nwhile read -r F P S D A B; do\n"
            f'{self.conntrack} -D -f "$F" -p "$P" -s "$S" -d "$D" --sport "$A" --dport "$B" >/dev/null 2>&1 '
            '&& N=$((N+1))\ndone\necho "@@cut $N"'
        )

    def undo_files(self) -> str:
        """Drop what was prepared and not used."""
        return f"rm -f {shlex.quote(self.new_ruleset)} {shlex.quote(self.new_dns)}"
