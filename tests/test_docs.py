"""The documents hold together: every link leads somewhere, the CLI reference is current, the changelog has its form."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli.options import Page
from api.routes.reports import _CONTENT
from controller.evidence.formats import FORMATS
from controller.packs import regulations
from controller.reports.forms import MEDIA, Form
from controller.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """How a forge names the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path) -> list[str]:
    broken = []
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        found = page.parent / target if target else page
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            broken.append(f"{target}#{anchor}" if anchor else target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One head\n[a](nowhere.md) [b](#no-head) [c](#one-head) [d](page.md) [e](https://example.org/x)\n"
    )
    assert broken_links(page) == ["nowhere.md", "#no-head"]


def test_the_cli_reference_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/build_cli_docs.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_decision_says_situation_choice_and_price() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [r.name[:4] for r in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for record in records:
        heads = re.findall(r"^## (.+)$", record.read_text(encoding="utf-8"), re.MULTILINE)
        assert heads[:3] == ["Situation", "Choice", "Price"], record.name


def first_column(page: str, above: str) -> set[str]:
    """What is written as code in the first column of the table below that heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"\n## {above}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


def test_every_format_of_evidence_form_of_report_and_regulation_is_told() -> None:
    assert set(FORMATS) <= first_column("evidence.md", "Formats")
    assert set(Form) <= first_column("api.md", "Reports")
    assert {form.value for form in Form} | {"table"} == {form.value for form in Page}, "the command line has them too"
    assert set(_CONTENT) == {media.partition(";")[0] for media in MEDIA.values()}, "and the API's document"
    assert set(regulations.known()) == first_column("evidence-packs.md", "Regulations")


def test_every_setting_is_explained_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(TOKGATE_\w+)` \| `?([^|`]+?)`? \|", page, re.MULTILINE)
    told = {name: None if default == "not set" else default for name, default in rows}
    assert told.keys() == {f"TOKGATE_{name.upper()}" for name in Settings.model_fields}
    for name, default in told.items():
        if default is not None:
            given = Settings(**{name.removeprefix("TOKGATE_").lower(): default})
            assert given == Settings(), f"{name}: {default} is not the default"
