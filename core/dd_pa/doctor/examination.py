"""What is looked at: the settings and their surroundings, the intake, the spool and the outbox."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dd_pa.delivery.intake_probe import ProbeAnswer, probe
from dd_pa.doctor.plan_examination import examine_plan
from dd_pa.doctor.relay_examination import examine_relay, examine_tap
from dd_pa.doctor.report import OLD, Finding, State
from dd_pa.errors import SpoolError
from dd_pa.network.outcome import Verdict
from dd_pa.network.tls_trust import is_secure
from dd_pa.outbox import Counts, OutboxTable, is_missing_table
from dd_pa.process import hosts
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.store.inspection import SpoolContents

_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def examine_configuration(settings: Settings) -> Iterator[Finding]:
    """Say what the settings come to, and what of the surroundings is at odds with them."""
    if not settings.enabled:
        yield Finding(state="warning", subject="ENABLED", text="is off: nothing is built, stored or sent")
        return
    yield Finding(state="ok", subject="settings", text=_summary(settings))
    if callable(settings.enabled):
        yield _switch(settings.enabled)
    yield from _proxy(settings)
    advice: list[str] = []
    hosts.advise(lambda _, text: advice.append(text))
    yield from (Finding(state="warning", subject="server", text=text) for text in advice)


def _switch(ask: Callable[[], object]) -> Finding:
    try:
        answer = ask()
    except Exception as error:  # the application's own; at an event it would be a no
        return Finding(state="failure", subject="ENABLED", text=f"its callable fails: {type(error).__name__}")
    if answer is True:
        return Finding(state="ok", subject="ENABLED", text="its callable says yes now")
    return Finding(state="warning", subject="ENABLED", text=f"its callable says {answer!r} now: no event is built")


def _summary(settings: Settings) -> str:
    tags = (("service", settings.service), ("env", settings.env), ("version", settings.version))
    known = "".join(f", {name} {value}" for name, value in tags if value)
    mode = "strict" if settings.strict else "lenient"
    return f"application {settings.application_id} to {settings.destination}, {mode}{known}; dd-pa {version('dd-pa')}"


def _proxy(settings: Settings) -> Iterator[Finding]:
    found = [name for name in _PROXY_VARIABLES if os.environ.get(name)]
    if settings.proxy:
        yield Finding(state="ok", subject="PROXY", text="is set: delivery goes through it")
    elif found and is_secure(settings):
        fix = "set PROXY if the intake is reached through it only"
        yield Finding(
            state="note", subject="PROXY", text=f"is not set, and {found[0]} of the environment is not read", fix=fix
        )


MAX_SKEW = 60.0
"""Seconds that the clocks may differ: `occurred_at` and whether a session is alive go by this machine's."""


def examine_intake(settings: Settings) -> Iterator[Finding]:
    """Say how the intake is reached and whether it is, whether it takes the key, and agrees on the time."""
    answer = probe(settings)
    if answer.protocol is None or answer.outcome.verdict in (Verdict.DELIVERED, Verdict.REJECT, Verdict.PAUSE):
        yield _transport(settings, answer.protocol)
    yield _reached(settings, answer)
    if answer.skew is not None:
        yield _clock(answer.skew)


def _transport(settings: Settings, protocol: str | None) -> Finding:
    way = "over TLS" if is_secure(settings) else "without TLS, to this machine"
    if protocol == "HTTP/2":
        text = f"HTTP/2 {way}, by dd-pa itself: some 0.1 ms of processor time an event"
        return Finding(state="ok", subject="transport", text=text)
    if protocol is not None:
        fix = "have HTTP/2 spoken there: it takes a twentieth of that"
        text = f"{protocol} {way}, by {_client()}: some 2 ms of processor time an event"
        return Finding(state="note", subject="transport", text=text, fix=fix)
    why = "PROXY is set" if settings.proxy else "TRANSPORT says so"
    text = f"{_client()}, as {why}: some 2 ms of processor time an event"
    return Finding(state="note", subject="transport", text=text)


def _client() -> str:
    """Return the name of the general client that is used here."""
    from dd_pa.network.httpx_library import httpx  # noqa: PLC0415 - the probe has loaded it

    return httpx.__name__


def _reached(settings: Settings, answer: ProbeAnswer) -> Finding:
    outcome = answer.outcome
    said = f"{outcome.reason} {outcome.detail}".strip()
    if outcome.verdict in (Verdict.DELIVERED, Verdict.REJECT):
        text = f"{settings.intake_url} answers in {answer.seconds * 1000:.0f} ms and takes the key"
        return Finding(state="ok", subject="intake", text=text)
    if outcome.verdict is Verdict.PAUSE:
        fix = "check API_KEY, SITE and INTAKE_URL: the key must be an API key of that site"
        return Finding(state="failure", subject="API_KEY", text=f"{settings.intake_url} refuses it: {said}", fix=fix)
    fix = "check INTAKE_URL or SITE, the network, PROXY and CA_FILE; events are kept until it answers"
    if settings.is_local:
        fix = "start the emulator (dd-pa emulator), or what else INTAKE_URL means; events are kept until it answers"
    return Finding(state="failure", subject="intake", text=f"{settings.intake_url} does not answer: {said}", fix=fix)


def _clock(skew: float) -> Finding:
    if abs(skew) <= MAX_SKEW:
        return Finding(state="ok", subject="clock", text=f"within {max(1, round(abs(skew)))} s of the intake's")
    direction = "ahead of" if skew > 0 else "behind"
    fix = "synchronise it (NTP): sessions are taken for expired, and occurred_at is wrong"
    return Finding(
        state="warning",
        subject="clock",
        text=f"{abs(skew):.0f} s {direction} the intake's, or its answer was old",
        fix=fix,
    )


def examine_spool(settings: Settings) -> Iterator[Finding]:
    """Say whether events are safe on disk, and what waits or was rejected there."""
    if settings.spool_dir is None:
        yield Finding(
            state="note", subject="SPOOL_DIR", text="is None: a killed process loses what waits in its memory"
        )
        return
    try:
        found = waiting(settings)
    except (SpoolError, OSError) as error:
        fix = "until then events wait in memory, and a killed process loses them"
        yield Finding(state="warning", subject="SPOOL_DIR", text=str(error), fix=fix)
        return
    if found is None:
        yield Finding(state="note", subject="SPOOL_DIR", text="this system has no flock: events wait in memory")
        return
    yield from _explained(settings, found)


def spool_place(settings: Settings) -> str | None:
    """Return the directory that SPOOL_DIR means, or None where there is none. Opens nothing."""
    if settings.spool_dir is None or find_spec("fcntl") is None:
        return None
    from dd_pa.store.trusted_directory import UnsafePlaceError, spool_path  # noqa: PLC0415 - cannot be imported without fcntl

    try:
        return spool_path(settings.spool_dir)
    except UnsafePlaceError:  # `examine_spool` says so
        return None


def waiting(settings: Settings) -> SpoolContents | None:
    """Look into the spool of the settings' application, made if it is missing; None where there can be none.

    Raises `SpoolError` if the directory cannot be trusted or used, and `OSError`.
    """
    if settings.spool_dir is None or find_spec("fcntl") is None:
        return None
    from dd_pa.store.destination import Destination  # noqa: PLC0415 - cannot be imported without fcntl
    from dd_pa.store.directory import AlienFileError  # noqa: PLC0415
    from dd_pa.store.inspection import look_into  # noqa: PLC0415
    from dd_pa.store.trusted_directory import UnsafePlaceError  # noqa: PLC0415

    try:
        return look_into(Destination(settings.spool_dir, settings.application_id, settings.destination))
    except (UnsafePlaceError, AlienFileError) as error:
        raise SpoolError(str(error)) from None


def _explained(settings: Settings, found: SpoolContents) -> Iterator[Finding]:
    text = f"{found.bytes:,} of {settings.spool_max_bytes:,} bytes in {found.segments} segments, in {found.path}"
    yield Finding(state="ok", subject="SPOOL_DIR", text=text)
    yield from _backlog(found)
    if found.rejected:
        fix = "dd-pa spool list shows the reasons; dd-pa spool replay sends them again"
        yield Finding(state="warning", subject="dead letters", text=f"{found.rejected} rejected events", fix=fix)
    if settings.delivery == "process" and not found.is_delivered:
        fix = "start dd-pa deliver with the same settings, one per host"
        yield Finding(state="failure", subject="DELIVERY", text="is process, and no dd-pa deliver runs", fix=fix)


def _backlog(found: SpoolContents) -> Iterator[Finding]:
    if found.age is not None and found.age > OLD:
        text = f"an event waits since {found.age / 60:,.0f} min"
        yield Finding(
            state="warning", subject="backlog", text=text, fix="see whether a process delivers, and the intake"
        )


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


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield one finding after the other, as they are made. Blocks on the network for at most twice `TIMEOUT`.

    Sends no event: the intake gets an empty object, which it refuses, but only after it has looked at the key. With
    RELAY_URL, the broker is looked at in its place.
    """
    yield from examine_configuration(settings)
    if not settings.enabled:
        return
    if settings.relay is not None:
        yield from examine_relay(settings.relay, ca_file=settings.ca_file, timeout=settings.timeout)
    else:
        yield from examine_intake(settings)
        yield from examine_plan(settings)
    if settings.tap is not None:
        yield from examine_tap(settings.tap, ca_file=settings.ca_file, timeout=settings.timeout)
    yield from examine_spool(settings)
