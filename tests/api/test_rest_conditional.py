"""Two who change one thing at once, and asking only for what is new."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.conditional import tags, versions
from controller.errors import ChangedMeanwhile
from controller.versions import expecting
from tests.api.conftest import Office, Stock
from tests.api.test_rest_dry_run import CALLS, MINE, an_office_of_secrets, approved, changes, dump, requested

V1 = "/api/v1"
Changes = dict[tuple[str, str], dict[str, Any]]


def tag(office: Office, where: str) -> str:
    return str(office.ask("GET", where).headers["etag"])


def seats(office: Office, where: str, source: str, match: str | None) -> Any:
    headers = {"If-Match": match} if match else {}
    return office.ask("PUT", f"{where}/seats", token="request", json={"sources": [source]}, headers=headers)


@pytest.mark.parametrize(
    "path", ["/sites", "/sites/berlin", "/snapshots/current", "/tokens", "/check?src=10.20.3.7&dst=a.b"]
)
def test_what_is_known_is_not_sent_again(shared_office: Office, path: str) -> None:
    first = shared_office.ask("GET", V1 + path)
    known = first.headers["etag"]
    for header in (known, f"W/{known}", f'"other", {known}', "*"):
        again = shared_office.ask("GET", V1 + path, headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", known)
        assert "content-length" not in again.headers
    other = shared_office.ask("GET", V1 + path, headers={"If-None-Match": '"0000"'})
    assert (other.status_code, other.json()) == (200, first.json())


def test_an_error_has_no_tag(shared_office: Office) -> None:
    answer = shared_office.ask("GET", f"{V1}/sites/paris", headers={"If-None-Match": "*"})
    assert (answer.status_code, "etag" in answer.headers) == (404, False)


def test_a_change_is_made_at_the_version_that_was_read(office: Office) -> None:
    where = approved(office, **MINE)
    before = tag(office, where)
    made = seats(office, where, "10.20.0.8", before)
    assert made.status_code == 200
    late = seats(office, where, "10.20.0.9", before)
    assert (late.status_code, late.json()["code"]) == (412, "TG5040")
    assert office.ask("GET", where).json()["sources"] == ["10.20.0.8/32"]
    assert seats(office, where, "10.20.0.9", made.headers["etag"]).status_code == 200, "the answer has the next tag"
    assert seats(office, where, "10.20.0.7", None).status_code == 200, "nobody has to name one"
    assert seats(office, where, "10.20.0.8", "*").status_code == 200


def test_what_moves_by_itself_is_another_answer_and_the_same_version(office: Office) -> None:
    """Else nobody could decide on an exception while devices take it up."""
    where = approved(office, **MINE)
    before = tag(office, where)
    office.clock.advance(timedelta(hours=1, minutes=30))  # it begins
    after = tag(office, where)
    assert after != before
    assert seats(office, where, "10.20.0.8", before).status_code == 200


@pytest.mark.parametrize("verb", ["approve", "deny", "revoke"])
def test_every_decision_takes_a_version(office: Office, verb: str) -> None:
    where = requested(office)
    stale = {"If-Match": '"000000000000000000000000.0000"'}
    refused = office.ask("POST", f"{where}/{verb}", token="approve", json={"reason": "why"}, headers=stale)
    assert (refused.status_code, refused.json()["code"]) == (412, "TG5040")
    fresh = {"If-Match": tag(office, where)}
    assert office.ask("POST", f"{where}/{verb}", token="approve", json={"reason": "why"}, headers=fresh).is_success


def test_of_two_in_the_same_moment_one_is_told(office: Office) -> None:
    """The store compares in the transaction of the change, so no moment between is left."""
    where = approved(office, **MINE)
    id_, known = where.rsplit("/", 1)[1], versions(tag(office, where))
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def change(source: str) -> None:
        start.wait(10)
        try:
            with expecting(known):
                office.controller.exceptions.seat(id_, [source], actor="lead", may_all=True)
            outcomes.append("made")
        except ChangedMeanwhile:
            outcomes.append("refused")

    threads = [threading.Thread(target=change, args=(source,)) for source in ("10.20.0.8", "10.20.0.9")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["made", "refused"]


NOTHING_TO_COMPARE = {
    ("POST", "/exceptions"): "makes one",
    ("POST", "/emergencies"): "makes one",
    ("POST", "/unmaskings"): "makes one",
    ("POST", "/unmaskings/{id}/approve"): "decides once",
    ("POST", "/unmaskings/{id}/deny"): "decides once",
    ("POST", "/unmaskings/{id}/end"): "ends once",
    ("POST", "/reports/scheduled/{name}/send"): "sends what is reckoned then",
    ("POST", "/packs"): "makes one; it changes nothing that is kept",
    ("POST", "/plans"): "makes some; they do not change",
    ("POST", "/runs"): "makes one; each device compares its plan with what it holds",
    ("POST", "/tokens"): "makes one",
    ("POST", "/me/tokens"): "makes one",
    ("POST", "/webhooks"): "makes one",
    ("POST", "/intel/refresh"): "asks all sources",
    ("POST", "/proofs"): "takes what a probe tried",
    ("POST", "/evidence/{format}"): "takes what others saw",
    ("POST", "/exports/{name}/replay"): "has what is kept sent again",
    ("POST", "/intel/export"): "changes nothing that is kept",
    ("POST", "/intel/trust"): "said again, it is said again",
    ("POST", "/people/{name}/sign-out"): "ends whatever is open",
    ("POST", "/me/sign-out"): "ends whatever is open",
    ("DELETE", "/sessions/{id}"): "ends once",
}
"""Changes of no thing that somebody else may have changed meanwhile."""


def thing_of(name: tuple[str, str], path: str) -> str:
    """Where what a change is about is read."""
    if name[1].startswith("/intel/"):
        return f"{V1}/snapshots/current"
    path = path.partition("?")[0]
    return path if name[1].endswith("}") else path.rsplit("/", 1)[0]


@pytest.fixture
def loaded(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office_of_secrets(tmp_path, stock, monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def document(shared_office: Office) -> Changes:
    """The same of every application; to make it takes half a second."""
    return changes(shared_office)


@pytest.mark.parametrize("name", CALLS, ids=" ".join)
def test_every_change_compares_a_version_or_refuses_one(
    loaded: Office, document: Changes, tmp_path: Path, name: tuple[str, str]
) -> None:
    """With a version that is not that of now: 412, and nothing is done. With that of now, as its address says: done."""
    takes = {p["name"] for p in document[name]["parameters"] if p["in"] == "header"}
    assert ("If-Match" in takes) is (name not in NOTHING_TO_COMPARE), "say above why there is nothing to compare"
    asked = CALLS[name](loaded)
    who = asked.token if name[1].startswith("/me/") else "admin"
    known = loaded.ask("GET", thing_of(name, asked.path), token=who).headers.get("etag")
    loaded.ask("GET", f"{V1}/sites", token=asked.token)  # that the token was used is noted once a minute
    before = dump(tmp_path / "data")

    def sent(match: str) -> Any:
        more = {**asked.more, "headers": {**asked.more.get("headers", {}), "If-Match": match}}
        return loaded.ask(name[0], asked.path, token=asked.token, **more)

    for stale in ('"000000000000000000000000.0000"', 'W/"x"'):
        answer = sent(stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "TG5040"), answer.text
    assert dump(tmp_path / "data") == before
    if name not in NOTHING_TO_COMPARE:
        done = sent(known)
        assert done.is_success, done.text


def test_a_version_of_two_in_a_row_is_that_of_the_first(loaded: Office) -> None:
    """What an answer says of its tag is that of the next change."""
    made = loaded.ask("POST", f"{V1}/tokens", json={"name": "fresh", "scopes": ["read"], "days": 1})
    where, first = made.headers["location"], made.headers["etag"]
    turned = loaded.ask("POST", f"{where}/rotate", headers={"If-Match": first})
    assert turned.status_code == 200, turned.text
    assert loaded.ask("DELETE", where, headers={"If-Match": first}).status_code == 412
    assert loaded.ask("DELETE", where, headers={"If-Match": turned.headers["etag"]}).status_code == 200


def test_tags_are_read_as_http_writes_them() -> None:
    assert tags(None) is None
    assert tags('"a.1", W/"b" , *') == {"a.1", "b", "*"}
    assert versions('"a.1", "b"') == {"a", "b"}
