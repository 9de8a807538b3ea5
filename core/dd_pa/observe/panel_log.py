"""What became of the events of one request, for a debug panel. Nothing is written down unless a panel follows.

A panel makes an `PanelLog` and lets the thread or task of its request `follow` it. Each event that is tracked there
becomes a `Step`: whom it was linked to and by what, and where it went.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol
from weakref import WeakValueDictionary

import msgspec

from dd_pa.observe import observers, signals

MAX_STEPS = 500
"""Most events that a log keeps; the rest is only counted."""

EventState = Literal["built", "waits", "waits_in_outbox", "sent", "sent_on_commit", "stored", "dropped", "raised"]

IN_CODE = "given to track()"
IN_BLOCK = "identify() block"
IN_JOB = "job header"
IN_FALLBACK = "SESSION_FALLBACK"

_HEADERS = {"baggage": "baggage header", "_dd_s_v2": "cookie _dd_s_v2", "_dd_s": "cookie _dd_s"}

watching = False
"""Whether a panel has ever followed in this process. The one thing that events are asked for where none has."""


class Step(msgspec.Struct, weakref=True, kw_only=True):
    """One call of `track()`, and what came of it."""

    name: object
    """As it was given: perhaps not even a text."""

    at: float = msgspec.field(default_factory=time.time)
    """Epoch seconds."""

    ids: Mapping[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    """By name (`usr`): the id that was found, and by what."""

    event: Any = None
    """What was built, or None."""

    state: EventState = "built"
    reason: str | None = None
    """Why it was dropped."""

    problems: list[str] = msgspec.field(default_factory=list)
    """What was wrong with it: left out, or, if it was dropped for that, raised."""

    still_waits: Callable[[], bool] | None = None
    """Tells whether it still waits for a commit. If not, and nothing came of it, it was rolled back."""


class PanelLog:
    """The events of one request, in the order of the calls. Any thread or task that works for it may add some."""

    def __init__(self) -> None:
        self.started = time.time()
        self.steps: list[Step] = []
        self.omitted = 0
        """Events beyond `MAX_STEPS`."""

    def add(self, step: Step) -> None:
        """Keep a step, if there is room."""
        if len(self.steps) < MAX_STEPS:
            self.steps.append(step)
        else:
            self.omitted += 1


class _Built(Protocol):
    @property
    def id(self) -> str: ...


_panel_log: ContextVar[PanelLog | None] = ContextVar("dd_pa_panel_log", default=None)
_open: ContextVar[Step | None] = ContextVar("dd_pa_panel_step", default=None)
"""The event that is being built here."""

_steps: WeakValueDictionary[str, Step] = WeakValueDictionary()
"""By the event's id, since a commit or a drop need not come from where the event was built."""


def follow(panel_log: PanelLog | None) -> PanelLog | None:
    """Write what this thread or task tracks from now on into a log (None: nowhere); return what was followed before.

    Whoever follows puts that back at the end of its request.
    """
    if panel_log is not None and not watching:
        _listen()
    before = _panel_log.get()
    _panel_log.set(panel_log)
    return before


def _listen() -> None:
    global watching  # noqa: PLW0603 - one process, and a flag is the cheapest question that an event can ask
    signals.event_queued.connect(_queued)
    signals.event_dropped.connect(_dropped)
    watching = True
    observers.arrive("panel")


@contextmanager
def step(name: object) -> Iterator[Step | None]:
    """Open a step while an event is built; gives None where nobody follows. What is raised is written down."""
    panel_log = _panel_log.get()
    if panel_log is None:
        yield None
        return
    opened = Step(name=name)
    panel_log.add(opened)
    token = _open.set(opened)
    try:
        yield opened
    except Exception as error:
        opened.state = "raised"
        if not opened.problems:
            opened.problems.append(type(error).__name__)
        raise
    finally:
        _open.reset(token)
    if opened.event is not None:
        _steps[opened.event.id] = opened


def invalid(name: object, problem: str, *, raises: bool) -> None:
    """Note an event that could not be made, perhaps before it came to `track()`."""
    found = _open.get()
    if found is None:
        panel_log = _panel_log.get()
        if panel_log is None:
            return
        panel_log.add(found := Step(name=name))
    found.problems.append(problem)
    found.state, found.reason = ("raised", None) if raises else ("dropped", "invalid")


def repaired(problems: Sequence[str]) -> None:
    """Note what the event that is being built goes without."""
    found = _open.get()
    if found is not None:
        found.problems.extend(problems)


def waits(event: _Built, still_waits: Callable[[], bool]) -> None:
    """Note that an event is submitted when a transaction commits."""
    found = _steps.get(event.id)
    if found is not None:
        found.state, found.still_waits = "waits", still_waits


def stored(event: _Built, still_waits: Callable[[], bool] | None) -> None:
    """Note that an event is a row of the outbox; of a transaction that is still open, unless None."""
    found = _steps.get(event.id)
    if found is not None:
        found.state, found.still_waits = ("stored" if still_waits is None else "waits_in_outbox"), still_waits


_AFTER: dict[EventState, EventState] = {"built": "sent", "waits": "sent_on_commit", "waits_in_outbox": "stored"}


def _queued(sender: object, *, event: _Built, **_: object) -> None:
    found = _steps.get(event.id)
    if found is not None:
        found.state = _AFTER.get(found.state, found.state)


def _dropped(sender: object, *, event: _Built | None, reason: str, **_: object) -> None:
    found = _open.get() if event is None else _steps.get(event.id)
    if found is not None:
        found.state, found.reason = "dropped", reason


def session_origin(found: str, *, rum: Any, fallback: str | None, otherwise: str) -> str:
    """Say where a session id that has just been found is from: a `RumSession`, a fallback, or whatever else."""
    if rum is not None and rum.id == found:
        return _HEADERS[rum.source]
    return IN_FALLBACK if fallback == found else otherwise
