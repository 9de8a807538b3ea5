from __future__ import annotations

from functools import partial

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from dd_pa.outbox import OutboxDeliverer, deliver_in_foreground
from dd_pa_flask.outbox import current_outbox


@click.command("deliver")
@click.option("--once", is_flag=True, help="End when no event waits, or with status 1.")
@click.option(
    "--lease",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds after which another takes what a dead deliverer held.",
)
@click.option(
    "--poll",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Most seconds between two looks.",
)
@with_appcontext
def command(*, once: bool, lease: float, poll: float) -> None:
    """Deliver the events of the outbox, in the foreground, until SIGTERM or Ctrl-C.

    Any number of these may run, on any number of hosts.
    """
    outbox, emitter = current_outbox(), current_app.extensions["dd_pa"].emitter
    if not emitter.settings.enabled:
        raise click.ClickException("DD_PA_ENABLED is false: nothing can be delivered")
    deliverer = OutboxDeliverer(emitter.settings, outbox, sender=emitter, lease=lease, poll=poll)
    try:
        done = deliver_in_foreground(deliverer, once=once, say=partial(click.echo, err=True))
    except SQLAlchemyError as error:
        raise click.ClickException(f"the outbox cannot be used: {error}") from error
    if once and not done:
        raise click.ClickException("events are left in the outbox")
