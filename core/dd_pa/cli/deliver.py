"""`dd-pa deliver`: delivers for all processes of this host that only write to the spool, or from a broker."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from dd_pa.cli import log_lines
from dd_pa.errors import SettingsError
from dd_pa.settings.relay_address import RelayAddress, address
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.cli.status_server import ProbedDeliverer

_ENDING = {signal.SIGTERM, signal.SIGINT}


@click.command("deliver")
@click.option(
    "--from",
    "source",
    envvar="DD_PA_DELIVER_FROM",
    show_envvar=True,
    metavar="URL",
    help="Deliver from this broker (redis://…, nats://…, amqp://…, kafka://…).",
)
@click.option("--once", is_flag=True, help="With --from: end when nothing waits there.")
@click.option(
    "--lease",
    type=click.FloatRange(1.0, 3600.0),
    default=60.0,
    show_default=True,
    help="With --from: seconds after which the events of a deliverer that died wait again.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Serve /livez, /readyz and /metrics (OpenMetrics) on this port; needs dd-pa[metrics].",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="With --port: the address to listen on.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How lines are written to standard error.",
)
def command(source: str | None, *, once: bool, lease: float, port: int | None, host: str, log_format: str) -> None:
    """Deliver what waits in the spool, in the foreground, until SIGTERM or Ctrl-C.

    The settings come from the environment, and must name the same application, intake and SPOOL_DIR as those of the
    web workers, which have DELIVERY=process. One runs per host and application.

    With --from, deliver what others have published on a broker (RELAY_URL). Any number may run, on any hosts.
    """
    say = log_lines.start(log_format)
    serve = _serving(port, host, say)
    if source is not None:
        if not _deliver_from(source, once=once, lease=lease, say=say, serve=serve):
            raise click.exceptions.Exit(1)
    elif once:
        raise click.UsageError("--once needs --from")
    else:
        _deliver_spool(say, serve)


Serve = Callable[["ProbedDeliverer"], AbstractContextManager[object]]


def _serving(port: int | None, host: str, say: log_lines.Say) -> Serve:
    """Return what serves the state of a deliverer for as long as it is entered."""
    if port is None:
        return lambda deliverer: nullcontext()
    from dd_pa.cli.status_server import StatusServer, missing_library  # noqa: PLC0415 - where it is asked for

    missing = missing_library()
    if missing is not None:
        raise click.UsageError(missing)

    def serve(deliverer: ProbedDeliverer) -> StatusServer:
        try:
            server = StatusServer(host, port, deliverer)
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None
        say(f"dd-pa answers /livez, /readyz and /metrics on {host}:{server.port}")
        return server

    return serve


def _settings(**changes: object) -> Settings:
    try:
        found = Settings.from_env()
        return dataclasses.replace(found, **changes)  # type: ignore[arg-type]
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _deliver_spool(say: log_lines.Say, serve: Serve) -> None:
    from dd_pa.store.deliverer_lock import AlreadyRunningError, lock_deliverer  # noqa: PLC0415 - needs fcntl
    from dd_pa.store.trusted_directory import UnsafePlaceError  # noqa: PLC0415

    settings = _settings(delivery="thread")
    if settings.spool_dir is None:
        raise click.ClickException("there is no spool to deliver from: set DD_PA_SPOOL_DIR to a path or to auto")
    try:
        lock = lock_deliverer(settings)
    except (AlreadyRunningError, UnsafePlaceError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _deliver(settings, say, serve)
    lock.close()


def _deliver(settings: Settings, say: log_lines.Say, serve: Serve) -> None:
    from dd_pa.cli.status_server import SpoolDeliverer  # noqa: PLC0415
    from dd_pa.delivery.backoff import RetryPolicy  # noqa: PLC0415 - --help needs no delivery
    from dd_pa.delivery.pipeline import Pipeline  # noqa: PLC0415
    from dd_pa.store.trusted_directory import spool_path  # noqa: PLC0415

    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # also for the thread that is started now; taken up below
    pipeline = Pipeline(None, settings, transport=None, retry=RetryPolicy(), for_all=True)
    pipeline.start()
    say(f"dd-pa delivers from {spool_path(str(settings.spool_dir))} to {settings.destination}")
    with serve(SpoolDeliverer(settings, pipeline)):
        signal.sigwait(_ENDING)
        pipeline.close(settings.shutdown_timeout)
    stats = pipeline.stats()
    say(f"{stats.delivered} events delivered; {stats.spool_bytes} bytes wait for the next start")


def broker(url: str) -> RelayAddress:
    """Return the address that an option gives; exits with what is wrong with it."""
    try:
        return address("--from", url)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _deliver_from(url: str, *, once: bool, lease: float, say: log_lines.Say, serve: Serve) -> bool:
    from dd_pa.outbox import OutboxDeliverer, deliver_in_foreground  # noqa: PLC0415 - --help needs no delivery
    from dd_pa.relay.brokers import open_queue  # noqa: PLC0415

    found = broker(url)
    settings = _settings(relay_url=None)
    queue = open_queue(found, ca_file=settings.ca_file)
    deliverer = OutboxDeliverer(settings, queue, lease=lease, name=found.shown)
    try:
        with serve(deliverer):
            return deliver_in_foreground(deliverer, once=once, patient=not once, say=say)
    except click.ClickException:
        raise
    except Exception as error:  # whatever a client raises; none of them shares a base with another
        raise click.ClickException(f"{found.shown} cannot be used: {error}") from None
    finally:
        queue.close()
