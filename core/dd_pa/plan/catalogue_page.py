"""The catalogue as one HTML file that needs nothing else: no script, no network, light or dark as the reader likes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from dd_pa.plan.catalogue import (
    TITLE,
    by_owner,
    code_spans,
    deprecated_things,
    deprecation,
    lines,
    personal_paths,
    summary,
)
from dd_pa.plan.model import Plan, PlannedEvent

_STYLE = """
:root { color-scheme: light dark; --bg: light-dark(#fff, #14161c); --text: light-dark(#171a24, #e9ebf2);
  --faint: light-dark(#565d70, #a3aabb); --line: light-dark(#d9dce4, #333846); --mark: light-dark(#5a35d6, #a391ff);
  --warn: light-dark(#8a5200, #f2b84b); }
* { box-sizing: border-box; }
body { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; background: var(--bg); color: var(--text);
  font: 15px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 .25rem; font-size: 1.75rem; } h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; }
h3 { margin: 2rem 0 .25rem; font-size: 1.1rem; } h3 code { font-weight: 600; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
a { display: inline-block; min-height: 24px; color: var(--mark); }
p { margin: .5rem 0; max-width: 75ch; } .faint { color: var(--faint); }
.warn { color: var(--warn); font-weight: 600; }
.wide { overflow-x: auto; } .wide:focus-visible { outline: 2px solid var(--mark); }
table { width: 100%; margin: .75rem 0; border-collapse: collapse; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--faint); font-size: .85em; } tbody th { font-weight: 400; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media print { h3, tr { break-inside: avoid; } }
"""


def page(plan: Plan) -> str:
    """Return the page."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">""",
            f"<title>{TITLE}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{TITLE}</h1>",
            f'<p class="faint">{len(plan.events)} events. Written by <code>dd-pa events catalogue</code>.</p>',
            *_overview(plan),
            *_events(plan),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _overview(plan: Plan) -> Iterator[str]:
    links = {event.name: f"event-{number}" for number, event in enumerate(_ordered(plan))}
    rows = [
        (_linked(event, links), _text(summary(event.description)), _text(owner))
        for owner, events in by_owner(plan).items()
        for event in events
    ]
    yield from _table("All events", ("Event", "What has happened", "Owner"), rows)
    personal = [(_linked(event, links), _code(path)) for event in _ordered(plan) for path in personal_paths(event)]
    if personal:
        yield "<h2>Personal data</h2>"
        yield "<p><code>PERSONAL_DATA</code> says whether these fields are left out, hashed or sent.</p>"
        yield from _table("Personal data", ("Event", "Field"), personal)
    old = [
        (_linked(event, links), _code(path) if path else "the event", _text(given.until), _code(given.use))
        for event in _ordered(plan)
        for path, given in deprecated_things(event)
    ]
    if old:
        yield "<h2>Deprecated</h2>"
        yield from _table("Deprecated", ("Event", "Field", "Until", "Use"), old)


def _events(plan: Plan) -> Iterator[str]:
    number = 0
    for owner, events in by_owner(plan).items():
        yield f"<h2>{_text(owner)}</h2>"
        for event in events:
            yield from _event(event, f"event-{number}")
            number += 1


def _ordered(plan: Plan) -> list[PlannedEvent]:
    return [event for events in by_owner(plan).values() for event in events]


def _event(event: PlannedEvent, anchor: str) -> Iterator[str]:
    yield "<section>"
    yield f'<h3 id="{anchor}">{_code(event.name)}</h3>'
    if event.deprecated is not None:
        yield f'<p class="warn">{_text(deprecation(event.deprecated).capitalize())}.</p>'
    yield from (f"<p>{_text(part)}</p>" for part in event.description.split("\n\n") if part.strip())
    if event.source:
        yield f'<p class="faint">Declared as {_code(event.source)}.</p>'
    rows = [
        (
            _code(line.path),
            "; ".join([_text(line.types), *(_text(note) for note in line.limits), *map(_warning, line.warnings)]),
            _text(line.presence),
            _text(line.description),
        )
        for line in lines(event)
    ]
    if rows:
        yield from _table(f"Fields of {event.name}", ("Field", "Value", "Present", "Description"), rows)
    else:
        yield "<p>No fields.</p>"
    yield "</section>"


def _table(caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table of cells that are HTML already; the first of a row is its head."""
    said = escape(caption)
    yield f'<div class="wide" role="region" aria-label="{said}" tabindex="0"><table><caption>{said}</caption>'
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f"<thead><tr>{columns}</tr></thead>"
    yield "<tbody>"
    for first, *rest in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _linked(event: PlannedEvent, links: dict[str, str]) -> str:
    return f'<a href="#{links[event.name]}">{_code(event.name)}</a>'


def _warning(text: str) -> str:
    return f'<span class="warn">{_text(text)}</span>'


def _text(text: str) -> str:
    """Return a text on one line, with its spans of code as such."""
    return code_spans(" ".join(text.split()), escape, lambda span: _code(span[1:-1]))


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""
