"""The audit log over HTTP and on the command line: found, told, taken along; and no secret in it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from api.cli.main import main
from core.secret import without_tokens
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, wish
from tests.api.test_rest_dry_run import CALLS, KEY, V1, an_office_of_secrets, approved, requested

PLANTED = "tokgate_0123abcd_" + "5ec7e7" * 10 + "abcd"


def test_entries_are_found_and_say_which_request_made_them(office: Office) -> None:
    where = approved(office)
    decided = office.ask("POST", f"{where}/revoke", token="approve", json={"reason": "campaign over"})
    found = office.get("/audit", params={"action": "exception", "q": "CAMPAIGN OVER", "count": "true"})
    [entry] = found["items"]
    assert found["count"] == 1
    assert (entry["actor"], entry["action"]) == ("token:approve", "exception.revoke")
    detail = json.loads(entry["detail"])
    assert detail["request"] == decided.headers["x-request-id"]
    assert detail["changed"]["state"] == ["approved", "revoked"]
    id_ = where.rsplit("/", 1)[1]
    walk = office.get("/audit", params={"subject": id_, "order": "asc", "limit": 2})
    assert [e["action"] for e in walk["items"]] == ["exception.request", "exception.approve"]
    rest = office.get("/audit", params={"subject": id_, "order": "asc", "limit": 2, "cursor": walk["next_cursor"]})
    assert [e["action"] for e in rest["items"]] == ["exception.revoke"]
    other_way = office.ask("GET", f"{V1}/audit", params={"cursor": walk["next_cursor"]})
    assert (other_way.status_code, other_way.json()["code"]) == (422, "TG5007")
    assert office.get("/audit", params={"actor": "token:approve"})["count"] is None
    now = office.clock.now().isoformat()
    assert office.get("/audit", params={"until": now, "actor": "token:approve"})["items"] == []


@pytest.fixture
def loaded(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office_of_secrets(tmp_path, stock, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("name", CALLS, ids=" ".join)
def test_i09_no_secret_is_in_the_audit_log_or_the_log(
    loaded: Office, log_text: io.StringIO, name: tuple[str, str]
) -> None:
    """Every change of the API, with secrets wherever a person or a program may put one by mistake."""
    call = CALLS[name](loaded)
    planted = {"X-Api-Key": PLANTED, "Idempotency-Key": PLANTED, "User-Agent": PLANTED}
    path = f"{call.path}{'&' if '?' in call.path else '?'}token={PLANTED}"
    body, more = call.more.get("json"), {key: value for key, value in call.more.items() if key != "json"}
    if body is not None:
        loaded.ask(name[0], path, token=call.token, headers=planted, json={**body, "password": PLANTED})
        more["json"] = {**body, **({"reason": f"as {PLANTED} said"} if "reason" in body else {})}
    headers = {**more.pop("headers", {}), **planted}
    assert loaded.ask(name[0], path, token=call.token, headers=headers, **more).status_code == 422, "of no parameter"
    assert loaded.ask(name[0], call.path, token=call.token, headers=headers, **more).is_success
    loaded.ask("GET", f"{V1}/exceptions/{PLANTED}", token="admin")
    structlog.get_logger().warning("a.mistake", text=f"it was {PLANTED}")
    loaded.controller.close()  # what was begun has ended
    written = "".join(repr(entry) for entry in loaded.controller.store.audit_entries(limit=1000)) + log_text.getvalue()
    for secret in {PASSWORD, PLANTED, KEY.text().splitlines()[-1], *loaded.tokens.values()}:
        assert secret not in written
    assert "api.request" in written
    assert "a.mistake" in written
    assert "tokgate_0123abcd_" in written, "whose it was can be seen"


def test_i09_an_exception_that_names_a_token_is_audited_without_it(loaded: Office) -> None:
    made = loaded.ask("POST", f"{V1}/exceptions", token="request", json=wish(loaded, owner=PLANTED, ticket=PLANTED))
    assert made.status_code == 201
    [entry] = [e for e in loaded.controller.audit() if e.action == "exception.request"]
    assert PLANTED not in entry.detail
    assert json.loads(entry.detail)["owner"] == "tokgate_0123abcd_•••"


def test_tokens_are_known_by_their_shape() -> None:
    assert without_tokens(f"a {PLANTED}, b") == "a tokgate_0123abcd_•••, b"
    assert without_tokens("tokfeed_0123abcd_" + "0" * 32) == "tokfeed_0123abcd_•••"
    assert without_tokens("tokgate_0123abcd and a_b") == "tokgate_0123abcd and a_b"


def test_the_log_leaves_as_a_file_and_is_checked_anywhere(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requested(office)
    office.controller.close()
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "audit.jsonl"
    assert main(["audit", "export", str(file)]) == 0
    assert file.stat().st_mode & 0o077 == 0
    capsys.readouterr()
    assert main(["audit", "verify", str(file), "--here", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["intact"], told["entries"]) == (True, told["head"]["seq"])

    lines = file.read_text(encoding="utf-8").splitlines()
    forged = tmp_path / "forged.jsonl"
    forged.write_text("\n".join(lines).replace("token:request", "token:nobody"), encoding="utf-8")
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "nowhere.yaml"))
    assert main(["audit", "verify", str(file)]) == 0, "without store and settings"
    assert main(["audit", "verify", str(forged)]) == 1
    printed = capsys.readouterr()
    assert f"entry {told['entries']} does not match its hash" in printed.out
    assert "docs/runbooks/audit-chain.md" in printed.err
    assert main(["audit", "verify", str(tmp_path / "inventory.yaml")]) == 1
    assert "not JSON" in capsys.readouterr().err


def test_a_log_that_was_written_anew_is_found_by_an_earlier_file(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may write the store can write a chain that holds; what left before tells."""
    office.controller.close()
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "audit.jsonl"
    assert main(["audit", "export", str(file)]) == 0
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "other"))
    assert main(["audit", "verify", str(file), "--here"]) == 1
    assert "the log here does not hold entry" in capsys.readouterr().out
