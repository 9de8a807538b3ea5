"""`dd-pa doctor`: why do no events arrive?"""

from __future__ import annotations

import click

from dd_pa.doctor import Finding, examine, failed, report
from dd_pa.errors import SettingsError
from dd_pa.settings.settings import Settings


@click.command("doctor")
def command() -> None:
    """Examine the settings of the environment, the intake, the key, the clock and the spool.

    Sends no event. Ends with 1 if something keeps events from arriving.
    """
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    run(settings)


def run(settings: Settings) -> None:
    """Print what is found as it is found; for the commands of frameworks too. Exits with 1 at a failure."""
    findings: list[Finding] = []
    for finding in examine(settings):
        click.echo(report(finding))
        findings.append(finding)
    if failed(findings):
        raise SystemExit(1)
