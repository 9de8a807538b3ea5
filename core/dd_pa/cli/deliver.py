"""`dd-pa deliver`: delivers for all processes of this host that only write to the spool."""

from __future__ import annotations

import dataclasses
import logging
import signal

import click

from dd_pa.errors import SettingsError
from dd_pa.settings.settings import Settings
from dd_pa.store.deliverer_lock import AlreadyRunningError, lock_deliverer
from dd_pa.store.trusted_directory import UnsafePlaceError, spool_path

_ENDING = {signal.SIGTERM, signal.SIGINT}


@click.command("deliver")
def command() -> None:
    """Deliver what waits in the spool, in the foreground, until SIGTERM or Ctrl-C.

    The settings come from the environment, and must name the same application, intake and SPOOL_DIR as those of the
    web workers, which have DELIVERY=process. One runs per host and application.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = _settings()
    try:
        lock = lock_deliverer(settings)
    except (AlreadyRunningError, UnsafePlaceError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _deliver(settings)
    lock.close()


def _settings() -> Settings:
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if settings.spool_dir is None:
        raise click.ClickException("there is no spool to deliver from: set DD_PA_SPOOL_DIR to a path or to auto")
    return dataclasses.replace(settings, delivery="thread")


def _deliver(settings: Settings) -> None:
    from dd_pa.delivery.gate import RetryPolicy  # noqa: PLC0415 - --help needs no delivery
    from dd_pa.delivery.pipeline import Pipeline  # noqa: PLC0415

    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # also for the thread that is started now; taken up below
    pipeline = Pipeline(None, settings, transport=None, retry=RetryPolicy(), for_all=True)
    pipeline.start()
    click.echo(f"dd-pa delivers from {spool_path(str(settings.spool_dir))} to {settings.intake_url}", err=True)
    signal.sigwait(_ENDING)
    pipeline.close(settings.shutdown_timeout)
    stats = pipeline.stats()
    click.echo(f"{stats.delivered} events delivered; {stats.spool_bytes} bytes wait for the next start", err=True)
