"""Lines over work that grows by tens, as an SVG file; both scales are logarithmic.

A line that rises by one square for each to the right grows with the work; a flat one does not grow at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.chart import STYLE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 320, 70, 190, 58, 40
LINES = """
.line { fill: none; stroke-width: 2 }
.a { stroke: #632ca6 } .b { stroke: #1a7f37 } .c { stroke: #bf8700 } .d { stroke: #9aa4b0 }
@media (prefers-color-scheme: dark) {
  .a { stroke: #a371f7 } .b { stroke: #3fb950 } .c { stroke: #d29922 } .d { stroke: #6e7681 }
}
"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Up to four lines."""

    name: str
    """Of the file, without its ending."""

    title: str
    across: str
    """What grows from left to right."""

    up: str
    """What is measured."""

    lines: Mapping[str, Points]

    def svg(self) -> str:
        """Return the file's content."""
        points = [point for line in self.lines.values() for point in line]
        columns, rows = _tens([x for x, _ in points]), _tens([y for _, y in points])
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(self.title)}</title><style>{STYLE}{LINES}</style>",
            f'<text class="title" x="8" y="20">{escape(self.title)}</text>',
            f'<text class="note" x="8" y="37">{escape(self.up)}; both scales logarithmic</text>',
            *(_column(power, columns) for power in columns),
            *(_row(power, rows) for power in rows),
            f'<text class="note" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">'
            f"{escape(self.across)}</text>",
        ]
        for kind, (label, line) in zip("abcd", self.lines.items(), strict=False):
            places = [(_x(x, columns), _y(y, rows)) for x, y in line if y > 0]
            if not places:
                continue
            way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline class="line {kind}" points="{way}"/>')
            parts += [f'<circle class="line {kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places]
            parts.append(
                f'<text class="note" x="{places[-1][0] + 8:.1f}" y="{places[-1][1] + 4:.1f}">{escape(label)}</text>'
            )
        return "\n".join([*parts, "</svg>"]) + "\n"


def _tens(values: Sequence[float]) -> range:
    powers = [math.log10(value) for value in values if value > 0] or [0.0]
    low = math.floor(min(powers))
    return range(low, max(math.ceil(max(powers)), low + 1) + 1)


def _x(value: float, powers: range) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(value) - powers[0]) / (powers[-1] - powers[0])


def _y(value: float, powers: range) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - powers[0]) / (powers[-1] - powers[0])


def _column(power: int, powers: range) -> str:
    x = _x(10.0**power, powers)
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="note" x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{10.0**power:,.6g}</text>'
    )


def _row(power: int, powers: range) -> str:
    y = _y(10.0**power, powers)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="note" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,.6g}</text>'
    )
