"""What is declared, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dd_pa.model_events.declaration import Declaration
from dd_pa.plan import registry


def event_lines(declared: Iterable[tuple[str, Declaration]]) -> Iterator[str]:
    """Yield a line for each event: what it is called, the name of the model or class, what brings it about."""
    lines = [(event.name, model, event.cause) for model, declaration in declared for event in declaration.events]
    lines += [(str(schema.name), schema.planned.source, "class") for schema in registry.declared()]
    lines.sort()
    widths = [max((len(line[column]) for line in lines), default=0) for column in (0, 1)]
    for name, model, cause in lines:
        yield f"{name:<{widths[0]}}  {model:<{widths[1]}}  {cause}"
