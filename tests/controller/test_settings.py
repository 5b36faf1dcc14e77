"""Settings come from the environment, have working defaults, and a bad one is named."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.settings import Settings, load_settings
from core.errors import ConfigError
from core.secret import SecretRef

PUBLIC = "RWQG+237hmZ3era5/d0rt6kD48MT7PIki1eC7TKz2+MkNe4Ma/eXZuRA"
PG = "postgresql+psycopg://"


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TOKGATE_")]:
        monkeypatch.delenv(name)


def test_every_setting_has_a_default_that_stays_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.api_host == "127.0.0.1"
    assert settings.inventory == tmp_path / "inventory.yaml"
    assert settings.data_dir == tmp_path / "data"
    assert settings.resolve_interval == settings.housekeeping_interval == timedelta(hours=1)
    assert (settings.sync_interval, settings.counters_interval) == (timedelta(minutes=15), timedelta(minutes=5))


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("TOKGATE_SYNC_INTERVAL", "30s", "sync_interval", timedelta(seconds=30)),
        ("TOKGATE_SYNC_INTERVAL", "90", "sync_interval", timedelta(seconds=90)),
        ("TOKGATE_SYNC_INTERVAL", "20m", "sync_interval", timedelta(minutes=20)),
        ("TOKGATE_SYNC_INTERVAL", "PT20M", "sync_interval", timedelta(minutes=20)),
        ("TOKGATE_RETENTION", "30d", "retention", timedelta(days=30)),
        ("TOKGATE_API_PORT", "0", "api_port", 0),
        ("TOKGATE_DATA_DIR", "/var/lib/tokgate", "data_dir", Path("/var/lib/tokgate")),
        ("TOKGATE_WORKERS", "", "workers", 16),
        ("TOKGATE_BUNDLE_KEY", "secret://env/HUB", "bundle_key", SecretRef("env", "HUB")),
        ("TOKGATE_DATABASE", "postgresql://tok@db/tok?sslmode=require", "database", f"{PG}tok@db/tok?sslmode=require"),
        ("TOKGATE_DATABASE", f"{PG}db.example:5433/tok", "database", f"{PG}db.example:5433/tok"),
        ("TOKGATE_BUNDLE_TRUST", f"{PUBLIC}, {PUBLIC} {PUBLIC}", "bundle_trust", (PUBLIC,) * 3),
        ("TOKGATE_BUNDLE_TRUST", "", "bundle_trust", ()),
    ],
)
def test_a_variable_sets_it(
    variable: str, text: str, field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(load_settings(), field) == value


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("TOKGATE_SYNC_INTERVAL", "1s", "from 0:00:10 to 7 days"),
        ("TOKGATE_SYNC_INTERVAL", "often", "90s, 15m, 1h or 30d"),
        ("TOKGATE_RETENTION", "99999d", "to 3660 days"),
        ("TOKGATE_API_PORT", "70000", "less than or equal to 65535"),
        ("TOKGATE_WORKERS", "0", "greater than or equal to 1"),
        ("TOKGATE_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("TOKGATE_LOG_FORMAT", "xml", "'auto', 'console' or 'json'"),
        ("TOKGATE_TLS_KEY", "/etc/key.pem", "go together"),
        ("TOKGATE_DATABASE", "sqlite:///store.db", "expected an address such as postgresql+psycopg://"),
        ("TOKGATE_DATABASE", "postgresql://db.example", "expected an address such as"),
        ("TOKGATE_DATABASE", "postgresql://db.example:port/tokgate", "expected an address such as"),
        ("TOKGATE_DATABASE_PASSWORD", "secret://env/PGPASSWORD", "is for TOKGATE_DATABASE"),
        ("TOKGATE_BUNDLE_TRUST", f"{PUBLIC},RWshort", "String should match pattern"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable(
    variable: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert variable in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("TOKGATE_BUNDLE_KEY", "RWQAAEIyhunter2", "expected a reference"),
        ("TOKGATE_DATABASE_PASSWORD", "hunter2", "expected a reference"),
        ("TOKGATE_DATABASE", "postgresql://tokgate:hunter2@db/tokgate", "address without a password"),
        ("TOKGATE_DATABASE", "postgresql://tokgate:@hunter2/x@db/tokgate", "address without a password"),
        ("TOKGATE_DATABASE", "postgresql://tokgate:/hunter2@db/tokgate", "expected an address"),
        ("TOKGATE_DATABASE", "postgresql://db/tokgate?user=t&PASSword=hunter2", "address without a password"),
        ("TOKGATE_DATABASE", "postgresql://db/tokgate?sslpassword=hunter2", "address without a password"),
        ("TOKGATE_DATABASE", "hunter2", "expected an address"),
    ],
)
def test_i09_a_secret_in_place_of_its_reference_is_not_repeated(
    variable: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError, match=f"{variable}: .*{said}") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_WORKERS", "none")
    monkeypatch.setenv("TOKGATE_API_PORT", "http")
    with pytest.raises(ConfigError, match=r"TOKGATE_API_PORT.*TOKGATE_WORKERS|TOKGATE_WORKERS.*TOKGATE_API_PORT"):
        load_settings()


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_API_PORT", "9000")
    assert load_settings(api_port=9001).api_port == 9001


def test_settings_do_not_change_while_we_run() -> None:
    with pytest.raises(ValidationError):
        Settings().workers = 3  # type: ignore[misc]
