"""The table of what arrived. Whatever came over the network is shown as plain text, without control characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from example_project.demo.expected import Happening
from example_project.demo.verdict import Verdict, differences

WIDE = 150
LONGEST = 200
WIDEST_ID = 24
HEADINGS = ("Event", "User", "Account", "Session")


def new_console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def show(console: Console, arrived: Sequence[Happening], verdict: Verdict) -> None:
    console.print(table(arrived, verdict.unexpected))
    if verdict.is_good:
        console.print(
            f"[green]✓[/] All {len(arrived)} expected events arrived, each linked as it should be; nothing else did."
        )
        return
    for line in complaints(verdict):
        console.print(Text(f"✗ {line}", style="red"))


def table(arrived: Sequence[Happening], unexpected: Sequence[Happening]) -> Table:
    made = Table(
        title="What arrived",
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        expand=True,
    )
    widths = [max((cells[place].cell_len for cells in map(row, arrived)), default=0) for place in range(len(HEADINGS))]
    for heading, width in zip(HEADINGS, widths, strict=True):
        made.add_column(heading, no_wrap=True, min_width=min(width, WIDEST_ID))
    made.add_column("Attributes", overflow="ellipsis", no_wrap=True, ratio=1)
    for shop in dict.fromkeys(event.shop for event in arrived):
        made.add_row(Text(clean(shop), style="bold"))
        for event in (event for event in arrived if event.shop == shop):
            made.add_row(*row(event), style="red" if event in unexpected else None)
    return made


def row(event: Happening) -> tuple[Text, ...]:
    ids = (event.usr, event.account, event.session and event.session[:8])
    return (plain(f"  {event.name}"), *(plain(cell) for cell in ids), plain(" ".join(flat(event.attributes))))


def complaints(verdict: Verdict) -> Iterator[str]:
    """Say what is wrong, one line each; an event that is only linked or filled wrongly is said once, not twice."""
    unexpected = list(verdict.unexpected)
    for wanted in verdict.missing:
        twin = next((item for item in unexpected if (item.shop, item.name) == (wanted.shop, wanted.name)), None)
        if twin is None:
            yield f"missing: {describe(wanted)}"
        else:
            unexpected.remove(twin)
            parts = "; ".join(clean(part) for part in differences(wanted, twin))
            yield f"different: {wanted.shop} {wanted.name}: {parts}"
    for item in unexpected:
        yield f"unexpected: {describe(item)}"
    for refusal in verdict.refused:
        yield f"refused with {refusal.status}: {clean(refusal.name or '–')}: {clean(refusal.reason)}"


def describe(event: Happening) -> str:
    ids = f"user {event.usr or '–'}, account {event.account or '–'}, session {event.session or '–'}"
    return clean(f"{event.shop} {event.name} ({ids}) {' '.join(flat(event.attributes))}")


def flat(attributes: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in attributes.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}={str(value).lower() if isinstance(value, bool) else value}"


def plain(value: str | None) -> Text:
    return Text(clean(value)) if value else Text("–", style="dim")


def clean(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:LONGEST])
