"""`dd-pa spool`: what waits on disk, and what was rejected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click

from dd_pa.observe.log import printable
from dd_pa.store.dead_letters import DeadLetterEntry
from dd_pa.store.inspection import Room, rooms
from dd_pa.store.trusted_directory import UnsafePlaceError, spool_path

_directory = click.option(
    "--directory",
    default="auto",
    envvar="DD_PA_SPOOL_DIR",
    show_envvar=True,
    help="The spool's directory; auto: the one in this user's state directory.",
)


@click.group("spool")
def command() -> None:
    """Show what waits on disk; list, replay or purge the events that were rejected."""


@command.command("list")
@_directory
@click.option("--show", is_flag=True, help="Show the events too, with their attributes.")
def list_(directory: str, *, show: bool) -> None:
    """List what waits, and the dead letters with the reason of each."""
    for room in _rooms(directory):
        click.echo(_summary(room))
        for entry in room.entries():
            click.echo(f"  {_line(room, entry)}")
            if show:
                click.echo(f"    {printable(bytes(entry.letter.event).decode(errors='replace'))}")


@command.command()
@_directory
@click.argument("ids", nargs=-1)
def replay(directory: str, ids: tuple[str, ...]) -> None:
    """Have rejected events delivered again: those with these IDs, or all."""
    _settle(directory, ids, lambda room, chosen: room.replay(chosen), "replayed")


@command.command()
@_directory
@click.argument("ids", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask before all are purged.")
def purge(directory: str, ids: tuple[str, ...], *, yes: bool) -> None:
    """Forget rejected events: those with these IDs, or all."""
    if not ids and not yes:
        click.confirm("Purge all dead letters?", abort=True)
    _settle(directory, ids, lambda room, chosen: room.purge(chosen), "purged")


def _settle(
    directory: str, ids: tuple[str, ...], settle: Callable[[Room, list[DeadLetterEntry]], int], verb: str
) -> None:
    done = 0
    for room in _rooms(directory):
        chosen = [entry for entry in room.entries() if not ids or _id(room, entry) in ids]
        try:
            done += settle(room, chosen) if chosen else 0
        except OSError as error:
            raise click.ClickException(f"the spool cannot be written: {error.strerror}") from None
    click.echo(f"{done} {verb}")
    if ids and done < len(set(ids)):
        raise click.ClickException(f"{len(set(ids)) - done} of the IDs are no dead letters that can be {verb}")


def _rooms(directory: str) -> Iterator[Room]:
    try:
        yield from rooms(spool_path(directory))
    except UnsafePlaceError as error:
        raise click.ClickException(str(error)) from None


def _id(room: Room, entry: DeadLetterEntry) -> str:
    event = entry.event(room.header.application_id)
    return event.id if event is not None else f"{entry.segment.removesuffix('.seg')}-{entry.offset}"


def _summary(room: Room) -> str:
    sizes = room.waiting.sizes()
    segments = room.waiting.names()
    oldest = "" if room.oldest is None else f", oldest from {_ago(room.oldest)}"
    return printable(
        f"application {room.header.application_id} to {room.header.intake}: {sum(sizes.values()):,} bytes wait in "
        f"{len(segments)} segments{oldest}; {len(room.entries())} dead letters"
    )


def _line(room: Room, entry: DeadLetterEntry) -> str:
    event, letter = entry.event(room.header.application_id), entry.letter
    name, size = (event.name, len(event.body)) if event is not None else ("?", 0)
    columns = (_id(room, entry), name, letter.reason, letter.detail, _ago(letter.rejected_at), f"{size} bytes")
    return "  ".join(printable(column)[:200] for column in columns if column)


def _ago(milliseconds: int) -> str:
    seconds = max(0, int(time.time() - milliseconds / 1000))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
