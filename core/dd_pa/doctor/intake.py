from __future__ import annotations

from collections.abc import Iterator

from dd_pa.delivery.outcome import Verdict
from dd_pa.delivery.probe import Answer, probe
from dd_pa.delivery.transport import is_secure
from dd_pa.doctor.finding import Finding
from dd_pa.settings.settings import Settings

MAX_SKEW = 60.0
"""Seconds that the clocks may differ: `occurred_at` and whether a session is alive go by this machine's."""


def examine_intake(settings: Settings) -> Iterator[Finding]:
    """Say how the intake is reached and whether it is, whether it takes the key, and agrees on the time."""
    answer = probe(settings)
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
        text = f"{protocol} {way}, by httpx: some 2 ms of processor time an event"
        return Finding(state="note", subject="transport", text=text, fix=fix)
    why = "PROXY is set" if settings.proxy else "TRANSPORT says so"
    text = f"httpx, as {why}: some 2 ms of processor time an event"
    return Finding(state="note", subject="transport", text=text)


def _reached(settings: Settings, answer: Answer) -> Finding:
    outcome = answer.outcome
    said = f"{outcome.reason} {outcome.detail}".strip()
    if outcome.verdict in (Verdict.DELIVERED, Verdict.REJECT):
        text = f"{settings.intake_url} answers in {answer.seconds * 1000:.0f} ms and takes the key"
        return Finding(state="ok", subject="intake", text=text)
    if outcome.verdict is Verdict.PAUSE:
        fix = "check API_KEY, SITE and INTAKE_URL: the key must be an API key of that site"
        return Finding(state="failure", subject="API_KEY", text=f"{settings.intake_url} refuses it: {said}", fix=fix)
    fix = "check INTAKE_URL or SITE, the network, PROXY and CA_FILE; events are kept until it answers"
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
