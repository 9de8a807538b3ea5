from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from dd_pa.doctor.finding import Finding, State
from dd_pa.doctor.spool import OLD
from dd_pa.outbox import Counts, OutboxTable, is_missing_table


def examine_outbox(
    table: OutboxTable, *, where: str, how_to_make: str, how_to_deliver: str, needed: bool = True
) -> Iterator[Finding]:
    """Say whether an outbox is there, and whether what is in it leaves. Blocks on the database.

    `where` names it; the next two are the commands that make its table and deliver from it. Unless it is `needed`, a
    missing table is no failure.
    """
    now = time.time_ns() // 1_000_000
    try:
        counts, oldest = table.counts(now), table.oldest()
    except Exception as error:  # whatever a library raises; its words may hold a password
        yield _unusable(error, where, how_to_make, needed=needed)
        return
    age = 0.0 if oldest is None else (now - oldest) / 1000
    waits = f"{counts.waiting:,} wait, {counts.claimed:,} on their way"
    if age > OLD:
        text = f"{where}: an event waits since {age / 60:,.0f} min ({waits})"
        fix = f"see whether {how_to_deliver} runs with the same settings, and what it says"
        yield Finding(state="failure", subject="outbox", text=text, fix=fix)
    else:
        yield Finding(state="ok", subject="outbox", text=f"{where}: {waits}")
    if counts.rejected:
        fix = "see the reasons in the table; delete them by the command that prunes"
        text = f"{counts.rejected:,} rejected events in the outbox, {where}"
        yield Finding(state="warning", subject="dead letters", text=text, fix=fix)


def _unusable(error: Exception, where: str, how_to_make: str, *, needed: bool) -> Finding:
    if is_missing_table(error):
        state: State = "failure" if needed else "warning"
        text = f"{where}: there is no table, so events of its transactions leave without the outbox"
        return Finding(state=state, subject="outbox", text=text, fix=how_to_make)
    text = f"{where}: cannot be read: {type(error).__name__}"
    return Finding(state="failure", subject="outbox", text=text, fix="see whether the database is there, and its log")


def outbox_numbers(tables: Sequence[OutboxTable]) -> dict[str, float | None]:
    """Return what is in some outboxes, added up, by name; ages in seconds. Raises what the database raises."""
    now = time.time_ns() // 1_000_000
    counts = [table.counts(now)._asdict() for table in tables]
    since = [found for table in tables if (found := table.oldest()) is not None]
    numbers: dict[str, float | None] = {name: sum(count[name] for count in counts) for name in Counts._fields}
    return {**numbers, "oldest_pending_age": max(0.0, (now - min(since)) / 1000) if since else None}


def outbox_lines(numbers: Mapping[str, float | None]) -> list[str]:
    """Return the same for a person."""
    lines = ["outbox: {waiting} wait, {claimed} on their way, {rejected} rejected".format(**numbers)]
    age = numbers["oldest_pending_age"]
    return lines if age is None else [*lines, f"outbox: the oldest waits since {age:,.0f} s"]
