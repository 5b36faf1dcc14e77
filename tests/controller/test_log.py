"""The log: one event a line, no secret, no forged line, no local variable."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from controller.log import Format, set_up_logging
from core.secret import Secret


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def logged(log_format: Format = "json", *, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    set_up_logging(level=level, log_format=log_format, stream=stream)  # type: ignore[arg-type]
    return stream


def test_an_event_is_one_json_object_with_its_fields_in_utc() -> None:
    stream = logged()
    structlog.get_logger().info("plan.applied", device="fw-berlin", steps=3)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["device"], event["steps"], event["level"]) == ("plan.applied", "fw-berlin", 3, "info")
    assert event["timestamp"].endswith("Z")


def test_what_is_no_terminal_gets_json() -> None:
    stream = logged("auto")
    structlog.get_logger().warning("store.full")
    assert json.loads(stream.getvalue())["event"] == "store.full"


def test_libraries_speak_the_same_way_and_less() -> None:
    stream = logged()
    logging.getLogger("paramiko.transport").info("connected")
    logging.getLogger("uvicorn.error").warning("late %s", "answer")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["late answer"]


def test_the_level_is_kept() -> None:
    stream = logged(level="warning")
    structlog.get_logger().info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_i09_no_secret_is_written(log_format: Format) -> None:
    stream = logged(log_format)
    structlog.get_logger().info(
        "login", password="canary-plain", key=Secret("canary-wrapped"), note=f"{Secret('canary')}"
    )
    assert "canary" not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_i09_a_traceback_shows_no_local_variable(log_format: Format) -> None:
    stream = logged(log_format)
    try:
        fails(bytes.fromhex("63616e617279").decode())
    except ValueError:
        structlog.get_logger().exception("job.failed")
    assert "ValueError: broken" in stream.getvalue()
    assert "canary" not in stream.getvalue()


def fails(local: str) -> None:
    raise ValueError("broken" if local else "")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_device_text_forges_no_line_and_moves_no_cursor(log_format: Format) -> None:
    stream = logged(log_format)
    structlog.get_logger().info("said", text="ok\n2026-01-01 [info] forged\x1b[2J", **{"na\tme": "x"})
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_what_a_library_says_again_in_colours_is_left_out() -> None:
    stream = logged()
    logging.getLogger("uvicorn.error").info("started", extra={"color_message": "\x1b[36mstarted", "port": 8480})
    event = json.loads(stream.getvalue())
    assert (event["event"], event["port"]) == ("started", 8480)
    assert "color_message" not in event


def test_a_library_that_raises_what_it_logs_is_told_once() -> None:
    stream = logged()
    logging.getLogger("paramiko.transport").error("Traceback (most recent call last):")
    logging.getLogger("uvicorn.error").error("a port in use")
    assert "Traceback" not in stream.getvalue()
    assert "a port in use" in stream.getvalue()
