"""Everything that is not configuring: ``show``, ``get``, ``diagnose``, ``execute``.

Each answers as the vendor's references, articles and the public captures show it; a command whose output no public
source shows is refused as unknown rather than invented, unless it says *likely*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from lab.emulators.fortios import answers, feeds, printing, status
from lab.emulators.fortios.answers import Refusal
from lab.emulators.fortios.config import GLOBAL, Config, Key, value_of
from lab.emulators.fortios.editing import Editor, InEntry, InTable
from lab.emulators.fortios.forwarding import (
    PROTOCOLS,
    Bound,
    Counter,
    Session,
    SessionFilter,
    family_path,
    meets,
)
from lab.emulators.fortios.schema import FEED, INTERFACE, Table
from lab.emulators.fortios.switches import TransactionWords
from lab.emulators.fortios.transactions import Transaction
from lab.emulators.fortios.words import Words
from lab.emulators.traffic import Flow

if TYPE_CHECKING:
    from lab.emulators.fortios.device import FortiGate

_FORWARD_GROUPS: Final = ("100004", "00100004")
_SESSION_FILTERS: Final = {
    "vd": "vd",
    "proto": "proto",
    "src": "source ip",
    "dst": "dest ip",
    "sport": "source port",
    "dport": "dest port",
    "policy": "policy id",
}
"""By the word that sets one, how it is shown (community article 191368)."""
_LOG_FIELDS: Final = ("policyid", "action", "srcip", "dstip", "dstport")
_LOG_DEVICES: Final = ("memory", "disk", "fortianalyzer", "forticloud")
REBOOT: Final = f"This operation will reboot the system !\n{answers.CONTINUE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something to be answered with one key before it is done."""

    text: str
    then: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A login on another unit, from here."""

    box: FortiGate
    user: str


@dataclass(slots=True)
class LogView:
    """What ``execute log filter`` of this session says."""

    device: str = "memory"
    category: str = "traffic"
    view_lines: int = 10
    start: int = 1
    fields: dict[str, str] = field(default_factory=dict)


class Shell:
    """What one session can ask for."""

    def __init__(self, box: FortiGate, user: str, editor: Editor) -> None:
        self.box, self.user, self.editor = box, user, editor
        self.log = LogView()
        self._filter: SessionFilter = {}

    def run(self, words: Words) -> str | Question | Visit | None:
        """Do it. None: the word is unknown here."""
        match words[0]:
            case "show":
                return self.show(words[1:])
            case "get":
                return self.get(words[1:])
            case "diagnose" if self.editor.shell:
                return self._diagnose(words[1:])
            case "execute" if self.editor.shell:
                return self._execute(words[1:])
            case "sudo" if self._is_global() and self.box.switches.sudo:
                return self._sudo(words[1:])
        return None

    def _is_global(self) -> bool:
        return self.editor.shell and self.box.multi and self.editor.vdom == GLOBAL

    def _sudo(self, words: Words) -> str | Question | Visit | None:
        """Likely: one command in another vdom, from global."""
        if len(words) < 2:
            raise answers.incomplete()
        if words[0] not in self.editor.view.vdoms:
            raise answers.no_such(words[0])
        inner = Editor(self.box, self.editor.admin)
        inner.run(("config", "vdom"))
        inner.run(("edit", words[0]))
        return Shell(self.box, self.user, inner).run(words[1:])

    # --- show and get ---------------------------------------------------------------------------------------------

    def show(self, words: Words) -> str:
        full = words[:1] == ("full-configuration",)
        rest = words[1:] if full else words
        if not self.editor.shell:
            return _text(self._show_inside(rest, full=full))
        if not rest:
            return _text(self._show_all(full=full))
        kept = self.box.kept.get(("root" if self.editor.vdom is None else self.editor.vdom, " ".join(rest)))
        if kept is not None:
            return f"{kept}\n"
        table, names = self.editor.table_at(rest)
        return _text(self._show_table(table, names, full=full))

    def _show_inside(self, rest: Words, *, full: bool) -> Iterator[str]:
        frame = self.editor.frame
        if isinstance(frame, InTable) and rest:
            return self._show_table(frame.table, rest, full=full)
        here = self.editor.show_here(full=full)
        if here is None or rest:
            raise answers.unknown_word(rest[0] if rest else "show")
        return here

    def _show_table(self, table: Table, names: Words, *, full: bool) -> Iterator[str]:
        vdom, only = self._only(table, names)
        return printing.table_lines(self.editor.view, vdom, table, full=full, only=only, salt=self.box.salt())

    def _only(self, table: Table, names: Words) -> tuple[str, str | None]:
        vdom = self.editor.place(table)
        assert vdom is not None
        if not names:
            return vdom, None
        if table.key is None or len(names) > 1:
            raise answers.unknown_word(names[-1])
        if names[0] not in self.editor.view.entries(vdom, table.path):
            raise answers.no_such(names[0])
        return vdom, names[0]

    def _show_all(self, *, full: bool) -> Iterator[str]:
        view, salt = self.editor.view, self.box.salt()
        if self.box.multi and self.editor.vdom is not None:
            return printing.scope_lines(view, self.editor.vdom, self.box.kept, full=full, salt=salt)
        return printing.whole_lines(view, self._header(view), self.box.kept, multi=self.box.multi, full=full, salt=salt)

    def _header(self, view: Config) -> Iterator[str]:
        """The four lines that a whole configuration begins with (captured 6.4.4 and 7.4.8)."""
        model = self.box.model
        release = f"{model.code}-{model.text}-FW-build{model.build:04}-{model.date}"
        yield f"#config-version={release}:opmode=0:vdom={int(self.box.multi)}:user={self.user}"
        yield f"#conf_file_ver={2_841_660_000_000_000 + len(view.vdoms)}"
        yield f"#buildno={model.build:04}"
        yield "#global_vdom=1"

    def get(self, words: Words) -> str:
        match words:
            case ():
                return _text(self._get_here())
            case ("system", "status"):
                return _text(status.system_status(self.box.facts(self.editor.vdom)))
            case ("system", "ha", "status") if self.editor.vdom in (GLOBAL, None) or not self.box.multi:
                facts, members = self.box.facts(self.editor.vdom), self.box.members()
                return _text(status.ha_status(facts, members, synced=self.box.synced))
        if not self.editor.shell:
            raise answers.unknown_word(words[0])
        table, names = self.editor.table_at(words)
        return _text(self._get_table(table, names))

    def _get_table(self, table: Table, names: Words) -> Iterator[str]:
        vdom, only = self._only(table, names)
        entries = self.editor.view.entries(vdom, table.path)
        if table.key is None:
            return printing.get_entry(table, "", entries.get("", {}))
        if only is not None:
            return printing.get_entry(table, only, entries[only])
        return printing.get_table(self.editor.view, vdom, table)

    def _get_here(self) -> Iterator[str]:
        match self.editor.frame:
            case InTable(table=table, vdom=vdom):
                return printing.get_table(self.editor.view, vdom, table)
            case InEntry(table=table, key=key, draft=draft):
                return printing.get_entry(table, key.name, draft)
        raise answers.incomplete()

    # --- diagnose -------------------------------------------------------------------------------------------------

    def _diagnose(self, words: Words) -> str:
        match words:
            case ("firewall", "iprope" | "iprope6" as which, verb, *rest):
                return self._iprope(6 if which.endswith("6") else 4, verb, tuple(rest))
            case ("sys", "session", *rest):
                return self._session(tuple(rest))
            case ("sys", "external-resource", "stats"):
                return _text(self._feed_stats())
            case ("sys", "external-address-resource", "list", name):
                return _text(self._feed_list(name))
            case ("sys", "cmdb", "refcnt", "show", what, *name):
                return self._references(what, tuple(name))
            case ("sys", "checkused", what, *name):
                return self._references(what, tuple(name))
            case ("sys", "config-transaction", *rest) if self.box.model.workspace:
                return self._transactions(tuple(rest))
        raise _unknown(words, self._known(_DIAGNOSE))

    def _known(self, commands: tuple[str, ...]) -> tuple[str, ...]:
        """Those of this release."""
        workspace = self.box.model.workspace
        return tuple(at for at in commands if workspace or "config-transaction" not in at)

    def _vdom(self, word: str) -> str:
        """Commands of a vdom are not known outside of one."""
        vdom = self.editor.vdom
        if vdom in (None, GLOBAL):
            raise answers.unknown_word(word)
        assert vdom is not None
        return vdom

    def _iprope(self, family: int, verb: str, rest: Words) -> str:
        """Counters of the forward policies; an id that does not exist prints nothing (likely)."""
        vdom = self._vdom("firewall")
        if verb == "lookup" and family == 4:
            return self._lookup(vdom, rest)
        if verb not in ("show", "clear"):
            raise answers.unknown_word(verb)
        if not rest or (verb == "show" and len(rest) < 2):
            raise answers.incomplete()
        if rest[0] not in _FORWARD_GROUPS:
            raise answers.unknown_word(rest[0])
        for word in rest[1:]:
            if not (word.isascii() and word.isdigit()):
                raise answers.bad_number(word)
        if verb == "clear":
            return self._clear_counters(vdom, family, rest[1:])
        return _text(line for name in rest[1:] for line in self._counter(vdom, family, name))

    def _lookup(self, vdom: str, rest: Words) -> str:
        """Which policy a connection would meet (community articles 192912, 195435). It is not counted.

        The protocol is told back as it was typed in one article, by its name in the other.
        """
        if len(rest) < 6:
            raise answers.incomplete()
        if len(rest) > 6:
            raise answers.unknown_word(rest[6])
        source, source_port, destination, port, protocol, device = rest
        name = _PROTOCOL_NAMES.get(protocol, protocol)
        if name not in ("tcp", "udp"):
            raise answers.unknown_word(protocol)
        if device not in self.box.config.entries(GLOBAL, INTERFACE):  # its own words are on no record
            raise answers.unknown_word(device)
        flow = Flow(
            source=_v4(source),
            destination=_v4(destination),
            protocol=name,
            port=_number(port, 0, 65_535),
            source_port=_number(source_port, 0, 65_535),
            inside=device,
            outside=self.box.exit,
        )
        shown = protocol if self.box.switches.lookup_echoes_protocol else name
        ends = f"src [{source}-{source_port}] dst [{destination}-{port}] proto {shown} dev {device}"
        return f"<{ends}> matches policy id: {self.box.lookup(flow, vdom=vdom)}\n"

    def _counter(self, vdom: str, family: int, name: str) -> Iterator[str]:
        path = family_path(self.box.config, family)
        if name != "0" and name not in self.box.config.entries(vdom, path):
            return iter(())
        counter = self.box.counters.get((vdom, family, name), Counter())
        open_ = self.box.sessions.of(vdom, family, name)
        return status.counter_lines(self.box.model.version, name, counter, established=open_, now=self.box.now())

    def _clear_counters(self, vdom: str, family: int, names: Words) -> str:
        gone = [key for key in self.box.counters if key[:2] == (vdom, family) and (not names or key[2] in names)]
        for key in gone:
            del self.box.counters[key]
        quiet = self.box.switches.clear_prints_nothing
        return "" if quiet else "".join(f"clear policy {key[2]} counters\n" for key in gone)

    def _session(self, words: Words) -> str:
        """``filter`` first: ``clear`` without one ends every session of the box."""
        match words:
            case ("filter",):
                return _text(self._filter_lines())
            case ("filter", "clear"):
                self.session_filter.clear()
            case ("filter", name, *values) if name in _SESSION_FILTERS and 1 <= len(values) <= 2:
                if not self.box.filter_ignored:
                    self.session_filter[name] = _filter_values(name, tuple(values))
            case ("filter", name, *_) if name not in _SESSION_FILTERS:
                raise answers.unknown_word(name)
            case ("list",):
                return _text(self._session_lines())
            case ("clear",):
                if not self.editor.admin.writes:
                    raise answers.denied()
                self.box.sessions.clear(self._sessions())
            case ("clear", extra, *_):
                raise answers.unknown_word(extra)
            case (verb, *_) if verb not in ("filter", "clear", "list"):
                raise answers.unknown_word(verb)
            case _:
                raise answers.incomplete()
        return ""

    @property
    def session_filter(self) -> SessionFilter:
        """Whether each command line has its own is on no record."""
        return self.box.session_filter if self.box.switches.session_filter_shared else self._filter

    def _sessions(self) -> list[Session]:
        """Those that all filters meet; without a filter, every one of the box, in whichever vdom this is typed."""
        vdoms = list(self.box.config.vdoms)
        return [at for at in self.box.sessions.all() if meets(at, vdoms.index(at.vdom), self.session_filter)]

    def _filter_lines(self) -> Iterator[str]:
        yield "session filter:"
        shown = {_SESSION_FILTERS[name]: f"{low}-{high}" for name, (low, high) in self.session_filter.items()}
        if "vd" in self.session_filter and not self.box.switches.session_vdom_range:
            shown["vd"] = str(self.session_filter["vd"][0])
        for key in (
            "vd", "sintf", "dintf", "proto", "proto-state", "source ip", "NAT'd source ip", "dest ip", "source port",
            "NAT'd source port", "dest port", "policy id", "expire", "duration", "state1", "state2",
        ):  # fmt: skip
            yield f"\t{key}: {shown.get(key, 'any')}"

    def _session_lines(self) -> Iterator[str]:
        """What the guides and community articles show of each; of IPv4 alone (``session6`` is not emulated)."""
        found = [at for at in self._sessions() if at.family == 4]
        vdoms = list(self.box.config.vdoms)
        for at in found:
            flow = at.flow
            ends = f"{flow.source}:{flow.source_port}->{flow.destination}:{flow.port}"
            back = f"{flow.destination}:{flow.port}->{flow.source}:{flow.source_port}"
            seconds = int((self.box.now() - at.began).total_seconds())
            yield ""
            yield (
                f"session info: proto={PROTOCOLS.get(flow.protocol, '0')} proto_state=01 duration={seconds} "
                "expire=3594 timeout=3600 flags=00000000 sockflag=00000000 sockport=0 av_idx=0 use=4"
            )
            yield from ("origin-shaper=", "reply-shaper=", "per_ip_shaper=")
            yield "class_id=0 ha_id=0 policy_dir=0 tunnel=/ vlan_cos=0/255"
            yield "state=may_dirty"
            yield f"statistic(bytes/packets/allow_err): org={flow.octets}/{flow.packets}/1 reply=0/0/0 tuples=2"
            yield "orgin->sink: org pre->post, reply pre->post dev=11->24/24->11 gwy=0.0.0.0/0.0.0.0"
            yield f"hook=pre dir=org act=noop {ends}(0.0.0.0:0)"
            yield f"hook=post dir=reply act=noop {back}(0.0.0.0:0)"
            yield "pos/(before,after) 0/(0,0), 0/(0,0)"
            yield (
                f"misc=0 policy_id={at.policy} auth_info=0 chk_client_info=0 vd={vdoms.index(at.vdom)} "
                f"serial={at.number:08x} tos=ff/ff app_list=0 app=0 url_cat=0"
            )
        yield f"total session {len(found)}"

    def _feed_stats(self) -> Iterator[str]:
        """One line for each list (community article 378964)."""
        fitting = self.box.feeds.usable(self.box.config, self.box.model)
        for key, entry in feeds.configured(self.box.config):
            feed = self.box.feeds.by_key.get(key)
            if feed is not None and self._visible(key):
                kind = value_of(self.box.config.schema[FEED], entry, "type")[0]
                yield self._feed_line(key, feed, kind, fitting.get(key, feeds.Fit()).count)

    def _visible(self, key: Key) -> bool:
        return not self.box.multi or self.editor.vdom in (GLOBAL, key.vdom)

    def _feed_line(self, key: Key, feed: feeds.Feed, kind: str, room: int) -> str:
        loaded = feed.loaded or feeds.Loaded()
        method = value_of(self.box.config.schema[FEED], feed.entry, "update-method") or ("feed",)
        buildable = room + loaded.others
        tail = " ranges: 0;" if kind == "address" else ""
        return (
            f"name: {key.name} ; uuid_idx: {feed.index}; type: {kind}; update_method: {method[0]}; "
            f"truncated total lines: {loaded.valid + loaded.errors}; valid lines: {loaded.valid}; "
            f"error lines: {loaded.errors}; used: {'yes' if self.box.config.users(key) else 'no'}; "
            f"buildable: {buildable}; total in count file: {loaded.valid};{tail}"
        )

    def _feed(self, name: str) -> Key:
        """A list of this vdom or of all; likely in its words when there is none."""
        for vdom in ("root" if self.editor.vdom is None else self.editor.vdom, GLOBAL):
            key = Key(vdom=vdom, path=FEED, name=name)
            if key in self.box.feeds.by_key:
                return key
        raise answers.no_such(name)

    def _feed_list(self, name: str) -> Iterator[str]:
        """The addresses of a list, as ranges."""
        key = self._feed(name)
        feed = self.box.feeds.by_key[key]
        fitting = self.box.feeds.usable(self.box.config, self.box.model).get(key, feeds.Fit())
        for family in (4, 6):
            spans = fitting.spans.get(family, ())
            if spans or family == 4:
                yield f"IPv{family} ranges of uuid-idx {feed.index} (num={len(spans)})"
            yield from (f"{_address(low, family)}-{_address(high, family)}" for low, high in spans)

    def _references(self, what: str, name: Words) -> str:
        """``firewall.address.name X``: who uses it."""
        parts = what.rsplit(".", 1)
        path = parts[0].replace(".", " ")
        table = self.editor.view.schema.get(path)
        if table is None or len(parts) < 2 or parts[1] != table.key:
            raise answers.unknown_word(what)
        if len(name) != 1:
            raise answers.incomplete()
        vdom = self.editor.place(table) or "root"
        users = self.editor.view.users(Key(vdom=vdom, path=path, name=name[0]))
        return _text(self._user(user) for user in users)

    def _user(self, user: Key) -> str:
        table = self.editor.view.schema[user.path]
        return f"entry used by table {user.path.replace(' ', '.')}:{table.key} '{user.name}'"

    def _transactions(self, words: Words) -> str:
        """Likely: the views are documented, what they print is not; this prints the ids that are open."""
        match words:
            case ("status",) | ("show", "txn-meta" | "txn-info" | "txn-entity" | "txn-lock"):
                return _text(f"config transaction id={number}" for number in self.box.transactions)
            case () | ("show",):
                raise answers.incomplete()
        raise answers.unknown_word(words[-1])

    # --- execute --------------------------------------------------------------------------------------------------

    def _execute(self, words: Words) -> str | Question | Visit:
        match words:
            case ("reboot",):
                self._may_write()
                return Question(text=REBOOT, then=self.box.reboot)
            case ("config-transaction", verb, *rest) if self.box.model.workspace:
                self._may_write()
                return self._transact(verb, tuple(rest))
            case ("ha", "manage", *rest) if self.box.model.version >= (6, 2, 0):
                return self._manage(tuple(rest))
            case ("cfg", "save"):
                self._may_write()
                self.box.save()
                return ""
            case ("log", "filter", *rest):
                return self._log_filter(tuple(rest))
            case ("log", "display"):
                return self._log_display()
            case ("update-external-resource", name) if self.box.model.version >= (8, 0, 0):
                return self._update_feed(name)
        raise _unknown(words, self._known(_EXECUTE))

    def _may_write(self) -> None:
        if not self.editor.admin.writes:
            raise answers.denied()

    def _manage(self, rest: Words) -> Visit:
        """To another unit, with a password that is asked for there (community article 198142).

        Refused as in a public transcript: ``Could not manage member 0, num=2.``
        """
        if len(rest) < 2:
            raise answers.incomplete()
        peer = self.box.peer
        index = "" if peer is None else self.box.index_of(peer)
        if peer is None or rest[0] != index:
            raise Refusal(f"Could not manage member {rest[0]}, num={1 if peer is None else 2}.\n")
        return Visit(box=peer, user=rest[1])

    def _transact(self, verb: str, rest: Words) -> str:
        match verb:
            case "start":
                self._start(rest)
            case "commit":
                self.box.commit(self._mine())
                self.editor.transaction = None
            case "abort":
                self.box.end_transaction(self._mine())
                self.editor.transaction = None
            case _:
                raise answers.unknown_word(verb)
        wordy = self.box.switches.transaction_words is TransactionWords.WORDY
        return f"config transaction {verb} succeeded\n" if wordy else ""

    def _start(self, rest: Words) -> None:
        """Minutes, 1 to 60, 5 unless said otherwise; refused when one is open (likely)."""
        minutes = rest[0] if rest else "5"
        if not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes) <= 60):
            raise answers.bad_number(minutes)
        if self.editor.transaction is not None:
            raise answers.failed(1, "config transaction already started")
        self.editor.transaction = self.box.start_transaction(int(minutes))

    def _mine(self) -> Transaction:
        """Likely in its words: there is none to commit or to abort."""
        if self.editor.transaction is None:
            raise answers.failed(1, "config transaction not started")
        return self.editor.transaction

    def _update_feed(self, name: str) -> str:
        key = self._feed(name)
        self.box.feeds.refresh(key, self.box.clock.monotonic())
        self.box.tick()
        return ""

    # --- the log --------------------------------------------------------------------------------------------------

    def _log_filter(self, words: Words) -> str:
        match words:
            case ("reset",):
                self.log = LogView()
            case ("device", device) if device in _LOG_DEVICES:
                self.log.device = device
            case ("category", "traffic" | "0"):
                self.log.category = "traffic"
            case ("field", name, value) if name in _LOG_FIELDS:
                self.log.fields[name] = value
            case ("view-lines", count):
                self.log.view_lines = _number(count, 5, 1000)
            case ("start-line", line):
                self.log.start = _number(line, 1, 4_294_967_295)
            case () | ("device" | "category" | "field" | "view-lines" | "start-line",) | ("field", _):
                raise answers.incomplete()
            case _:
                raise answers.unknown_word(words[-1])
        return ""

    def _log_display(self) -> str:
        """The newest first, so many lines; the next call goes on where this one ended (ntc-templates)."""
        found = self._logged()
        shown = found[self.log.start - 1 :][: self.log.view_lines]
        searched = min(self.log.start - 1 + len(shown), len(found))
        more = searched < len(found)
        head = f"{len(found)} logs found.\n{len(shown)} logs returned.\n"
        if more:
            head += f"{100 * searched / len(found):.1f}% of logs has been searched.\n"
        lines = "\n".join(f"{at}: {line}\n" for at, line in enumerate(shown, self.log.start))
        self.log.start += len(shown) if more else 0
        return f"{head}\n{lines}"

    def _logged(self) -> list[str]:
        """This box has no log but the one in memory."""
        if self.log.device != "memory":
            return []
        wanted = self.log.fields
        return [line for fields, line in reversed(self.box.log) if wanted.items() <= fields.items()]


_PROTOCOL_NAMES: Final = {"6": "tcp", "17": "udp"}
_DIAGNOSE: Final = (
    "firewall iprope lookup",
    "firewall iprope show",
    "firewall iprope clear",
    "firewall iprope6 show",
    "firewall iprope6 clear",
    "sys session",
    "sys external-resource stats",
    "sys external-address-resource list",
    "sys cmdb refcnt show",
    "sys checkused",
    "sys config-transaction",
)
_EXECUTE: Final = ("reboot", "config-transaction", "cfg save", "log filter", "log display", "ha manage")


def _unknown(words: Words, known: tuple[str, ...]) -> Refusal:
    """The first word that leads nowhere; if every word leads on, there are too few."""
    for length in range(1, len(words) + 1):
        start = " ".join(words[:length])
        if not any(f"{path} ".startswith(f"{start} ") for path in known):
            return answers.unknown_word(words[length - 1])
    return answers.incomplete()


def _number(word: str, low: int, high: int) -> int:
    if not (word.isascii() and word.isdigit() and low <= int(word) <= high):
        raise answers.bad_number(word)
    return int(word)


def _v4(word: str) -> IPv4Address:
    try:
        return IPv4Address(word)
    except ValueError:
        raise answers.bad_address(word) from None


def _filter_values(name: str, given: Words) -> tuple[Bound, Bound]:
    """One value, or the first and the last of them."""
    found = [_filter_value(name, value) for value in given]
    return found[0], found[-1]


def _filter_value(name: str, value: str) -> Bound:
    if name in ("src", "dst"):
        return _v4(value)
    return _number(value, 0, 4_294_967_295)


def _address(number: int, family: int) -> str:
    return str(IPv4Address(number) if family == 4 else IPv6Address(number))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
