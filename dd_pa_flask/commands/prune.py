from __future__ import annotations

import time

import click
from flask.cli import with_appcontext

from dd_pa_flask.outbox import current_outbox


@click.command("prune")
@click.option(
    "--days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Keep those of the last so many days.",
)
@with_appcontext
def command(*, days: float) -> None:
    """Delete events of the outbox that were rejected some time ago. Delivered ones are gone already."""
    deleted = current_outbox().prune(int((time.time() - days * 86400) * 1000))
    click.echo(f"{deleted} rejected events deleted")
