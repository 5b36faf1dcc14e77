"""The pages in a real browser, against a real server: by keyboard alone, on a phone, in the dark, and for axe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect, sync_playwright

from api.app import create_app
from api.server import Bind, serving
from controller.access_roles import AccessRole
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA
from tests.api.conftest import PASSWORD, Stock
from tests.api.conftest import opened as a_controller

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 900}
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def home(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with anna, who asks, and bert, who decides."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        folder = tmp_path_factory.mktemp("web")
        shutil.copytree(stock.data, folder / "data", ignore=shutil.ignore_patterns("*.lock", "locks", "processes"))
        with a_controller(folder) as controller:
            for name, role in (("anna", AccessRole.REQUESTER), ("bert", AccessRole.APPROVER)):
                controller.people.add_local(
                    name, title="", roles=[role], sites=None, password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
                )
            with serving(create_app(controller), Bind(port=0)) as server:
                yield f"http://127.0.0.1:{server.port}"


def opened(chromium: Chromium, home: str, name: str, **how: Any) -> Page:
    """A signed-in browser of that person; whatever it complains about fails the test."""
    page = chromium.new_context(base_url=home, viewport=how.pop("viewport", DESK), **how).new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: pytest.fail(f"script: {error}"))
    page.goto("/login")
    page.fill("#name", name)
    page.fill("#password", PASSWORD_OF_ANNA)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{home}/")
    return page


def tab_to(page: Page, selector: str) -> None:
    """By the Tab key alone."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"the keyboard never reaches {selector}")


def test_a_request_is_sent_and_approved_by_keyboard_alone(chromium: Chromium, home: str) -> None:
    anna = opened(chromium, home, "anna")
    anna.goto("/exceptions/new")
    anna.keyboard.press("Tab")
    expect(anna.locator(".skip")).to_be_focused()
    tab_to(anna, "input[value=berlin]")
    anna.keyboard.press("Space")
    tab_to(anna, "#sources")
    anna.keyboard.type("10.20.1.7")
    expect(anna.locator("#preview")).to_contain_text("10.20.1.7/32 would reach tiktok at berlin")
    tab_to(anna, "#reason")
    anna.keyboard.type("spring campaign")
    tab_to(anna, "button[value=send]")
    anna.keyboard.press("Enter")
    expect(anna.locator("[role=status]")).to_contain_text("Your request is sent")
    where = anna.url.partition("?")[0]

    bert = opened(chromium, home, "bert")
    bert.goto(where)
    tab_to(bert, "form[action$='/approve'] button")
    bert.keyboard.press("Enter")
    expect(bert.locator("[role=status]")).to_contain_text("Approved")
    expect(bert.locator("#live-said")).to_contain_text("Live on 0/1 devices")
    with bert.expect_response(lambda r: "/live?seen=" in r.url) as looked:
        pass
    assert looked.value.ok, "it looks again by itself"


@pytest.mark.parametrize("how", ["light", "dark", "phone"])
def test_axe_finds_no_serious_fault_and_nothing_runs_over_the_edge(chromium: Chromium, home: str, how: str) -> None:
    look: dict[str, Any] = {"color_scheme": "dark" if how == "dark" else "light"}
    if how == "phone":
        look |= {"viewport": PHONE, "has_touch": True}
    page = opened(chromium, home, "bert", **look)
    page.goto("/exceptions/new?sites=berlin&sources=10.20.1.9")
    page.fill("#reason", "a very long word: " + "x" * 200)
    page.click("button[value=draft]")
    detail = page.url.partition("?")[0].removeprefix(home)
    why = "/why?src=10.20.1.7&dst=www.tiktok.com"
    for path in (
        "/",
        "/exceptions",
        "/exceptions/new",
        detail,
        "/policy",
        "/emergencies",
        why,
        "/account",
        "/exceptions/none",
    ):
        page.goto(path)
        found = Axe().run(page)
        grave = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
        assert grave == [], f"{path}: {[(v['id'], [n['target'] for n in v['nodes']]) for v in grave]}"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"


def test_without_scripts_the_main_acts_work(chromium: Chromium, home: str) -> None:
    page = opened(chromium, home, "anna", java_script_enabled=False)
    page.goto("/exceptions/new?sites=berlin&sources=10.20.1.30")
    page.click("button[value=look]")
    assert "10.20.1.30/32 would reach tiktok" in page.inner_text("#preview")
    page.fill("#reason", "no scripts")
    page.click("button[value=send]")
    assert "Your request is sent" in page.inner_text("[role=status]")
    page.fill("#revoke-reason", "not needed")
    page.click("form[action$='/revoke'] button")
    assert "Revoked" in page.inner_text("[role=status]")
