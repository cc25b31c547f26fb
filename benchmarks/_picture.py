"""The picture of the peers' table, as SVG: bars on a logarithmic scale, legible on a light and on a dark page."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from benchmarks._figures import shown

__all__ = ["picture"]

WIDTH, LABELS, NUMBERS = 960, 305, 195
ROW, BAR, GAP = 26, 16, 54
OURS = "fpd"

STYLE = """
  .card { fill: #ffffff; stroke: #d8dee6 }
  .title { font: 600 15px system-ui, sans-serif; fill: #17202b }
  .label, .number { font: 13px system-ui, sans-serif; fill: #2b3644 }
  .number { font-variant-numeric: tabular-nums }
  .small { font: 11px system-ui, sans-serif; fill: #5a6675 }
  .ours { fill: #1664c0 } .theirs { fill: #9aa6b4 } .bare { fill: #d3dae2 }
  .line { stroke: #e6ebf0 } .late { stroke: #2b3644 }
  .strong { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #141a21; stroke: #2d3742 }
    .title { fill: #eef2f6 } .label, .number { fill: #d5dce4 } .small { fill: #94a1af }
    .ours { fill: #5aa2f5 } .theirs { fill: #65717f } .bare { fill: #3c4753 }
    .line { stroke: #232c36 } .late { stroke: #d5dce4 }
  }
"""


def picture(table: dict[str, Any], *, caption: str) -> str:
    """Two panels of bars.

    Args:
        table: the table `peers`, as kept in `docs/performance.json`.
        caption: machine, date and load, below.
    """
    rows = table["rows"]
    panels = [
        ("One log call with four metrics: median, and the line to its 99 %", "us", "us99", "µs"),
        ("Until another process has read it: median, and the line to its 99 %", "seen_ms", "seen99_ms", "ms"),
    ]
    parts: list[str] = []
    top = 20
    for title, key, late, unit in panels:
        drawn = [row for row in rows if row.get(key) is not None]
        parts += _panel(title, drawn, key, late, unit, top, set(table.get("versions", {})))
        top += GAP + ROW * len(drawn) + 14
    height = top + 34
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(_in_words(rows))}">'
    )
    card = f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>'
    below = f'<text class="small" x="24" y="{height - 18}">{escape(caption)}</text>'
    return "\n".join([head, f"<style>{STYLE}</style>", card, *parts, below, "</svg>"]) + "\n"


def _panel(
    title: str, rows: list[dict[str, Any]], key: str, late: str, unit: str, top: int, packages: set[str]
) -> list[str]:
    numbers = [row[name] for row in rows for name in (key, late) if isinstance(row.get(name), (int, float))]
    low, high = math.floor(math.log10(min(numbers))), math.ceil(math.log10(max(numbers)))
    left, width = LABELS, WIDTH - LABELS - NUMBERS

    def at(value: float) -> float:
        return left + width * (math.log10(value) - low) / (high - low)

    bottom = top + GAP + ROW * len(rows) - 8
    parts = [f'<text class="title" x="24" y="{top + 14}">{escape(title)}</text>']
    for power in range(low, high + 1):
        x = at(10.0**power)
        parts.append(f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 40}" y2="{bottom}"/>')
        tick = f"{10**power:,}".replace(",", " ") if power >= 0 else f"{10.0**power:g}"
        parts.append(f'<text class="small" x="{x:.1f}" y="{top + 34}" text-anchor="middle">{tick} {unit}</text>')
    for number, row in enumerate(rows):
        y = top + GAP - 6 + ROW * number
        ours = row["peer"].startswith(OURS)
        kind = "ours" if ours else "theirs" if row["peer"] in packages else "bare"
        value = row[key]
        parts.append(
            f'<text class="label{" strong" if ours else ""}" x="{left - 12}" y="{y + 13}" '
            f'text-anchor="end">{escape(row["peer"])}</text>'
        )
        if isinstance(value, str):
            parts.append(f'<text class="number" x="{left + 8}" y="{y + 13}">{escape(value)}</text>')
            continue
        bar = f'width="{max(2.0, at(value) - left):.1f}" height="{BAR}" rx="2"'
        parts.append(f'<rect class="{kind}" x="{left}" y="{y}" {bar}/>')
        end, worst = at(value), row.get(late)
        if isinstance(worst, (int, float)) and worst > value:
            end, middle = at(worst), y + BAR / 2
            parts.append(f'<line class="late" x1="{at(value):.1f}" x2="{end:.1f}" y1="{middle}" y2="{middle}"/>')
        parts.append(
            f'<text class="number{" strong" if ours else ""}" x="{end + 8:.1f}" y="{y + 13}">'
            f"{shown(value)} {unit}{f' (99 %: {escape(worst)})' if isinstance(worst, str) else ''}</text>"
        )
    return parts


def _in_words(rows: list[dict[str, Any]]) -> str:
    told = (f"{row['peer']} {shown(row['us'])} µs" for row in rows if isinstance(row.get("us"), (int, float)))
    return f"One log call, median: {', '.join(told)}."
