"""When the certificate ends that we serve with: warned of in time, and never served with afterwards."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from api.app import create_app
from api.certificates import check, ends_at
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from core.errors import ConfigError
from tests.controller.offices import YAML
from tests.ipsets.certificates import Certificates, make

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


def test_of_a_chain_the_first_that_ends_counts(certificates: Certificates, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certificates.good.certificate.read_bytes() + certificates.expired.certificate.read_bytes())
    assert ends_at(chain) == ends_at(certificates.expired.certificate)
    good = ends_at(certificates.good.certificate)
    assert good is not None
    assert timedelta(days=29) < good - NOW < timedelta(days=31)
    for nothing in (tmp_path / "no.pem", certificates.good.key):
        assert ends_at(nothing) is None
        check(nothing, NOW)


def test_an_end_is_told_a_month_before_and_refused_after(certificates: Certificates) -> None:
    chain = certificates.good.certificate
    ends = ends_at(chain)
    assert ends is not None
    with structlog.testing.capture_logs() as said:
        check(chain, ends - timedelta(days=30))
        assert said == []
        check(chain, ends - timedelta(days=9, hours=12))
    assert [(entry["event"], entry["days"]) for entry in said] == [("serve.certificate_ends", 9)]
    with pytest.raises(ConfigError, match="expired at"):
        check(chain, ends)


def test_serve_does_not_start_with_one_that_has_expired(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(YAML, encoding="utf-8")
    pair = certificates.expired
    tls = ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)]
    environment = {"TOKGATE_INVENTORY": str(tmp_path / "inventory.yaml"), "TOKGATE_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", *tls]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "expired at" in done.stderr


def test_the_metrics_count_down(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(YAML, encoding="utf-8")
    pair = certificates.good
    settings = Settings(
        inventory=tmp_path / "inventory.yaml",
        data_dir=tmp_path / "data",
        tls_cert=pair.certificate,
        tls_key=pair.key,
    )
    with Controller.open(settings, clock=ManualClock(NOW)) as controller:
        text = create_app(controller).state.metrics.text().decode()
    (line,) = (line for line in text.splitlines() if line.startswith("tokgate_certificate_left_seconds"))
    assert 29 < float(line.split()[1]) / 86_400 < 31
