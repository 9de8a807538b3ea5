"""`dd-pa doctor`: why do no events arrive?"""

from __future__ import annotations

import itertools

import click

from dd_pa.cli.deliver import broker
from dd_pa.doctor import Finding, examine, examine_relay, failed, report
from dd_pa.errors import SettingsError
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.settings.settings import Settings


@click.command("doctor")
@click.option("--from", "source", metavar="URL", help="Examine this broker too, as dd-pa deliver --from would use it.")
def command(source: str | None) -> None:
    """Examine the settings of the environment, the intake or the broker, the key, the clock and the spool.

    Sends no event. Ends with 1 if something keeps events from arriving.
    """
    relay = None if source is None else broker(source)
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    run(settings, relay)


def run(settings: Settings, relay: RelayAddress | None = None) -> None:
    """Print what is found as it is found; for the commands of frameworks too. Exits with 1 at a failure."""
    findings: list[Finding] = []
    more = () if relay is None else examine_relay(relay, ca_file=settings.ca_file, timeout=settings.timeout)
    for finding in itertools.chain(examine(settings), more):
        click.echo(report(finding))
        findings.append(finding)
    if failed(findings):
        raise SystemExit(1)
