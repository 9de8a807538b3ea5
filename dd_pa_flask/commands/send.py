from __future__ import annotations

import json

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa import Emitter, EventError

PATIENCE = 10.0
"""Seconds to wait for the intake's answer."""


@click.command("send")
@click.argument("name", default="dd_pa.test_sent")
@click.argument("attributes", default="{}")
@click.option("--usr", default="dd-pa-test", show_default=True, help="The event's usr.id.")
@click.option("--account", help="The event's account.id.")
@with_appcontext
def command(name: str, attributes: str, usr: str, account: str | None) -> None:
    """Send one event now, with the app's settings, and say what became of it.

    ATTRIBUTES is a JSON object. Ends with 1 if the intake does not take the event within 10 seconds.
    """
    emitter: Emitter = current_app.extensions["dd_pa"].emitter
    try:
        details = json.loads(attributes)
        event_id = emitter.track(name, details, usr=usr, account=account)
    except (ValueError, EventError) as error:
        raise click.ClickException(str(error)) from None
    if event_id is None:
        raise click.ClickException(f"the event was not kept: {_reasons(emitter)}")
    if not emitter.flush(PATIENCE) or emitter.stats().rejected:
        raise click.ClickException(f"the event did not arrive: {emitter.stats().last_error or 'no answer yet'}")
    click.echo(f"{name} arrived at {emitter.settings.intake_url} as {event_id}")


def _reasons(emitter: Emitter) -> str:
    return ", ".join(emitter.stats().dropped) or "DD_PA_ENABLED is off"
