"""Tokens of one's own on the page of one's account."""

from __future__ import annotations

import re

import pytest

from tests.api.browsing import Browser
from tests.api.conftest import Office
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import office, signed

__all__ = ["office", "quick_hashes"]
TEXT = re.compile(r"tokgate_[0-9a-f]{8}_[0-9a-f]{64}")


def made(browser: Browser, **more: str) -> str:
    form = {"name": "my-script", "scopes": "read", "days": "30", **more}
    return browser.send("/account/tokens", page="/account", **form).text


def test_a_token_is_made_shown_once_used_and_revoked(office: Office) -> None:
    vera = signed(office, "vera")
    assert 'value="operate"' not in vera.get("/account").text, "what she may not is not offered"
    text = TEXT.search(made(vera))
    assert text
    office.tokens["own"] = text[0]
    assert office.get("/me", token="own")["actor"] == "person:vera"
    shown = vera.get("/account").text
    assert text[0] not in shown
    where = re.search(r'action="(/account/tokens/[0-9a-z]{26}/revoke)"', shown)
    assert where
    other = signed(office, "olga")
    assert other.send(where[1], page="/account").status_code == 404
    assert vera.send(where[1], page="/account").status_code == 303
    assert office.ask("GET", "/api/v1/me", token="own").status_code == 401


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"scopes": "operate"}, "do not hold operate"),
        ({"scopes": "everything"}, "what it may do"),
        ({"days": "9999"}, "how long"),
        ({"name": "My Script"}, "ower-case letters"),
    ],
)
def test_what_is_wrong_is_said_on_the_page(office: Office, more: dict[str, str], why: str) -> None:
    vera = signed(office, "vera")
    answer = made(vera, **more)
    assert why in answer
    assert not TEXT.search(answer)
    assert office.controller.own_tokens.all(vera.office.controller.people.get("vera").name) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"name": "My Script"}, "token-name"), ({"scopes": "all"}, "token-scopes"), ({"days": "400"}, "token-days")],
)
def test_what_was_refused_keeps_what_was_chosen_and_leads_to_its_field(
    office: Office, wrong: dict[str, str], field: str
) -> None:
    page = made(signed(office, "vera"), **({"days": "90"} | wrong))
    assert f'<a href="#{field}">' in page
    if "scopes" not in wrong:
        assert 'value="read" checked' in page
    if "days" not in wrong:
        assert '<option value="90" selected>' in page
