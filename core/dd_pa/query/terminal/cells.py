"""The cells of tables. Every text is stripped of what controls a terminal, and none is read as rich's markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.bar import Bar
from rich.console import RenderableType
from rich.text import Text

from dd_pa.observe.log import printable

_STYLE = "cyan"
_BLOCKS = "▁▂▃▄▅▆▇█"
_DAY = 86_400_000
_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0))


def text(value: str) -> Text:
    """Return a text that can do no harm."""
    return Text(printable(value))


def cell(value: Any) -> Text:
    """Return a value as it is read best."""
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(str(value))
    return Text(_number(value))


def _number(value: float) -> str:
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4g}"


def share(value: float, whole: float) -> str:
    """Return a part as a percentage."""
    return f"{value / whole:.1%}" if whole else "–"


def took(milliseconds: float | None) -> str:
    """Return a length of time in its largest unit."""
    if milliseconds is None:
        return "–"
    seconds = milliseconds / 1000
    return next((f"{seconds / size:.1f} {unit}" for unit, size in _UNITS if seconds >= size), f"{seconds:.1f} s")


def moment(at: int, interval: int) -> Text:
    """Return when a bucket begins: the day, where buckets are whole days."""
    when = datetime.fromtimestamp(at / 1000, UTC)
    return Text(f"{when:%Y-%m-%d}" if interval % _DAY == 0 else f"{when:%m-%d %H:%M:%S}".removesuffix(":00"))


def greatest(values: Iterable[Any]) -> float:
    """Return the greatest number, or 0."""
    return max((value for value in values if isinstance(value, int | float)), default=0)


def bar(value: Any, most: float) -> RenderableType:
    """Return a bar whose length says how large a value is beside the greatest one."""
    if not isinstance(value, int | float) or value <= 0 or most <= 0:
        return ""
    return Bar(size=most, begin=0, end=value, color=_STYLE)


def line(values: Sequence[float], width: int) -> Text:
    """Return a line of blocks, one for each value, or for the greatest of several where there is no room."""
    pieces = [values[at * len(values) // width : (at + 1) * len(values) // width] for at in range(width)]
    heights = [max(piece) for piece in pieces] if len(values) > width else values
    most = max(heights, default=0)
    return Text("".join(_BLOCKS[int(height / most * 7)] if height > 0 else " " for height in heights), style=_STYLE)
