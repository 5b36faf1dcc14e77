"""Carry a finished report to where it should be: by mail, into a folder, or to a store that speaks S3."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any, Final

from controller.errors import FormMissing, NotSent
from controller.inventory.reporting import Bucket, Mail, Target

SECONDS: Final = 60
"""How long a mail server or a store may take for one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A report that is ready. ``key`` is the same for the same report of the same time."""

    name: str  # of the file
    title: str
    text: str  # a few words for the body of a mail
    content: bytes
    media: str
    key: str
    at: datetime


def send(parcel: Parcel, target: Target, mail: Mail | None) -> None:
    """It is there when this returns. Raises ``NotSent``, ``FormMissing``, or what a reference to a secret raises."""
    if target.folder is not None:
        into_folder(parcel, target.folder)
    elif target.s3 is not None:
        into_bucket(parcel, target.s3)
    elif mail is None:
        raise NotSent("there is no mail server", hint="say in the inventory under `mail` which one takes our mail")
    else:
        by_mail(parcel, target.mail, mail)


def into_folder(parcel: Parcel, folder: Path) -> None:
    """Whole or not at all; a second time it is the same file."""
    half = folder / f".{parcel.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with half.open("wb") as out:
            out.write(parcel.content)
            out.flush()
            os.fsync(out.fileno())
        half.replace(folder / parcel.name)
    except OSError as exc:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise NotSent(f"folder {folder}: {exc.strerror or exc}") from exc


def into_bucket(parcel: Parcel, bucket: Bucket) -> None:
    try:
        import boto3  # a second that only this needs
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as exc:
        raise FormMissing("S3 needs boto3, which is not installed", hint="pip install 'tokgate[s3]'") from exc
    client = boto3.client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        aws_access_key_id=bucket.access_key.resolve().reveal(),
        aws_secret_access_key=bucket.secret_key.resolve().reveal(),
        config=Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"max_attempts": 1}),
    )
    try:
        client.put_object(
            Bucket=bucket.bucket, Key=f"{bucket.prefix}{parcel.name}", Body=parcel.content, ContentType=parcel.media
        )
    except (BotoCoreError, ClientError) as exc:
        raise NotSent(f"s3 {bucket.bucket}: {exc}"[:400]) from exc


def by_mail(parcel: Parcel, to: tuple[str, ...], mail: Mail) -> None:
    """To each of them, or to none: a server that refuses one of them is given none."""
    try:
        with _connected(mail) as server:
            refused = server.send_message(letter(parcel, to, mail.sender))
    except (OSError, smtplib.SMTPException) as exc:
        raise NotSent(f"mail by {mail.host}:{mail.port}: {_said(exc)}") from exc
    if refused:
        raise NotSent(f"mail by {mail.host}:{mail.port}: refused for {', '.join(refused)}")


def letter(parcel: Parcel, to: tuple[str, ...], sender: str) -> EmailMessage:
    """Its id is the report's own: who gets it twice sees one."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, ", ".join(to), parcel.title
    made["Date"] = format_datetime(parcel.at)
    made["Message-ID"] = f"<{parcel.key}@{sender.partition('@')[2]}>" if parcel.key else make_msgid()
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(parcel.text)
    main, _, kind = parcel.media.partition(";")[0].partition("/")
    made.add_attachment(parcel.content, maintype=main, subtype=kind, filename=parcel.name)
    return made


def _connected(mail: Mail) -> smtplib.SMTP:
    """Signed in, and over TLS unless the inventory says otherwise. Raises what smtplib raises."""
    context = ssl.create_default_context(cafile=None if mail.ca_file is None else str(mail.ca_file))
    server: smtplib.SMTP
    if mail.tls == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=SECONDS)
    return _or_close(server, lambda: _greeted(server, mail, context))


def _or_close(server: smtplib.SMTP, work: Callable[[], Any]) -> smtplib.SMTP:
    try:
        work()
    except BaseException:
        server.close()
        raise
    return server


def _greeted(server: smtplib.SMTP, mail: Mail, context: ssl.SSLContext) -> None:
    if mail.tls == "starttls":
        server.starttls(context=context)
    if mail.username is not None and mail.password is not None:
        server.login(mail.username, mail.password.resolve().reveal())


def _said(exc: Exception) -> str:
    if isinstance(exc, smtplib.SMTPResponseException):
        said = exc.smtp_error.decode(errors="replace") if isinstance(exc.smtp_error, bytes) else str(exc.smtp_error)
        return f"{exc.smtp_code} {said}"[:300]
    return (str(exc) or type(exc).__name__)[:300]


__all__ = ["Parcel", "by_mail", "into_bucket", "into_folder", "letter", "send"]
