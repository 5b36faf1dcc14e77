"""Who may run what: tests that need root or a long time say so by their mark, and are skipped elsewhere with a reason.

``pytest`` repeats itself exactly (hypothesis is derandomized); ``pytest -m soak`` runs the long forms, on fresh inputs.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Server, why_none

PROGRAMS = ("ip", "nft", "nsenter", "unshare", "sshd", "ssh-keygen", "dnsmasq", "conntrack", "sudo")
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("soak", settings.get_profile("default"), derandomize=False, max_examples=10_000)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    for name in ("TOKGATE_DATABASE", "TOKGATE_DATABASE_PASSWORD"):  # no test writes to somebody's store
        os.environ.pop(name, None)
    if "soak" in config.getoption("-m"):
        settings.load_profile("soak")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests and what they load are no garbage: they are not searched for any, now or while tests run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    chosen = config.getoption("-m")
    for item in items:
        if "root" in item.keywords and (reason := why_no_namespaces()):
            item.add_marker(pytest.mark.skip(reason=reason))
        if "soak" in item.keywords and "soak" not in chosen:
            item.add_marker(pytest.mark.skip(reason="long form of a proof: pytest -m soak"))


def pytest_collection_finish() -> None:
    """Everything here is on the loopback: a prompt is settled sooner, of which tests wait for tens of thousands.

    Less patience is the harder condition: what it breaks would break on a slow line.
    """
    if "vendors.session" in sys.modules:
        vars(sys.modules["vendors.session"])["_SETTLE_MS"] = 1


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server for the tests of this process; where there is none they are skipped, with the reason."""
    if reason := why_none():
        pytest.skip(reason)
    server = Server()
    yield server
    server.remove()


@cache
def why_no_namespaces() -> str:
    """Why this user on this machine cannot hold real firewalls; empty when it can."""
    if os.geteuid() != 0:
        return "needs root and network namespaces"
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"needs {', '.join(missing)}: run scripts/install-system-packages"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False, env={"PATH": path})
    return "" if made.returncode == 0 else "this machine lets even root make no network namespaces"
