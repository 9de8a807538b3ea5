from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa.doctor import examine, failed, report


@click.command("doctor")
@with_appcontext
def command() -> None:
    """Examine the app's settings, the intake, the key, the clock and the spool.

    Sends no event. Ends with 1 if something keeps events from arriving.
    """
    findings = []
    for finding in examine(current_app.extensions["dd_pa"].emitter.settings):
        click.echo(report(finding))
        findings.append(finding)
    if failed(findings):
        raise SystemExit(1)
