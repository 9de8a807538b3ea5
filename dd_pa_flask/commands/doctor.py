from __future__ import annotations

from collections.abc import Iterator

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa.doctor import Finding, examine, examine_outbox, failed, report
from dd_pa_flask.state import AppState


@click.command("doctor")
@with_appcontext
def command() -> None:
    """Examine the app's settings, the intake, the key, the clock, the spool and the outbox.

    Sends no event. Ends with 1 if something keeps events from arriving.
    """
    findings = []
    for finding in _findings(current_app.extensions["dd_pa"]):
        click.echo(report(finding))
        findings.append(finding)
    if failed(findings):
        raise SystemExit(1)


def _findings(state: AppState) -> Iterator[Finding]:
    if state.lacking is not None:
        yield Finding(state="failure", subject="settings", text=str(state.lacking))
        return
    yield from examine(state.emitter.settings)
    if state.outbox is None or not state.emitter.settings.enabled:
        return
    from dd_pa_flask.outbox import current_outbox  # noqa: PLC0415 - needs SQLAlchemy

    yield from examine_outbox(
        current_outbox(),
        where=f"table {state.outbox[1].fullname}",
        how_to_make="make it as your other tables: flask db migrate and flask db upgrade, or db.create_all()",
        how_to_deliver="flask dd-pa deliver",
    )
