"""What the demo tells while it runs, and what it has proven at the end: each claim with its evidence."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One claim, whether it held, and what was seen."""

    claim: str
    holds: bool
    evidence: str


@dataclass(slots=True, kw_only=True)
class Story:
    """Chapters and checks, printed as they happen."""

    console: Console
    checks: list[Check] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _chapters: int = 0

    def chapter(self, title: str) -> None:
        self._chapters += 1
        self.console.print()
        self.console.rule(f"[bold]{self._chapters}. {escape(title)}[/bold]  ({self.seconds:.0f} s)", align="left")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, asked: str, answer: str) -> None:
        """A command and what it printed."""
        self.console.print(f"[bold cyan]$[/bold cyan] [cyan]{escape(asked)}[/cyan]", soft_wrap=True)
        self.say(answer.rstrip("\n"))

    def check(self, claim: str, holds: bool, evidence: str) -> None:
        """Record and print one proof."""
        self.checks.append(Check(claim=claim, holds=holds, evidence=evidence))
        sign = "[green]✓[/green]" if holds else "[bold red]✗[/bold red]"
        self.console.print(f"{sign} {escape(claim)}  [dim]{escape(evidence)}[/dim]", highlight=False, soft_wrap=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def holds(self) -> bool:
        """Whether there was something to prove and all of it held."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def summary(self) -> None:
        """The table at the end."""
        table = Table("", "what was proven", "evidence", title="Summary", title_justify="left", show_lines=False)
        for check in self.checks:
            sign = "[green]✓[/green]" if check.holds else "[bold red]✗[/bold red]"
            table.add_row(sign, escape(check.claim), escape(check.evidence))
        self.console.print()
        self.console.print(table, highlight=False)
        failed = sum(not check.holds for check in self.checks)
        verdict = f"{failed} did NOT hold" if failed else "all of them held"
        self.say(f"{len(self.checks)} claims checked, {verdict}; {self.seconds:.0f} s.")
