from __future__ import annotations

import click
from flask.cli import with_appcontext

from dd_pa.model_events import event_lines
from dd_pa_flask.models import model_events


@click.command("events")
@with_appcontext
def command() -> None:
    """List the events that are declared on models: what they are called, and what brings them about."""
    for line in event_lines((model.__name__, declaration) for model, declaration in model_events.declared()):
        click.echo(line)
