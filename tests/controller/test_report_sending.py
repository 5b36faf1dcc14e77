"""Scheduled reports arrive once each at real servers, over restarts and failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from aiosmtpd.controller import Controller as MailServer
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from moto.server import ThreadedMotoServer

from controller.cron import parse_cron
from controller.errors import NotFound, NotSent
from controller.inventory import load_inventory
from controller.inventory.reporting import Mail, Target
from controller.report_sending import GIVE_UP
from controller.reports.sending import Parcel, send
from controller.service import Controller
from controller.settings import Settings
from controller.store import AuditQuery
from core.clock import ManualClock
from core.errors import ConfigError
from tests.controller.offices import YAML
from tests.ipsets.certificates import Certificates, make

MONDAY = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)  # half past six in Berlin
MINUTE = timedelta(minutes=1)

# --- cron -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "now", "due"),
    [
        ("30 6 * * mon", "2026-11-25T12:00", "2026-11-23T06:30"),
        ("30 6 * * mon", "2026-11-23T06:29", "2026-11-16T06:30"),
        ("30 6 * * mon", "2026-11-23T06:30", "2026-11-23T06:30"),
        ("0 7 1 * *", "2026-11-25T12:00", "2026-11-01T07:00"),
        ("*/20 8-9 * * fri-mon", "2026-11-25T12:00", "2026-11-23T09:40"),
        ("0 0 29 2 *", "2026-11-25T12:00", "2024-02-29T00:00"),
        ("15 2 * * *", "2026-03-29T12:00", "2026-03-29T03:15"),  # the clock skips it
        ("0,30 12 * * sun,sat", "2026-11-25T12:00", "2026-11-22T12:30"),
    ],
)
def test_i12_what_was_due_last_by_the_clock_of_the_zone(text: str, now: str, due: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = parse_cron(text).last(datetime.fromisoformat(now).replace(tzinfo=berlin).astimezone(UTC), berlin)
    assert found is not None
    assert found.astimezone(berlin).strftime("%Y-%m-%dT%H:%M") == due


def test_what_comes_twice_is_due_once() -> None:
    berlin, cron = ZoneInfo("Europe/Berlin"), parse_cron("30 2 * * sun")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert cron.last(first, berlin) == cron.last(first + timedelta(hours=1, minutes=5), berlin) == first


@pytest.mark.parametrize(
    "text", ["30 6 * * 1", "60 6 * * *", "* * * *", "5-2 * * * *", "*/0 * * * *", "x * * * mon", ""]
)
def test_i12_days_of_the_week_have_names(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|named|is no|is from"):
        parse_cron(text)


# --- real servers ---------------------------------------------------------------------------------------------------


@dataclass
class Inbox:
    """A mail server with TLS and a password, and what it took."""

    letters: list[EmailMessage] = field(default_factory=list)
    refuses: str = ""
    hostname: str = ""
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        if self.refuses:
            return self.refuses
        assert session.ssl is not None
        assert isinstance(envelope.content, bytes)
        found = message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        self.letters.append(found)
        return "250 taken"


class Listening(MailServer):
    """On a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


def _check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"tokgate", b"s3cret")
    return AuthResult(success=good, handled=good)  # "handled": it has been answered already


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def inbox(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setenv("TOKGATE_MAIL", "s3cret")
    kept = Inbox()
    server = Listening(
        kept,
        hostname="127.0.0.1",
        port=0,
        tls_context=certificates.good.server(),
        require_starttls=True,
        authenticator=_check,
        auth_required=True,
    )
    server.start()
    kept.port = server.port
    yield kept
    server.stop()


@pytest.fixture(scope="module")
def store_of_s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def mail(inbox: Inbox, certificates: Certificates, **changes: Any) -> Mail:
    plain = {
        "host": "127.0.0.1",
        "port": inbox.port,
        "username": "tokgate",
        "password": "secret://env/TOKGATE_MAIL",
        "sender": "tokgate@example.com",
        "ca_file": certificates.authority,
    }
    return Mail.model_validate({**plain, **changes})


def parcel(content: bytes = b"<p>x</p>") -> Parcel:
    return Parcel(
        name="weekly-2026-W47.html",
        title="Berlin office: hit report 2026-W47",
        text="Attached.\n",
        content=content,
        media="text/html; charset=utf-8",
        key="ab12",
        at=MONDAY,
    )


def test_mail_goes_over_tls_with_the_report_attached(inbox: Inbox, certificates: Certificates) -> None:
    send(parcel("<p>Büro</p>".encode()), Target(mail=("ciso@example.com",)), mail(inbox, certificates))
    [letter] = inbox.letters
    assert (letter["Subject"], letter["To"]) == ("Berlin office: hit report 2026-W47", "ciso@example.com")
    assert letter["Message-ID"] == "<ab12@example.com>"
    [attached] = letter.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("weekly-2026-W47.html", "text/html")
    assert attached.get_payload(decode=True) == "<p>Büro</p>".encode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "other"}, "535"),
        ({"ca_file": None}, "certificate"),
        ({"port": 1}, "refused"),
        ({"tls": "none", "username": None, "password": None}, "530"),
    ],
    ids=["password", "stranger", "down", "in-the-clear"],
)
def test_what_a_mail_server_says_is_told(
    inbox: Inbox, certificates: Certificates, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotSent, match=rf"(?i)mail by 127.0.0.1:\d+: .*{said}") as caught:
        send(parcel(), Target(mail=("ciso@example.com",)), mail(inbox, certificates, **changes))
    assert "s3cret" not in str(caught.value)
    assert inbox.letters == []


def test_a_store_of_s3_keeps_it(store_of_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_S3", "key")
    keys = {"access_key": "secret://env/TOKGATE_S3", "secret_key": "secret://env/TOKGATE_S3"}
    there = {"bucket": "reports", "prefix": "tokgate/", "endpoint": store_of_s3, **keys}
    client = boto3.client(
        "s3", endpoint_url=store_of_s3, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="k"
    )
    with pytest.raises(NotSent, match=r"s3 reports: .*NoSuchBucket"):
        send(parcel(), Target.model_validate({"s3": there}), None)
    client.create_bucket(Bucket="reports")
    send(parcel(b"one"), Target.model_validate({"s3": there}), None)
    found = client.get_object(Bucket="reports", Key="tokgate/weekly-2026-W47.html")
    assert (found["Body"].read(), found["ContentType"]) == (b"one", "text/html; charset=utf-8")


# --- the schedule ---------------------------------------------------------------------------------------------------

SCHEDULED = """\
reports:
  weekly:
    site: berlin
    range: last-week
    form: json
    when: "30 6 * * mon"
    zone: Europe/Berlin
    to: [{folder: FOLDER}]
"""


def offices(folder: Path, more: str) -> Path:
    path = folder / "inventory.yaml"
    path.write_text(YAML + more.replace("FOLDER", str(folder / "out")), encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Path:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    offices(tmp_path, SCHEDULED)
    return tmp_path


def opened(place: Path, clock: ManualClock) -> Controller:
    return Controller.open(Settings(inventory=place / "inventory.yaml", data_dir=place), clock=clock)


def out(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "out").glob("*"))


def test_what_is_due_goes_once_also_over_a_restart(place: Path) -> None:
    clock = ManualClock(MONDAY - timedelta(days=3))
    with opened(place, clock) as controller:
        controller.sending.send_due()  # the report is new: what was due before is not sent
        clock.advance(timedelta(days=3) - MINUTE)
        controller.sending.send_due()
        assert out(place) == []
        clock.advance(MINUTE)
        controller.sending.send_due()
    assert out(place) == ["weekly-2026-W47.json"]
    sent = place / "out" / "weekly-2026-W47.json"
    assert json.loads(sent.read_bytes())["range"] == "2026-W47"
    sent.unlink()
    with opened(place, clock) as controller:
        clock.advance(timedelta(hours=3))
        controller.sending.send_due()
        assert out(place) == []
        clock.advance(timedelta(days=14))  # nobody ran meanwhile: the latest goes, and no other
        controller.sending.send_due()
        assert out(place) == ["weekly-2026-W49.json"]
        [told] = controller.store.alerts()
        assert "weekly to folder" in told.message
        assert "was due at 2026-11-30 05:30Z, and perhaps before, and was not sent then" in told.message
        controller.sending.send_due()
        assert len(controller.store.alerts()) == 1


def test_what_fails_is_tried_again_told_and_given_up(place: Path) -> None:
    clock = ManualClock(MONDAY - MINUTE)
    with opened(place, clock) as controller:
        controller.sending.send_due()
        (place / "out").write_text("not a folder")
        clock.advance(MINUTE)
        controller.sending.send_due()
        [late] = controller.sending.troubles()
        assert (late.attempts, late.retry_at) == (1, clock.now() + MINUTE)
        [check] = controller.sending.checks()
        assert (check.ok, "folder" in check.message) == (False, True)
        assert controller.health().ready
        controller.sending.send_due()  # not yet again
        assert next(controller.sending.troubles()).attempts == 1
        for _ in range(40):
            clock.advance(timedelta(hours=1))
            controller.sending.send_due()
        [late] = controller.sending.troubles()
        assert late.retry_at is None
        assert late.attempts < GIVE_UP / timedelta(hours=1) + 10
        assert [alert.kind for alert in controller.store.alerts()] == ["report", "report"]  # the first, and the last
        (place / "out").unlink()
        clock.advance(timedelta(days=7))
        controller.sending.send_due()
        assert out(place) == ["weekly-2026-W48.json"]
        assert list(controller.sending.troubles()) == []


def test_one_target_that_fails_holds_up_no_other(
    place: Path, inbox: Inbox, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = f"mail: {{host: 127.0.0.1, port: {inbox.port}, username: tokgate, password: secret://env/TOKGATE_MAIL, "
    server += f"sender: tokgate@example.com, ca_file: {certificates.authority}}}\n"
    both = SCHEDULED.replace("[{folder", "[{mail: [ciso@example.com]}, {folder")
    offices(place, server + both)
    inbox.refuses = "451 later"
    clock = ManualClock(MONDAY - MINUTE)
    with opened(place, clock) as controller:
        controller.sending.send_due()
        clock.advance(MINUTE)
        controller.sending.send_due()
        assert out(place) == ["weekly-2026-W47.json"]
        assert "451 later" in next(controller.sending.troubles()).error
        inbox.refuses = ""
        clock.advance(MINUTE)
        controller.sending.send_due()
        assert [letter["Subject"] for letter in inbox.letters] == ["Berlin office: hit report 2026-W47"]
        clock.advance(timedelta(hours=2))
        controller.sending.send_due()
        assert len(inbox.letters) == 1


def test_it_may_be_sent_at_once_or_only_looked_at(place: Path) -> None:
    with opened(place, ManualClock(MONDAY)) as controller:
        [(target, made)] = controller.sending.send_now("weekly", actor="cli:ann", dry_run=True)
        assert (made.name, target.place) == ("weekly-2026-W47.json", f"folder {place / 'out'}")
        assert out(place) == []
        controller.sending.send_now("weekly", actor="cli:ann")
        assert out(place) == ["weekly-2026-W47.json"]
        [entry] = controller.audit(wanted=AuditQuery(action="report.send"))
        assert (entry.actor, entry.subject) == ("cli:ann", "weekly")
        with pytest.raises(NotFound, match="did you mean 'weekly'"):
            controller.sending.send_now("wekly", actor="cli:ann")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("site: berlin", "site: berlim", "no site 'berlim'; did you mean 'berlin'"),
        ("mon", "1", "days of the week are named"),
        ("last-week", "someday", "no range of days"),
        ("[{folder: FOLDER}]", "[{mail: [a@example.com]}]", "`mail` does not say which server takes it"),
        ("[{folder: FOLDER}]", "[{folder: out}]", "from the root"),
        ("[{folder: FOLDER}]", "[{}]", "expected one of `mail`, `folder`, `s3`"),
        ("reports:", "mail: {host: m, sender: a@b.c, tls: none, username: u, password: secret://env/X}\nreports:",
         "not sent in the clear"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_when_the_inventory_is_read(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_inventory(offices(tmp_path, SCHEDULED.replace(old, new)))
    assert said in str(caught.value)
