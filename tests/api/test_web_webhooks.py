"""Webhooks made, changed and removed in a browser: the key is shown once, kept nowhere, and asked for by its place."""

from __future__ import annotations

import re
from pathlib import Path

from controller.webhooks import new_secret
from tests.api.conftest import Office
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import office as office
from tests.api.test_web_pages import signed

__all__ = ["quick_hashes"]
KEY = re.compile(r"whsec_[A-Za-z0-9+/=]{40,}")


def test_a_webhook_is_made_changed_and_removed_on_its_pages(office: Office, tmp_path: Path) -> None:
    root, desk = signed(office, "root"), office.controller.webhooks
    shown = root.send("/webhooks/key", page="/webhooks", name="chat", url="https://chat.example.org/x")
    found = KEY.search(shown.text)
    assert found
    assert 'value="chat"' in shown.text, "what was typed is still there"
    assert found[0] not in root.get("/webhooks").text
    (tmp_path / "key").write_text(found[0])
    form = {
        "name": "chat",
        "url": "https://chat.example.org/x",
        "form": "json",
        "kinds": "exception",
        "sites": "berlin",
        "secret": f"secret://file{tmp_path}/key",
    }
    assert root.send("/webhooks", **form).headers["location"] == "/webhooks?done=webhook-added"
    hook, _, _ = desk.get("chat")
    assert (hook.kinds, hook.sites) == (("exception",), {"berlin"})
    assert found[0] not in root.get("/webhooks/chat").text
    edited = root.send("/webhooks/chat/edit", page="/webhooks/chat", url="https://other.example.org/y", kinds="run")
    assert edited.headers["location"] == "/webhooks?done=webhook-edit"
    after, _, _ = desk.get("chat")
    assert (after.url, after.kinds, after.sites, after.secret) == (
        "https://other.example.org/y", ("run",), None, hook.secret,
    )  # fmt: skip
    (tmp_path / "key2").write_text(new_secret().reveal())
    root.send("/webhooks/chat/rotate", page="/webhooks/chat", secret=f"secret://file{tmp_path}/key2")
    assert desk.get("chat")[0].old_secret == hook.secret
    kept = root.send("/webhooks/chat/remove", page="/webhooks/chat", name="chatt")
    assert (kept.status_code, "nothing was done" in kept.text.lower()) == (409, True)
    assert root.send("/webhooks/chat/remove", page="/webhooks/chat", name="chat").status_code == 303
    assert desk.all() == []
    acts = [e.action for e in office.controller.audit(limit=20) if e.action.startswith("webhook.")]
    assert acts == ["webhook.remove", "webhook.rotate", "webhook.edit", "webhook.add"]


def test_what_is_wrong_leads_to_its_field_and_nothing_typed_is_lost(office: Office, tmp_path: Path) -> None:
    root = signed(office, "root")
    good = {"name": "chat", "url": "https://chat.example.org/x", "form": "json", "kinds": "run", "secret": ""}
    for wrong, field in (
        ({}, "secret"),
        ({"secret": "whsec_abc"}, "secret"),
        ({"secret": f"secret://file{tmp_path}/none"}, ""),
        ({"url": "ftp://x"}, "url"),
        ({"name": "Chat"}, "name"),
        ({"form": "slack"}, "url"),
        ({"kinds": "no"}, "kinds"),
    ):
        answer = root.send("/webhooks", **{**good, **wrong})
        assert answer.status_code == 422, wrong
        assert (f'href="#{field}"' if field else "/none") in answer.text, wrong
        assert 'value="https://chat.example.org/x"' in answer.text or "url" in wrong
        assert "whsec_abc" not in answer.text, "a key that was typed by mistake is not told"
    assert office.controller.webhooks.all() == []


def test_only_administrators_of_everything_make_and_change_them(office: Office) -> None:
    uwe = signed(office, "uwe")
    assert "Tell another receiver" not in uwe.get("/webhooks").text
    assert uwe.get("/webhooks/chat").status_code == 403
    for path in ("/webhooks", "/webhooks/key", "/webhooks/chat/edit", "/webhooks/chat/remove"):
        assert uwe.send(path, page="/account", name="chat").status_code == 403, path
