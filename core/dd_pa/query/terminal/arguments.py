"""The options, once for all commands that have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("query", default=""),
    click.option("--by", multiple=True, metavar="FACET", help="Group by a facet (@plan); may be given again."),
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help="Most groups; with --list most events (100), with --paths most values at a step.",
    ),
    click.option(
        "--compute",
        default="count",
        show_default=True,
        metavar="WHAT",
        help="count, or distinct, sum, avg, min, max, median or pc95 of a facet: sum:@order.total.",
    ),
    click.option("--last", default="7d", show_default=True, metavar="TIME", help="How far to look back: 12h, 7d, 4w."),
    click.option("--interval", metavar="TIME", help="One number for each time of this length: 1h, 1d."),
    click.option("--funnel", metavar="A,B,C", help="Who did one thing after another; QUERY, if given, narrows it."),
    click.option("--within", metavar="TIME", help="With --funnel: most time from the first step to the last."),
    click.option(
        "--entity",
        type=click.Choice(["session", "user", "account"]),
        help="Who is followed: with --funnel sessions when left out, with --retention users.",
    ),
    click.option("--retention", metavar="A[,B]", help="Who did A, and in a later period B (A again when left out)."),
    click.option(
        "--period",
        type=click.Choice(["day", "week", "month"]),
        help="With --retention: of what length; weeks when left out.",
    ),
    click.option("--paths", metavar="FACET", help="Which way sessions go, by a facet: @event.name, @view.name."),
    click.option("--list", "listed", metavar="FACETS", help="Single events: these facets of each, as @usr.id,@plan."),
    click.option("--csv", is_flag=True, help="Print the rows as CSV."),
    click.option("--json", is_flag=True, help="Print the rows as JSON."),
)

KINDS = {"--funnel": "funnel", "--retention": "retention", "--paths": "paths", "--list": "listed"}
BELONGS = {
    "by": ("", "--funnel"),
    "compute": ("",),
    "interval": ("",),
    "within": ("--funnel",),
    "entity": ("--funnel", "--retention"),
    "period": ("--retention",),
}
"""Which kinds of question an option has a meaning for; "" is a number of events."""

HELP = """Ask Datadog, or the emulator, what happened.

QUERY is an event's name (order.placed, order.*), a search in Datadog's syntax, or * for everything.
Ends with 1 if there is no answer, and with 2 if the command or a setting is wrong.
"""


def options(command: F) -> F:
    """Decorate a function so that click calls it with the fields of a `Question`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
