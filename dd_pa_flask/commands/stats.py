from __future__ import annotations

import json

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa import ProductAnalyticsError
from dd_pa.doctor import as_lines, as_numbers, outbox_lines, outbox_numbers, waiting
from dd_pa_flask.state import AppState


@click.command("stats")
@click.option("--json", "json_", is_flag=True, help="One JSON object, for monitoring.")
@with_appcontext
def command(json_: bool) -> None:
    """Show what waits on disk and in the outbox, and what was rejected, of all processes of this host.

    What one process did since it started, its own `emitter.stats()` tells.
    """
    state: AppState = current_app.extensions["dd_pa"]
    try:
        found = waiting(state.emitter.settings)
    except (ProductAnalyticsError, OSError) as error:
        raise click.ClickException(str(error)) from None
    outbox = _outbox(state)
    if json_:
        click.echo(json.dumps({**as_numbers(found), **({} if outbox is None else {"outbox": outbox})}))
        return
    click.echo("\n".join(as_lines(found)))
    if outbox is not None:
        click.echo("\n".join(outbox_lines(outbox)))


def _outbox(state: AppState) -> dict[str, float | None] | None:
    if state.outbox is None:
        return None
    from dd_pa_flask.outbox import current_outbox  # noqa: PLC0415 - needs SQLAlchemy

    return outbox_numbers([current_outbox()])
