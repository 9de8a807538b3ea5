"""What is looked at of a broker that carries events: whether it is there, what waits on it, what may lose it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from dd_pa.doctor.report import OLD, Finding
from dd_pa.relay.brokers import RelayQueue, open_queue
from dd_pa.settings.relay_address import RelayAddress


def examine_tap(address: RelayAddress, *, ca_file: str | None, timeout: float) -> Iterator[Finding]:
    """Say whether the broker that gets copies is reached. Makes no stream; blocks for `timeout`."""
    queue = open_queue(address, ca_file=ca_file, timeout=timeout)
    try:
        there = "has the stream" if queue.is_there() else "has no such stream yet, which the first event makes"
        yield Finding(state="ok", subject="tap", text=f"{address.shown} answers; it {there}")
    except Exception as error:  # whatever a client raises; its words may quote the address
        fix = "check TAP_URL and CA_FILE; until it answers the copies stay in the spool, and delivery goes on"
        text = f"{address.shown} cannot be used: {type(error).__name__}"
        yield Finding(state="warning", subject="tap", text=text, fix=fix)
    finally:
        queue.close()


def examine_relay(address: RelayAddress, *, ca_file: str | None, timeout: float) -> Iterator[Finding]:
    """Say whether a broker is reached, and what is on it. Makes no stream; blocks, for `timeout` at each step."""
    queue = open_queue(address, ca_file=ca_file, timeout=timeout)
    try:
        yield from _examined(queue, address)
    except Exception as error:  # whatever a client raises; its words may quote the address
        fix = "check the host, user and password in RELAY_URL, and CA_FILE; until it answers events stay in the spool"
        text = f"{address.shown} cannot be used: {type(error).__name__}"
        yield Finding(state="failure", subject="relay", text=text, fix=fix)
    finally:
        queue.close()


def _examined(queue: RelayQueue, address: RelayAddress) -> Iterator[Finding]:
    if not queue.is_there():
        text = f"{address.shown} answers; it has no such stream yet, which the first event makes"
        yield Finding(state="note", subject="relay", text=text)
        return
    for weakness in queue.weaknesses():
        yield Finding(state="warning", subject="relay", text=f"{address.kind.name}: {weakness}")
    counts = queue.counts()
    oldest = queue.oldest() if counts.waiting else None
    age = 0.0 if oldest is None else time.time() - oldest / 1000
    claimed = "" if counts.claimed is None else f", {counts.claimed:,} on their way"
    waits = f"{address.shown}: {counts.waiting:,} wait{claimed}"
    if age > OLD:
        fix = "see whether dd-pa deliver --from runs with this address, and what it says"
        text = f"{waits}, the oldest since {age / 60:,.0f} min"
        yield Finding(state="failure", subject="relay", text=text, fix=fix)
    else:
        yield Finding(state="ok", subject="relay", text=waits)
    if counts.rejected:
        fix = "dd-pa relay list shows the reasons; dd-pa relay replay sends them again"
        yield Finding(state="warning", subject="dead letters", text=f"{counts.rejected:,} on the broker", fix=fix)
