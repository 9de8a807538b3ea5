from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa import ProductAnalyticsError
from dd_pa.doctor import TEST_EVENT, send_now
from dd_pa_flask.state import AppState


@click.command("send")
@click.argument("name", default=TEST_EVENT)
@click.argument("attributes", default="{}")
@click.option("--usr", default="dd-pa-test", show_default=True, help="The event's usr.id.")
@click.option("--account", help="The event's account.id.")
@with_appcontext
def command(name: str, attributes: str, usr: str, account: str | None) -> None:
    """Send one event now, with the app's settings, and say what became of it.

    ATTRIBUTES is a JSON object. Ends with 1 if the intake does not take the event within 10 seconds.
    """
    state: AppState = current_app.extensions["dd_pa"]
    settings = state.emitter.settings
    if state.lacking is not None:
        raise click.ClickException(str(state.lacking))
    try:
        event_id = send_now(settings, name, attributes, usr=usr, account=account)
    except ProductAnalyticsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{name} arrived at {settings.intake_url} as {event_id}")
