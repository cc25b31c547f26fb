"""Curves, sparklines and bars out of letters: dots of braille, blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, isfinite, log10
from typing import NamedTuple

from rich.text import Text

__all__ = ["Curve", "bar", "figure", "plot", "sparkline"]

Point = tuple[float, float | None]

MARK = "●"
_BLOCKS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille letter's dots, by row and column (Unicode 16, chapter 21.1)."""
_BRAILLE = 0x2800
_ROOM = 0.08
"""How much of the height stays free above and below the curves."""


class Curve(NamedTuple):
    """One line of a plot."""

    points: Sequence[Point]
    """By x, ascending; `None` is a gap."""
    style: str = ""
    marked: bool = False
    """Each point has a mark, so that it is told from an unmarked line without colours."""


def bar(done: int, total: int | None, width: int) -> str:
    """How much is done, `width` letters wide; empty where nobody said of how much."""
    if not total or width < 1:
        return ""
    filled = floor(width * max(0, min(done, total)) / total + 0.5)
    return "█" * filled + "░" * (width - filled)


def sparkline(points: Sequence[Point], total: float | None, width: int, low: float, high: float) -> str:
    """The curve as one row of blocks whose `width` means the whole run, so that its length is progress.

    Args:
        points: by x, from 1 on.
        total: the last x that is planned; without it, and past it, the last x there is.
        width: in letters.
        low: what the lowest block means.
        high: what the highest one means.
    """
    told = [(x, y) for x, y in points if y is not None and isfinite(y)]
    if not told or width < 1:
        return " " * max(0, width)
    last = max(total or 0.0, told[-1][0], 1.0)
    cells: list[float | None] = [None] * width
    for x, y in told:
        first, end = floor((x - 1) / last * width), floor(x / last * width)
        for i in range(max(0, first), min(width, max(first + 1, end))):
            cells[i] = y
    span = high - low
    return "".join(" " if y is None else _BLOCKS[_level((y - low) / span if span > 0 else 0.5)] for y in cells)


def _level(share: float) -> int:
    return max(0, min(len(_BLOCKS) - 1, floor(share * len(_BLOCKS))))


def figure(value: float) -> str:
    """A number for an axis or a legend: three decimals where that is enough, and a real minus sign."""
    size = abs(value)
    told = f"{value:.3f}" if size < 100 and (size == 0 or size >= 0.001) else f"{value:.3g}"
    return told.replace("-", "\N{MINUS SIGN}")


def plot(curves: Sequence[Curve], *, width: int, height: int, last_x: float, unit: str) -> list[Text]:
    """Curves over 1 to `last_x`, with numbers at both axes: `height` rows of at most `width` letters.

    Args:
        curves: later ones are drawn over earlier ones.
        width: in letters, those of the axis among them.
        height: in rows, that of the axis among them.
        last_x: where the axis ends: the planned end of the run, so that a curve grows into the room kept for it.
        unit: what x counts: `epoch` or `round`.

    Returns:
        No rows where there is no room for any, one that says so where there are no numbers yet.
    """
    if width < 12 or height < 3:
        return []
    values = [y for curve in curves for _, y in curve.points if y is not None and isfinite(y)]
    if not values:
        rows = [Text("")] * height
        rows[height // 2] = Text(f"first value after {unit} 1".center(width).rstrip(), style="dim")
        return rows
    low, high = _range(values)
    names = [figure(high), figure((low + high) / 2), figure(low)]
    margin = max(map(len, names))
    inner, deep = width - margin - 2, height - 1
    if inner < 4:
        return []
    last_x = max(last_x, *(curve.points[-1][0] for curve in curves if curve.points), 2.0)
    canvas = _Canvas(inner, deep)
    for curve in curves:
        spots = [_spot(point, last_x, low, high, canvas) for point in curve.points]
        canvas.line(spots, curve.style)
        if curve.marked or sum(spot is not None for spot in spots) == 1:
            canvas.marks(spots, curve.style)
    labels = {0: names[0], deep - 1: names[2]}
    if deep >= 5:
        labels[deep // 2] = names[1]
    drawn = []
    for i, row in enumerate(canvas.rows()):
        head = Text(f"{labels.get(i, '').rjust(margin)} {'┤' if i in labels else '│'}", style="dim")
        drawn.append(head.append_text(row))
    end = f"{unit} {last_x:g}"
    axis = f"{'1'.rjust(margin + 2)}{end.rjust(inner)}" if len(end) < inner - 2 else end.rjust(width)
    return [*drawn, Text(axis, style="dim")]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From where to where the axis goes: round numbers around all values."""
    low, high = min(values), max(values)
    if high - low < 1e-12:
        room = abs(high) * 0.1 or 0.1
        return low - room, high + room
    room = (high - low) * _ROOM
    step = 10 ** floor(log10(high - low)) / 20
    return floor((low - room) / step) * step, -floor(-(high + room) / step) * step


def _spot(point: Point, last_x: float, low: float, high: float, canvas: _Canvas) -> tuple[int, int] | None:
    x, y = point
    if y is None or not isfinite(y):
        return None
    right, down = canvas.width * 2 - 1, canvas.height * 4 - 1
    across = floor((x - 1) / (last_x - 1) * right + 0.5)
    return max(0, min(right, across)), max(0, min(down, floor((high - y) / (high - low) * down + 0.5)))


class _Canvas:
    """Dots, two by four in each letter."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bits = [[0] * width for _ in range(height)]
        self._letters: dict[tuple[int, int], str] = {}
        self._styles: dict[tuple[int, int], str] = {}

    def line(self, spots: Sequence[tuple[int, int] | None], style: str) -> None:
        """Join neighbours; a gap breaks the line."""
        before: tuple[int, int] | None = None
        for spot in spots:
            if spot is not None:
                for x, y in _between(before or spot, spot):
                    column, row = x // 2, y // 4
                    self._bits[row][column] |= _DOTS[y % 4][x % 2]
                    self._styles[row, column] = style
            before = spot

    def marks(self, spots: Sequence[tuple[int, int] | None], style: str) -> None:
        """Mark points, where the one before is far enough for two marks to be two; always the newest."""
        at: int | None = None
        there = [spot for spot in spots if spot is not None]
        for i, (x, y) in enumerate(there):
            column, row = x // 2, y // 4
            if at is None or column - at >= 4 or i == len(there) - 1:
                self._letters[row, column] = MARK
                self._styles[row, column] = style
                at = column

    def rows(self) -> Iterator[Text]:
        for r, bits in enumerate(self._bits):
            row = Text()
            for c, bit in enumerate(bits):
                letter = self._letters.get((r, c)) or (chr(_BRAILLE | bit) if bit else " ")
                row.append(letter, style=self._styles.get((r, c), ""))
            row.rstrip()
            yield row


def _between(a: tuple[int, int], b: tuple[int, int]) -> Iterator[tuple[int, int]]:
    (x, y), (to_x, to_y) = a, b
    steps = max(abs(to_x - x), abs(to_y - y))
    for i in range(steps + 1):
        share = i / steps if steps else 0.0
        yield floor(x + (to_x - x) * share + 0.5), floor(y + (to_y - y) * share + 0.5)
