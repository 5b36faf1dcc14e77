"""Finding by who somebody is: by a pseudonym, where lists tell one; by nothing else, and no question is an oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from api.cli.main import main
from controller.evidence.model import Quarantine, Rejected
from controller.people import PersonKind
from core.ids import SiteName, new_id
from tests.api.conftest import HOUR, INVENTORY, PASSWORD, Office, Stock, an_office, wish
from tests.api.test_rest_privacy import DAY, WHO, told
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import add, signed
from tests.controller.offices import NOON
from tests.controller.receiving import SECRET
from tests.controller.test_store_episodes import an_episode

__all__ = ["quick_hashes"]
ELSEWHERE: Final = ("10.20.3.99", "bob-laptop", "bob.stone")
"""As WHO, and never seen."""
LAYERS: Final = {
    "pseudonyms": "privacy: {identities: pseudonyms, fewest_clients: 0}\n",
    "hidden": "privacy: {identities: hidden}\n",
    "few": "privacy: {fewest_clients: 2}\n",
}
PAST: Final = "2026-11-25T00:00:00Z"
NUMBERS: Final = re.compile(r'[0-9a-hjkmnp-tv-z]{26}|"(?:digest|X-Seen)": ?"[0-9a-f]{16}"')
"""Of the request, and digests of all that was asked and answered."""

QUESTIONS: Final = (
    "/api/v1/episodes?source={0}",
    "/api/v1/episodes?site=berlin&source={0}",
    "/api/v1/episodes?host={1}",
    "/api/v1/episodes?user={2}",
    "/api/v1/episodes?source={0}&kind=leak&limit=1&count=true",
    *(f"/api/v1/episodes?count=true&q={{{number}}}" for number in range(3)),
    *(f"/api/v1/episodes?pseudonym={{{number}}}&site=berlin" for number in range(3)),
    "/api/v1/events?count=true&q={0}",
    "/api/v1/events?site=berlin&count=true&q={0}",
    "/api/v1/events?pseudonym={0}&site=berlin",
    "/api/v1/events/journal?source={0}&q={0}",
    "/api/v1/events/cuts?count=true&q={0}",
    *(f"/api/v1/webhooks/siem/deliveries?count=true&q={{{number}}}" for number in range(3)),
    *(f"/api/v1/evidence/quarantine?count=true&q={{{number}}}" for number in range(3)),
    "/api/v1/check?src={0}&dst=www.tiktok.com",
    *(f"/api/v1/reports/sites/berlin?from={PAST}&format={form}&source={{0}}&q={{1}}" for form in ("json", "csv")),
    f"/api/v1/reports/fleet?from={PAST}&source={{0}}",
    f"/api/v1/reconciliation?from={PAST}&q={{1}}",
    "/api/v1/coverage/sites/berlin?source={0}",
    "/api/v1/runs?count=true&q={0}",
    "/api/v1/devices?count=true&q={0}",
    "/api/v1/exceptions?count=true&q={0}",
    "/api/v1/proofs/results?count=true&q={0}",
    "/api/v1/audit?count=true&q={0}",
    "/api/v1/unmaskings?count=true&q={0}",
)
"""Every list and report that says anything of clients, or takes an address or a text: {0} an address, {1} a host, {2} a
user."""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)


def furnished(folder: Path, stock: Stock, privacy: str) -> Any:
    return an_office(folder, stock, INVENTORY + privacy)


@pytest.fixture(scope="module", params=LAYERS)
def closed(
    request: pytest.FixtureRequest, stock: Stock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Office, dict[str, str]]]:
    """A person was seen, and a record that nobody understood names them too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOOK_SECRET", SECRET)
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        with furnished(tmp_path_factory.mktemp("closed"), stock, LAYERS[request.param]) as office:
            names = told(office)
            line = f"Deny tcp src inside:{' '.join(WHO)}"
            office.controller.store.set_aside([Rejected(why=Quarantine.UNREADABLE, origin="syslog", text=line)])
            yield office, names


def answer_of(office: Office, path: str, who: tuple[str, ...], **more: Any) -> tuple[int, str]:
    """With what was asked for taken out, and what no two answers share."""
    answer = office.ask("GET", path.format(*who), **more)
    return answer.status_code, plain(answer.text)


def plain(text: str) -> str:
    for name in WHO + ELSEWHERE:
        text = text.replace(name, "WHO")
    return NUMBERS.sub("", text)


@pytest.mark.parametrize("path", QUESTIONS)
def test_no_question_tells_whether_somebody_was_seen(closed: tuple[Office, dict[str, str]], path: str) -> None:
    seen, unseen = (answer_of(closed[0], path, who) for who in (WHO, ELSEWHERE))
    assert seen == unseen
    assert seen[0] in (200, 403, 422), seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/reconciliation", {"sites": ["berlin"], "name": "x.csv", "list": "host,program,ip\n{1},musically,{0}\n"}),
        ("/exceptions/preview", {"sources": ["{0}"]}),
        *(("/unmaskings", {**DAY, "site": "berlin", "reason": "x", "pseudonym": name}) for name in ("{0}", "{2}")),
    ],
)
def test_no_question_in_a_body_tells_it_either(
    closed: tuple[Office, dict[str, str]], path: str, body: dict[str, Any]
) -> None:
    office = closed[0]
    whole = wish(office) | body if path.startswith("/exceptions") else body

    def asked(who: tuple[str, ...]) -> tuple[int, str]:
        said = json.dumps(whole)
        for number, name in enumerate(who):
            said = said.replace(f"{{{number}}}", name)
        answer = office.ask("POST", f"/api/v1{path}", json=json.loads(said))
        return answer.status_code, plain(answer.text)

    assert asked(WHO) == asked(ELSEWHERE)
    assert asked(WHO)[0] == {"/reconciliation": 403, "/exceptions/preview": 200, "/unmaskings": 422}[path]


def test_no_page_tells_it(closed: tuple[Office, dict[str, str]], quick_hashes: None) -> None:
    office = closed[0]
    if not any(person.kind is PersonKind.LOCAL for person in office.controller.people.all()):
        add(office, "root")
    root = signed(office, "root")
    for path in ("/episodes?source={0}", "/episodes/csv?source={0}", "/episodes?q={1}", "/live?site={0}"):
        seen, unseen = (
            (answer.status_code, plain(answer.text))
            for who in (WHO, ELSEWHERE)
            for answer in [root.get(path.format(*who))]
        )
        assert seen == unseen, path


def test_the_same_questions_tell_it_where_nothing_is_said(office: Office) -> None:
    """So that the tests above can fail."""
    told(office)
    line = f"Deny tcp src inside:{' '.join(WHO)}"
    office.controller.store.set_aside([Rejected(why=Quarantine.UNREADABLE, origin="syslog", text=line)])
    telling = [path for path in QUESTIONS if answer_of(office, path, WHO) != answer_of(office, path, ELSEWHERE)]
    lists = {path.partition("?")[0].rpartition("/")[2] for path in telling}
    assert lists == {"episodes", "events", "deliveries", "quarantine"}
    assert len(telling) == 15


def test_what_left_the_inventory_is_no_way_round(stock: Stock, tmp_path: Path) -> None:
    """All sites of now show everybody; what is told of those of the past goes by what is said of all."""
    said = "privacy: {identities: hidden}\n"
    shown = INVENTORY.replace("    time_zone:", "    privacy: {identities: shown}\n    time_zone:")
    with an_office(tmp_path, stock, shown + said) as office:
        office.controller.store.record("b", [an_episode(new_id(), site=SiteName("lost"), user=WHO[2])])
        assert office.ask("GET", f"/api/v1/episodes?user={WHO[2]}").json()["code"] == "TG6011"
        assert office.get("/episodes", params={"q": WHO[2]})["items"] == []
        assert office.get("/episodes", params={"site": "berlin", "user": WHO[2]})["items"] == []


# --- by a pseudonym ---------------------------------------------------------------------------------------------------


@pytest.fixture
def veiled(stock: Stock, tmp_path: Path) -> Iterator[Office]:
    """Two people at one site, and one of them at another and a month before too."""
    with furnished(tmp_path, stock, LAYERS["pseudonyms"]) as office:
        told(office)
        ann = office.controller.store.episodes_of([office.get("/episodes")["items"][0]["id"]])
        (one,) = ann.values()
        before = replace(one.window, start=NOON - 40 * 24 * HOUR, end=NOON - 40 * 24 * HOUR + HOUR)
        others = (
            an_episode(new_id(), source=None, host="bob-laptop", user="bob"),
            replace(one, id=an_episode(new_id()).id, site=SiteName("austin")),
            replace(one, id=an_episode(new_id()).id, window=before),
            an_episode(new_id(), source=None, host=WHO[1].upper(), user=""),
        )
        office.controller.store.record("c", others)
        yield office


def rows(office: Office, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = office.get(path, params=params)["items"]
    return found


def test_a_pseudonym_finds_what_lists_tell_under_it(veiled: Office) -> None:
    every = rows(veiled, "/episodes")
    assert len(every) == 5
    for one in every:
        for name in filter(None, (one["host"], one["user"])):
            found = rows(veiled, "/episodes", site=one["site"], pseudonym=name)
            told_so = [e for e in every if e["site"] == one["site"] and name in (e["host"], e["user"])]
            assert found == told_so, "neither more nor less than a reader sees for themselves"
    (event,) = rows(veiled, "/events")
    name = event["sources"][0]["source"]
    assert rows(veiled, "/events", site="berlin", pseudonym=name) == [event]
    assert rows(veiled, "/events", site="austin", pseudonym=name) == []
    page = veiled.get("/episodes", params={"site": "berlin", "pseudonym": name, "count": True, "since": PAST})
    assert (page["count"], page["items"][0]["host"]) == (1, name)
    assert rows(veiled, "/episodes", site="berlin", pseudonym="client-aaaaaaaaaaaa") == []


def test_a_pseudonym_is_asked_for_where_it_means_somebody(veiled: Office, stock: Stock, tmp_path: Path) -> None:
    name = rows(veiled, "/episodes")[0]["host"]
    for path in ("/episodes", "/events"):
        for params in (
            {"pseudonym": name},
            {"pseudonym": "ann", "site": "berlin"},
            {"pseudonym": "", "site": "berlin"},
        ):
            answer = veiled.ask("GET", f"/api/v1{path}", params=params)
            assert (answer.status_code, "pseudonym" in answer.text) == (422, True), params
    for number, privacy in enumerate(("", LAYERS["hidden"], LAYERS["few"])):
        (tmp_path / str(number)).mkdir()
        with furnished(tmp_path / str(number), stock, privacy) as office:
            answer = office.ask("GET", "/api/v1/episodes", params={"pseudonym": name, "site": "berlin"})
            assert (answer.status_code, "clients have none" in answer.text) == (422, True)


def test_where_too_few_were_seen_a_pseudonym_finds_nobody(stock: Stock, tmp_path: Path) -> None:
    """Also one that somebody still knows from when there were more."""
    with furnished(tmp_path, stock, "privacy: {identities: pseudonyms, fewest_clients: 2}\n") as office:
        told(office)
        more = an_episode(new_id(), source=None, host="bob-laptop")
        office.controller.store.record("c", [more])
        names = {one["host"] for one in rows(office, "/episodes")}
        found = [len(rows(office, "/episodes", site="berlin", pseudonym=name)) for name in names]
        assert found == [1, 1]
        with office.controller.store._db.write() as connection:
            connection.exec_driver_sql("delete from episodes where host = 'bob-laptop'")
        office.clock.advance(HOUR)
        assert {one["host"] for one in rows(office, "/episodes")} == {"hidden"}
        assert [rows(office, "/episodes", site="berlin", pseudonym=name) for name in names] == [[], []]


def test_the_page_and_the_command_find_by_it_too(
    veiled: Office,
    quick_hashes: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = rows(veiled, "/events")[0]["sources"][0]["source"]
    add(veiled, "root")
    root = signed(veiled, "root")
    assert f'href="/episodes?site=berlin&amp;source={name}"' in root.get("/episodes").text
    page = root.get(f"/episodes?site=berlin&source={name}").text
    assert (page.count("<tr>"), f"pseudonym={name}" in page) == (2, True)
    table = root.get(f"/episodes/csv?site=berlin&source={name}").text.splitlines()
    assert (len(table), name in table[1]) == (2, True)
    wrong = root.get(f"/episodes?source={name}")
    assert "name the site too" in wrong.text
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    for noun in ("episodes", "events"):
        capsys.readouterr()
        assert main([noun, "list", "--site", "berlin", "--pseudonym", name, "-o", "json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == 1
