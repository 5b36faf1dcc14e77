"""The week of a policy as one SVG: hours by days, for each role. Pure; needs nothing from elsewhere.

What a colour says, a pattern says too, and the same stands in words for who sees neither. It follows the reader's dark
or light, and prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from controller.policy_week import PolicyWeek, Span, WeekDay, WeekLine, line_title, week_text
from vendors.week import DAY

_LEFT, _HOUR, _ROW, _GAP, _TOP = 118, 26, 22, 4, 74
_WIDTH: Final = _LEFT + 24 * _HOUR + 18
_BLOCK: Final = 7 * (_ROW + _GAP) + 64
_TITLE: Final = 70
"""So many characters of a title are as wide as the picture."""
_STYLE: Final = """
.page{fill:#fff}text{fill:#1b1f24;font:13px system-ui,sans-serif}.title{font-size:17px;font-weight:600}
.role{font-weight:600}.small{font-size:11px;fill:#57606a}.grid{stroke:#d0d7de;stroke-width:1}
.enforce{fill:#b3261e}.monitor{fill:#fbe3b0}.off{fill:#eef1f4}.stripe{stroke:#8a5a00;stroke-width:2.5}
.edge{fill:none;stroke:#8c959f;stroke-width:.7}.holiday{font-style:italic}
@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9da7b3}.grid{stroke:#30363d}
.enforce{fill:#f2736b}.monitor{fill:#4a3a12}.off{fill:#1c2330}.stripe{stroke:#e3b341}.edge{stroke:#6e7681}}
"""
_PATTERN: Final = """\
<defs><pattern id="watch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect class="monitor" width="7" height="7"/><line class="stripe" x1="0" y1="0" x2="0" y2="7"/></pattern></defs>"""


def render_week(week: PolicyWeek) -> str:
    """The picture, with its words."""
    height = _TOP + len(week.lines) * _BLOCK + 18 + 16 * len(week.notes)
    first, last = week.days[0].date, week.days[-1].date
    rest = f": policy {week.policy}, {first} to {last}"
    title = f"{week.title}{rest}"
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(title)}</title>',
        f'<desc id="d">{escape(". ".join((*week_text(week), *week.notes)))}</desc>',
        f"<style>{_STYLE}</style>",
        _PATTERN,
        f'<rect class="page" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="16" y="28">{escape(_fit(week.title, _TITLE - len(rest)))}{escape(rest)}</text>',
        f'<text class="small" x="16" y="48">{escape(week.time_zone)}, by the wall clock</text>',
    )
    blocks = (part for n, line in enumerate(week.lines) for part in _block(week, line, _TOP + n * _BLOCK))
    foot = _TOP + len(week.lines) * _BLOCK + 12
    notes = (
        f'<text class="small" x="16" y="{foot + 16 * n}">{escape(said)}</text>' for n, said in enumerate(week.notes)
    )
    return "\n".join((*head, *_legend(), *blocks, *notes, "</svg>", ""))


def _fit(text: str, most: int) -> str:
    """The beginning of a long title; all of it stands in the words of the picture."""
    room = max(most, 12)
    return text if len(text) <= room else f"{text[: room - 1].rstrip()}…"


def _legend() -> Iterator[str]:
    for n, (mode, words) in enumerate((("enforce", "blocked"), ("monitor", "watched"), ("off", "off"))):
        x = _WIDTH - 276 + n * 92
        place = f'x="{x}" y="38" width="18" height="13"'
        yield f'<rect {_fill(mode)} {place}/><rect class="edge" {place}/>'
        yield _small(words, x=x + 24, y=49)


def _small(words: str, *, x: int, y: int) -> str:
    return f'<text class="small" x="{x}" y="{y}">{words}</text>'


def _fill(mode: str) -> str:
    return 'fill="url(#watch)"' if mode == "monitor" else f'class="{mode}"'


def _block(week: PolicyWeek, line: WeekLine, top: int) -> Iterator[str]:
    yield f'<text class="role" x="16" y="{top + 14}">{escape(line_title(week, line))}</text>'
    for hour in range(0, 25, 3):
        x = _LEFT + hour * _HOUR
        yield f'<text class="small" x="{x}" y="{top + 32}" text-anchor="middle">{hour:02}:00</text>'
    for n, (day, spans) in enumerate(zip(week.days, line.days, strict=True)):
        yield from _row(day, spans, top + 38 + n * (_ROW + _GAP))
    for hour in range(0, 25, 3):
        x = _LEFT + hour * _HOUR
        yield f'<line class="grid" x1="{x}" y1="{top + 36}" x2="{x}" y2="{top + 36 + 7 * (_ROW + _GAP)}"/>'


def _row(day: WeekDay, spans: tuple[Span, ...], y: int) -> Iterator[str]:
    label = f"{day.name[:3]} {day.date:%d %b}" + (" *" if day.holiday else "")
    kind = ' class="holiday"' if day.holiday else ""
    yield f'<text{kind} x="16" y="{y + 16}">{label}</text>'
    for span in spans:
        x, width = _LEFT + span.start * 24 * _HOUR / DAY, (span.end - span.start) * 24 * _HOUR / DAY
        said = escape(f"{day.name} {span.words}")
        yield (
            f'<rect {_fill(span.mode.value)} x="{x:g}" y="{y}" width="{width:g}" height="{_ROW}">'
            f"<title>{said}</title></rect>"
            f'<rect class="edge" x="{x:g}" y="{y}" width="{width:g}" height="{_ROW}" pointer-events="none"/>'
        )


__all__ = ["render_week"]
