"""`dd-pa relay`: what waits on a broker, and what was rejected."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from dd_pa.cli.deliver import broker
from dd_pa.observe.log import printable
from dd_pa.relay.brokers import RelayQueue, open_queue
from dd_pa.relay.relay_letters import RelayLetter

_ca_file = click.option(
    "--ca-file", envvar="DD_PA_CA_FILE", show_envvar=True, help="PEM file of authorities to trust too."
)
_from = click.option(
    "--from",
    "url",
    required=True,
    envvar="DD_PA_RELAY_URL",
    show_envvar=True,
    metavar="URL",
    help="The broker (redis://…, nats://…, amqp://…, kafka://…).",
)


@click.group("relay")
def command() -> None:
    """Show what waits on a broker; list, replay or purge the events that were rejected."""


@command.command("list")
@_from
@click.option("--show", is_flag=True, help="Show the events too, with their attributes.")
def list_(url: str, *, show: bool) -> None:
    """List what waits, and the dead letters with the reason of each."""
    with _opened(url) as queue:
        counts = queue.counts()
        claimed = "" if counts.claimed is None else f"{counts.claimed:,} are on their way, "
        click.echo(f"{counts.waiting:,} wait, {claimed}{counts.rejected:,} dead letters")
        for letter in queue.letters():
            click.echo(f"  {_line(letter)}")
            if show:
                click.echo(f"    {printable(letter.body.decode(errors='replace'))}")


@command.command()
@_from
@click.argument("ids", nargs=-1)
def replay(url: str, ids: tuple[str, ...]) -> None:
    """Have rejected events delivered again: those with these IDs, or all."""
    _settle(url, ids, lambda queue: queue.replay(ids), "replayed")


@command.command()
@_from
@click.argument("ids", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask before all are purged.")
def purge(url: str, ids: tuple[str, ...], *, yes: bool) -> None:
    """Forget rejected events: those with these IDs, or all."""
    if not ids and not yes:
        click.confirm("Purge all dead letters?", abort=True)
    _settle(url, ids, lambda queue: queue.purge(ids), "purged")


def _settle(url: str, ids: tuple[str, ...], settle: Callable[[RelayQueue], int], verb: str) -> None:
    with _opened(url) as queue:
        done = settle(queue)
    click.echo(f"{done} {verb}")
    if ids and done < len(set(ids)):
        raise click.ClickException(f"{len(set(ids)) - done} of the IDs are no dead letters")


@contextmanager
def _opened(url: str) -> Iterator[RelayQueue]:
    address = broker(url)
    queue = open_queue(address, ca_file=os.environ.get("DD_PA_CA_FILE"))
    try:
        yield queue
    except click.ClickException:
        raise
    except Exception as error:  # whatever a client raises; none of them shares a base with another
        raise click.ClickException(f"{address.shown} cannot be used: {error}") from None
    finally:
        queue.close()


def _line(letter: RelayLetter) -> str:
    rejected_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(letter.rejected_at / 1000))
    columns = (letter.id, letter.name, letter.reason, letter.detail, rejected_at, f"{len(letter.body)} bytes")
    return "  ".join(printable(column)[:200] for column in columns if column)
