"""Horizontal bars as an SVG file that can be read on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 220, 110, 22, 58
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.note { font-size: 11px; fill: #57606a }
.grid { stroke: #d0d7de; stroke-width: 1 }
.ours { fill: #632ca6 }
.peer { fill: #9aa4b0 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9da7b3 }
  .grid { stroke: #30363d }
  .ours { fill: #a371f7 }
  .peer { fill: #6e7681 }
}
"""


class Bar(NamedTuple):
    """One bar; those of dd-pa are coloured."""

    label: str
    value: float
    shown: str
    """The value as text; empty: made from the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars from the smallest possible value to the greatest."""

    name: str
    """Of the file, without its ending."""

    title: str
    unit: str
    bars: Sequence[Bar]
    logarithmic: bool = False
    """Each grid line is ten times the one before it."""

    def svg(self) -> str:
        """Return the file's content."""
        height = TOP + ROW * len(self.bars) + 10
        axis = f"{self.unit}, logarithmic scale" if self.logarithmic else self.unit
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(self.title)}</title><style>{STYLE}</style>",
            f'<text class="title" x="8" y="20">{escape(self.title)}</text>',
            f'<text class="note" x="8" y="37">{escape(axis)}</text>',
            *self._grid(height),
            *(self._bar(number, bar) for number, bar in enumerate(self.bars)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _grid(self, height: int) -> list[str]:
        return [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 8}"/>'
            f'<text class="note" x="{x:.1f}" y="{TOP - 10}" text-anchor="middle">{value:g}</text>'
            for value in self._ticks()
            for x in [LEFT + self._length(value)]
        ]

    def _ticks(self) -> list[float]:
        if self.logarithmic:
            return [10.0**power for power in range(self._powers[0], self._powers[1] + 1)]
        step: float = 10 ** math.floor(math.log10(self._greatest or 1))
        step = step / 2 if self._greatest / step < 3 else step
        return [step * number for number in range(int(self._greatest / step) + 1)]

    @property
    def _greatest(self) -> float:
        return max((bar.value for bar in self.bars), default=0.0)

    @property
    def _powers(self) -> tuple[int, int]:
        values = [math.log10(bar.value) for bar in self.bars if bar.value > 0] or [0.0]
        return math.floor(min(values)), max(math.ceil(max(values)), math.floor(min(values)) + 1)

    def _length(self, value: float) -> float:
        room = WIDTH - LEFT - RIGHT
        if not self.logarithmic:
            return room * value / (self._greatest or 1)
        low, high = self._powers
        return room * max(0.0, (math.log10(value) - low) / (high - low)) if value > 0 else 0.0

    def _bar(self, number: int, bar: Bar) -> str:
        y, length = TOP + ROW * number, max(2.0, self._length(bar.value))
        kind = "ours" if bar.label.startswith("dd-pa") else "peer"
        shown = bar.shown or f"{bar.value:,.1f}"
        return (
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(bar.label)}</text>'
            f'<rect class="{kind}" x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 7}" rx="2"/>'
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{escape(shown)}</text>'
        )
