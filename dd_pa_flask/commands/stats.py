from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa import ProductAnalyticsError
from dd_pa.doctor import as_json, as_lines, waiting


@click.command("stats")
@click.option("--json", "json_", is_flag=True, help="One JSON object, for monitoring.")
@with_appcontext
def command(json_: bool) -> None:
    """Show what waits on disk and what was rejected, of all processes of this host.

    What one process did since it started, its own `emitter.stats()` tells.
    """
    try:
        found = waiting(current_app.extensions["dd_pa"].emitter.settings)
    except (ProductAnalyticsError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(as_json(found) if json_ else "\n".join(as_lines(found)))
