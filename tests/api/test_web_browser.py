"""The pages in a real browser, against a real server: each of them, as the list of routes has it, by axe in light and
dark, at a desk and on a phone; then what people do there, by keyboard, without scripts, and when something goes wrong.

Whatever the browser complains about (scripts, the content policy, files that are missing) fails the test.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from argon2 import PasswordHasher
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Response, Route, expect, sync_playwright

from api.app import create_app
from api.server import Bind, serving
from controller.access_roles import AccessRole
from controller.exceptions import ExceptionRequest
from controller.model import CoverageState, Mode, Observation, Scope
from controller.service import Controller
from core.ids import PersonName
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA
from tests.api.conftest import INVENTORY, PASSWORD, Stock
from tests.api.conftest import opened as a_controller
from tests.api.fleet_seen import EPISODE, an_hour_at_berlin, two_runs
from tests.api.test_rest_scopes import all_routes
from tests.controller.proving import some_proofs
from tests.controller.reporting import BERLIN, FW

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 900}
PAPER = {"width": 718, "height": 1047}  # A4 with margins of a centimetre
LOOKS: Final = [("light", DESK), ("dark", PHONE), ("dark", DESK), ("light", PHONE)]
LOOK_RULES: Final = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
"""Of axe, those that a look can break; the first two looks are held to all rules."""
PEOPLE: Final = {
    "anna": AccessRole.REQUESTER,
    "bert": AccessRole.APPROVER,
    "olga": AccessRole.OPERATOR,
    "vera": AccessRole.VIEWER,
    "root": AccessRole.ADMIN,
}
NOBODY: Final = ""
HOUR: Final = timedelta(hours=1)
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")

# Of each page: who looks at it, and under which addresses; {waiting}, {live} and {draft} are exceptions.
PAGES: Final[dict[str, list[tuple[str, str]]]] = {
    "/": [("bert", "/"), ("anna", "/"), ("vera", "/?q=berlin&state=leaks")],
    "/sites/{name}": [("vera", "/sites/berlin"), ("anna", "/sites/austin?days=7"), ("vera", "/sites/berlin?days=2")],
    "/login": [(NOBODY, "/login"), (NOBODY, "/login?next=%2F&undone=true")],
    "/account": [("anna", "/account")],
    "/blocked": [(NOBODY, "/blocked?dst=www.tiktok.com"), (NOBODY, "/blocked?dst=not+a+name")],
    "/why": [("anna", "/why"), ("anna", "/why?src=10.20.1.7&dst=www.tiktok.com"), ("anna", "/why?src=x&dst=y")],
    "/exceptions": [("bert", "/exceptions"), ("vera", "/exceptions?q=none+of+it"), ("vera", "/exceptions?state=no")],
    "/exceptions/new": [("anna", "/exceptions/new"), ("anna", "/exceptions/new?sites=berlin&sources=10.20.1.9")],
    "/exceptions/{number}": [
        ("bert", "/exceptions/{waiting}"),
        ("anna", "/exceptions/{waiting}"),
        ("anna", "/exceptions/{draft}"),
        ("bert", "/exceptions/{live}"),
        ("anna", "/exceptions/none"),
    ],
    "/policy": [("olga", "/policy?site=austin"), ("vera", "/policy?site=berlin&week=2026-03-29")],
    "/policy/what-if": [("olga", "/policy/what-if?site=austin&policy=standard")],
    "/emergencies": [("olga", "/emergencies"), ("vera", "/emergencies")],
    "/audit": [("root", "/audit?check=true"), ("root", "/audit?since=2026-11-25T10:00&until=2026-11-25T09:00")],
    "/proof": [("vera", "/proof"), ("vera", "/proof?state=leaking")],
    "/retention": [("root", "/retention")],
    "/episodes": [
        ("vera", "/episodes"),
        ("vera", "/episodes?kind=evasion"),
        ("vera", "/episodes?kind=no&sure=50&weekday=wed&hour=13"),
    ],
    "/episodes/{number}": [("vera", f"/episodes/{EPISODE}")],
    "/identities": [("root", "/identities")],
    "/webhooks": [("root", "/webhooks")],
    "/webhooks/{name}": [("root", "/webhooks/chat")],
    "/intelligence": [("vera", "/intelligence"), ("vera", "/intelligence?old=abc123&new=def456")],
    "/runs": [("vera", "/runs"), ("vera", "/runs?site=berlin&since=2026-11-30T10:00&until=2026-11-01T10:00")],
    "/runs/{number}": [("vera", "/runs/{applied}"), ("vera", "/runs/{refused}")],
    "/plans/{number}": [("vera", "/plans/{plan}")],
    "/devices/{name}": [("vera", "/devices/fw-berlin"), ("vera", "/devices/fw-austin?days=7")],
    "/auth/oidc/callback": [(NOBODY, "/auth/oidc/callback")],
}
# These lead to another page, or are a part of one.
NO_PAGES: Final = {
    "/auth/oidc/login",
    "/blocked/request",
    "/exceptions/{number}/live",
    "/exceptions/{number}/news",
    "/episodes/csv",
    "/fleet",
    "/live",
    "/static/{digest}/{name:path}",
    "/waits",
}


@dataclass(slots=True)
class Place:
    """A server with people and exceptions, and a browser; each person signs in there once."""

    home: str
    controller: Controller
    chromium: Chromium
    numbers: dict[str, str]
    signed_in: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def page(self, name: str, **how: Any) -> Page:
        """A page of that person; ``how``: of its context."""
        if name and name not in self.signed_in:
            self.signed_in[name] = self._sign_in(name)
        state = self.signed_in.get(name)
        how = {"viewport": DESK, **how}
        page = self.chromium.new_context(base_url=self.home, storage_state=state, **how).new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("console", lambda said: self._heard(said))
        return page

    def _heard(self, said: ConsoleMessage) -> None:
        # The browser says so of every page that is answered with 4xx; the tests look at what such a page says.
        is_answer = "Failed to load resource: the server responded with a status of 4" in said.text
        is_page = "/static/" not in said.location.get("url", "")
        if said.type in ("error", "warning") and not (is_answer and is_page):
            self.complaints.append(f"{said.type}: {said.text}")

    def _sign_in(self, name: str) -> Any:
        page = self.page(NOBODY)
        page.goto("/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD_OF_ANNA)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self.home}/")
        state = page.context.storage_state()
        page.context.close()
        return state


@pytest.fixture(scope="module")
def everything(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The clients of Berlin include this machine, so that ``/blocked`` knows it."""
    here = INVENTORY.replace("company: [10.20.0.0/16,", "company: [10.20.0.0/16, 127.0.0.0/8,")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        patch.setenv("TOKGATE_BLOCKED_PAGE_NETWORKS", "127.0.0.0/8")
        patch.setattr("tests.api.conftest.INVENTORY", here)
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr("controller.passwords._hasher", lambda: quick)
        folder = tmp_path_factory.mktemp("web")
        shutil.copytree(stock.data, folder / "data", ignore=shutil.ignore_patterns("*.lock", "locks", "processes"))
        with a_controller(folder) as controller, sync_playwright() as playwright:
            numbers = furnished(controller, folder)
            browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
            with serving(create_app(controller), Bind(port=0)) as server:
                home = f"http://127.0.0.1:{server.port}"
                yield Place(home=home, controller=controller, chromium=browser, numbers=numbers)
                browser.close()


def furnished(controller: Controller, folder: Path) -> dict[str, str]:
    """People, exceptions in several states, emergencies above every page, and a token."""
    for name, role in PEOPLE.items():
        controller.people.add_local(
            name, title="", roles=[role], sites=None, password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
        )
    controller.create_token("annas", [Scope.READ], HOUR, actor="cli:root", owner=PersonName("anna"))
    (folder / "key").write_text(f"whsec_{base64.b64encode(bytes(32)).decode()}")
    controller.webhooks.add(
        "chat", url="https://chat.example.org/hooks", kinds=["exception"], secret=f"secret://file{folder}/key",
        sites=None, actor="cli:root",
    )  # fmt: skip
    controller.store.record_proofs("furnished", some_proofs(controller.clock.now()))
    an_hour_at_berlin(controller)
    applied, refused, plan = two_runs(controller)
    live = asked(controller, "a very long word: " + "x" * 200, seats=4, lead="person:anna")
    preview = controller.exceptions.preview_of(live).digest
    controller.exceptions.approve(live, actor="person:bert", preview=preview, reason="")
    controller.interventions.pause(
        ["austin"], actor="cli:ann", reason="core switch", ends=controller.clock.now() + HOUR
    )
    controller.interventions.switch(Mode.MONITOR, ["austin"], actor="person:olga", reason="an outage", ends=None)
    return {
        "applied": applied,
        "refused": refused,
        "plan": plan,
        "live": live,
        "waiting": asked(controller, "with conflicts", sources=("10.20.1.7", "role:guest")),
        "draft": asked(controller, "a draft", draft=True),
    }


def asked(controller: Controller, reason: str, *, draft: bool = False, **more: Any) -> str:
    now = controller.clock.now()
    said = {
        "sites": ("berlin",),
        "sources": ("10.20.1.7",),
        "service": "tiktok",
        "owner": "ann",
    }
    wanted = ExceptionRequest(**{**said, "starts": now, "ends": now + 8 * HOUR, "reason": reason, **more})
    return controller.exceptions.request(wanted, actor="person:anna", draft=draft).id


@pytest.fixture
def place(everything: Place) -> Iterator[Place]:
    yield everything
    said, everything.complaints = everything.complaints, []
    for context in everything.chromium.contexts:
        context.close()
    assert said == []


# --- every page -----------------------------------------------------------------------------------------------------


def test_every_page_is_looked_at(place: Place) -> None:
    served = {path for method, path in all_routes(create_app(place.controller).router, pages=True) if method == "GET"}
    of_the_api = set(all_routes(create_app(place.controller).router))
    pages = {path for path in served if ("GET", path) not in of_the_api}
    assert pages - NO_PAGES == set(PAGES)


@pytest.mark.parametrize(
    ("who", "path"), [pytest.param(*way, id=f"{way[0]} {way[1]}") for ways in PAGES.values() for way in ways]
)
def test_a_page_has_no_serious_fault_in_any_look(place: Place, who: str, path: str) -> None:
    """By axe; nothing runs over the edge; what the Tab key reaches can be seen to have the focus; it prints."""
    page = place.page(who)
    page.goto(path.format(**place.numbers))
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1").count() == 1
    assert page.title().endswith(" – tokgate")
    page.evaluate(AXE_SCRIPT)
    for at, (scheme, size) in enumerate(LOOKS):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a mapping of its two keys
        grave = grave_faults(page, **({} if at < 2 else {"runOnly": LOOK_RULES}))
        assert grave == [], f"{scheme} {size}: {grave}"
        assert too_wide(page) <= 0, f"{scheme} {size}: {too_wide(page)} px too wide"
    assert hidden_focus(page) == []
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    assert not page.locator("nav[aria-label=Main]").is_visible() or who == NOBODY
    assert not page.locator("form").filter(visible=True).count(), "what cannot be pressed on paper"
    assert too_wide(page) <= 0, "printed"


def grave_faults(page: Page, **options: Any) -> list[Any]:
    """What axe calls serious or critical, and of what."""
    found = page.evaluate("o => axe.run({resultTypes: ['violations'], ...o}).then(r => r.violations)", options)
    return [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]


def too_wide(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def hidden_focus(page: Page) -> list[str]:
    """What has the focus by the Tab key, of the first forty, and does not show it."""
    found = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => {
                const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
                if (it === document.body) return "";
                const shows = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                return shows && box.width > 0 && box.height > 0 ? "ok" : it.outerHTML.slice(0, 120);
            }"""
        )
        if not seen:
            return found
        found += [seen] if seen != "ok" else []
    return found


def test_what_axe_would_find_is_found(place: Place) -> None:
    """The check itself checks: a page that is spoiled in each way fails each part of it."""
    page = place.page("anna")
    page.goto("/exceptions/new")
    page.evaluate(AXE_SCRIPT)
    page.evaluate(
        """() => {
            document.querySelector('label[for=reason]').remove();
            document.querySelector('h1').style.width = '3000px';
            document.querySelector('.name').style.outline = 'none';
        }"""
    )
    assert "label" in {rule for rule, _ in grave_faults(page)}
    assert too_wide(page) > 0
    assert any("tokgate" in text for text in hidden_focus(page))
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x.png\">')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
    )
    assert page.evaluate("window.bad") is None
    page.wait_for_function("() => true")
    assert all("Content Security Policy" in said for said in place.complaints)
    assert len(place.complaints) >= 2
    place.complaints.clear()


def test_the_last_of_a_service_is_withdrawn_by_writing_its_name(place: Place) -> None:
    """Refused first, with what has to be written; and no serious fault on the page that asks for it."""
    act, ends = place.controller.interventions, place.controller.clock.now() + HOUR
    tails = {name.name.rpartition(".")[2] for one in place.controller.snapshot().services for name in one.domains}
    *others, last = sorted(tails)
    begun = [act.withdraw(f"*.{tail}", actor="cli:ann", reason="x", ends=ends).id for tail in others]
    page = place.page("olga")
    page.goto("/emergencies")
    page.fill("#value", f"*.{last}")
    page.fill("#withdraw-reason", "payroll")
    page.click("text=Withdraw it everywhere")
    page.wait_for_selector("#empties")
    page.evaluate(AXE_SCRIPT)
    assert grave_faults(page) == []
    page.set_viewport_size(PHONE)
    assert too_wide(page) <= 0
    words = page.inner_text("label[for=empties]").removeprefix("To confirm, write ")
    page.fill("#empties", words)
    page.click("text=Withdraw it all the same")
    page.wait_for_url("**/emergencies?done=begun")
    assert "without any name" in page.inner_text("main")
    begun += [e.id for e in place.controller.emergencies.withdrawn() if e.empties]
    for taken in begun:
        act.end(taken, actor="cli:ann")


# --- what people do --------------------------------------------------------------------------------------------------


def tab_to(page: Page, selector: str) -> None:
    """By the Tab key alone."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"the keyboard never reaches {selector}")


def test_a_request_is_sent_and_approved_by_keyboard_alone(place: Place) -> None:
    anna = place.page("anna")
    anna.goto("/exceptions/new")
    anna.keyboard.press("Tab")
    expect(anna.locator(".skip")).to_be_focused()
    tab_to(anna, "input[value=berlin]")
    anna.keyboard.press("Space")
    tab_to(anna, "#sources")
    anna.keyboard.type("10.20.1.77")
    expect(anna.locator("#preview")).to_contain_text(
        "10.20.1.77/32 would reach tiktok at berlin from 2026-11-25 12:00 to 2026-11-25 20:00 CET"
    )
    tab_to(anna, "#reason")
    anna.keyboard.type("spring campaign")
    tab_to(anna, "button[value=send]")
    anna.keyboard.press("Enter")
    expect(anna.locator("[role=status]")).to_contain_text("Your request is sent")
    where = anna.url.partition("?")[0]

    bert = place.page("bert")
    bert.clock.install()
    bert.goto(where)
    tab_to(bert, "form[action$='/approve'] button")
    bert.keyboard.press("Enter")
    expect(bert.locator("[role=status]")).to_contain_text("Approved")
    expect(bert.locator("#live-said")).to_have_text("Live on 0/1 devices, as last read back.")
    bert.evaluate(
        """() => {
            window.told = [];
            new MutationObserver(() => window.told.push(document.querySelector("#live-said").innerText))
                .observe(document.querySelector("#live-said"), {childList: true, subtree: true});
        }"""
    )
    answers = [looked_again(bert).status for _ in range(4)]
    assert answers[-1] == 204, f"nothing new is not sent again: {answers}"
    assert bert.evaluate("window.told") == [], "and nothing is read aloud"
    place.controller.exceptions.revoke(where.rpartition("/")[2], actor="cli:ann", reason="over")
    assert looked_again(bert).status == 200
    expect(bert.locator("#live-said")).to_have_text("Removed from 1/1 devices, as last read back.")
    assert bert.evaluate("window.told") == ["Removed from 1/1 devices, as last read back."]
    expect(bert.locator("#state")).to_have_text("revoked")


def looked_again(page: Page) -> Response:
    """The page asks by itself, every five seconds."""
    with page.expect_response(lambda r: "/live?seen=" in r.url) as looked:
        page.clock.run_for(5_100)
    looked.value.finished()
    return looked.value


def test_without_scripts_the_main_acts_work(place: Place) -> None:
    page = place.page("anna", java_script_enabled=False)
    page.goto("/exceptions/new?sites=berlin&sources=10.20.1.30")
    page.click("button[value=look]")
    assert "10.20.1.30/32 would reach tiktok" in page.inner_text("#preview")
    page.fill("#reason", "no scripts")
    page.click("button[value=send]")
    assert "Your request is sent" in page.inner_text("[role=status]")
    page.fill("#revoke-reason", "not needed")
    page.click("form[action$='/revoke'] button")
    assert "Revoked" in page.inner_text("[role=status]")


def test_what_is_wrong_has_the_focus_and_leads_to_its_field(place: Place) -> None:
    page = place.page("anna")
    page.goto("/exceptions/new?sites=berlin&sources=192.0.2.7")
    page.fill("#reason", "spring campaign")
    page.click("button[value=send]")
    expect(page.locator("#trouble")).to_be_focused()
    assert page.title() == "Error: Request an exception – tokgate"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sources")).to_be_focused()
    expect(page.locator("#sources")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#reason")).to_have_value("spring campaign")


def test_of_many_sites_those_are_shown_that_are_chosen_and_that_fit_what_is_typed(place: Place) -> None:
    page = place.page("anna")
    box = '<label class="choice"><input type="checkbox" name="sites" value="shop-{0}">Shop {0}</label>'
    more = "<legend>Where</legend>" + "".join(box.format(number) for number in range(300))

    def many(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("<legend>Where</legend>", more))

    page.route("**/exceptions/new*", many)
    page.goto("/exceptions/new?sites=berlin")
    shown = page.locator("#sites label:visible")
    assert shown.count() == 25
    assert "Berlin office" in shown.all_inner_texts()
    page.get_by_label("Find, in: Where").fill("shop 29")
    assert sorted(shown.all_inner_texts()) == sorted(
        ["Berlin office", "Shop 29", *(f"Shop 29{last}" for last in range(10))]
    )
    expect(page.locator("#sites output")).to_have_text("11 of 302 fit; 12 are shown, 1 chosen.")
    page.keyboard.press("Enter")
    assert page.url.endswith("/exceptions/new?sites=berlin"), "nothing was sent"
    page.check("input[value=shop-297]")
    page.get_by_label("Find, in: Where").fill("nowhere")
    assert sorted(shown.all_inner_texts()) == ["Berlin office", "Shop 297"]
    faults = page.evaluate(AXE_SCRIPT + "; axe.run('#sites').then((found) => found.violations.map((v) => v.id))")
    assert faults == []


def test_a_session_that_ends_while_somebody_writes_costs_nothing_that_was_typed(place: Place) -> None:
    page = place.page("anna")
    page.goto("/exceptions/new")
    page.check("input[value=berlin]")
    page.fill("#sources", "10.20.1.41")
    page.fill("#reason", "written slowly")
    place.controller.people.sign_out_everywhere(PersonName("anna"), actor="cli:root")
    del place.signed_in["anna"]
    page.click("button[value=send]")
    expect(page.locator("[role=status]")).to_contain_text("nothing was done")
    page.fill("#name", "anna")
    page.fill("#password", PASSWORD_OF_ANNA)
    page.keyboard.press("Enter")
    expect(page.locator("#reason")).to_have_value("written slowly")
    page.click("button[value=send]")
    expect(page.locator("[role=status]")).to_contain_text("Your request is sent")


def test_going_back_and_sending_again_asks_once(place: Place) -> None:
    page = place.page("anna")
    page.goto("/exceptions/new?sites=berlin&sources=10.20.1.42&reason=twice")
    page.evaluate(  # two clicks before the answer
        "() => { const send = document.querySelector('button[value=send]'); send.click(); send.click(); }"
    )
    expect(page.locator("[role=status]")).to_contain_text("Your request is sent")
    page.reload()
    page.go_back()
    page.go_forward()
    assert len([e for e in place.controller.exceptions.find() if e.reason == "twice"]) == 1


def test_a_page_that_is_shown_again_after_signing_out_is_not(place: Place) -> None:
    page = place.page("vera")
    page.goto("/exceptions")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("[role=status]")).to_have_text("You are signed out.")
    del place.signed_in["vera"]
    page.go_back()
    expect(page.locator("h1")).to_have_text("Sign in to tokgate")


def test_the_start_page_follows_what_is_found_without_asking_again_and_again(place: Place) -> None:
    """By the stream; the clock of the page stands still, so nothing is asked for by itself."""
    page = place.page("vera")
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(place.home).partition("?")[0]))
    with page.expect_response("**/live"):
        page.goto("/")
    expect(page.locator("#fleet")).to_contain_text("not enforced")
    before = asked.count("/fleet")
    a_look(place, CoverageState.MONITORED)
    expect(page.locator("#fleet tr", has_text="Berlin office")).to_contain_text("monitored")
    assert asked.count("/fleet") > before
    page.locator("#fleet a", has_text="Berlin office").focus()  # what has the focus stays under one's hands
    with page.expect_response("**/fleet?*"):
        a_look(place, CoverageState.ENFORCED)
    expect(page.locator("#fleet a", has_text="Berlin office")).to_be_focused()
    page.locator(".name").focus()
    expect(page.locator("#fleet tr", has_text="Berlin office")).to_contain_text("enforced")


def test_where_the_stream_is_refused_the_page_asks_by_itself(place: Place) -> None:
    page = place.page("vera")
    page.clock.install()
    page.route("**/live", lambda route: route.fulfill(status=503))
    page.goto("/")
    with page.expect_response("**/fleet?*") as answered:
        page.clock.run_for(16_000)
    assert answered.value.status in (200, 204)
    place.complaints.clear()  # the browser says that it was refused


def test_a_page_whose_server_is_gone_says_so_until_it_answers_again(place: Place) -> None:
    page = place.page("vera")
    page.clock.install()
    page.route("**/live", lambda route: route.abort())
    page.goto("/")
    expect(page.locator("#lost")).to_be_empty()
    page.route("**/fleet?*", lambda route: route.abort())
    page.route("**/waits?*", lambda route: route.fulfill(status=502))
    page.clock.run_for(16_000)
    expect(page.locator("#lost")).to_contain_text("tokgate does not answer, at least since")
    page.unroute("**/fleet?*")
    page.unroute("**/waits?*")
    page.clock.run_for(16_000)
    expect(page.locator("#lost")).to_be_empty()
    place.complaints.clear()  # the browser says that nobody answered


def a_look(place: Place, found: CoverageState) -> None:
    """A device at Berlin was looked at just now."""
    now = place.controller.clock.now()
    seen = Observation(device=FW, site=BERLIN, at=now, found=found, left=found, cause="")
    place.controller.store.add_observation(seen)


def test_the_chart_of_a_site_tells_exact_figures_under_the_cursor(place: Place) -> None:
    page = place.page("vera")
    page.goto("/sites/berlin")
    chart = page.locator(".plot canvas")
    expect(chart).to_be_visible()
    expect(page.locator(".timeline > svg.drawn")).to_be_hidden()
    chart.scroll_into_view_if_needed()  # a cursor moves where the window is
    box, lane = chart.bounding_box(), page.locator("svg.lane").first.bounding_box()
    assert box is not None
    assert lane is not None
    assert (round(box["x"]), round(box["width"])) == (round(lane["x"]), round(lane["width"])), "one axis"
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 60)
    expect(page.locator(".plot .u-legend")).to_contain_text("40")
    expect(page.locator(".plot .u-legend")).to_contain_text("Wed 25 Nov, 11:00")
    plain = place.page("vera", java_script_enabled=False)
    plain.goto("/sites/berlin")
    expect(plain.locator(".timeline > svg.drawn")).to_be_visible()


def test_no_time_under_a_chart_is_cut_at_its_edge(place: Place) -> None:
    page = place.page("vera")
    page.add_init_script(
        """window.written = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {
            const half = this.measureText(text).width / 2;
            window.written.push([text, x - half, this.canvas.width - x - half]);
            return write.call(this, text, x, ...more);
        };"""
    )
    for days in ("1", "7"):
        page.goto(f"/sites/berlin?days={days}")
        expect(page.locator(".plot canvas")).to_be_visible()
        written = page.evaluate("window.written.filter(([text]) => text)")
        assert len(written) > 5
        assert [text for text, left, right in written if left < 0 or right < 0] == []
        page.emulate_media(media="print")
        expect(page.locator(".plot")).to_be_hidden()
        drawn = page.locator("svg.drawn")
        expect(drawn).to_be_visible()
        outside = drawn.evaluate(
            """it => {
                const box = it.getBoundingClientRect(), times = [...it.querySelectorAll("text")];
                const at = times.map((text) => [text.textContent, text.getBoundingClientRect()]);
                return at.filter(([, its]) => its.left < box.left || its.right > box.right).map(([text]) => text);
            }"""
        )
        assert outside == []
        page.emulate_media(media="screen")


def test_tables_stay_tables_on_paper(place: Place) -> None:
    page = place.page("vera", viewport=PAPER)
    page.goto("/")
    expect(page.locator("#fleet thead")).to_have_css("position", "absolute")
    page.emulate_media(media="print")
    expect(page.locator("#fleet thead")).to_have_css("position", "static")
