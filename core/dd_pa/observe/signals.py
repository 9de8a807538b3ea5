"""The signals that dd-pa sends, on blinker, the signal bus of Flask (and usable from anywhere).

The sender is the `Emitter`. Receivers of `event_queued` and of `event_dropped` (for an event refused or displaced by
`track()`) run on the thread that tracked; all others run on the delivery thread, so they must be quick. A receiver
that raises is logged and otherwise ignored.
"""

from __future__ import annotations

from typing import Any

from blinker import NamedSignal, Namespace

from dd_pa.observe import log, observers

_signals = Namespace()

event_queued = _signals.signal("event-queued", doc="An event was stored and waits for delivery. Keyword: `event`.")
event_delivered = _signals.signal("event-delivered", doc="The intake took an event. Keyword: `event`.")
event_rejected = _signals.signal(
    "event-rejected",
    doc="The intake refused an event for good. Keywords: `event`, `reason` (short), `detail` (the intake's words).",
)
event_dropped = _signals.signal(
    "event-dropped", doc="An event was given up. Keywords: `event` (None if it was never built), `name`, `reason`."
)
delivery_paused = _signals.signal(
    "delivery-paused", doc="The intake refuses the key or the address; events are kept. Keyword: `reason`."
)
delivery_resumed = _signals.signal("delivery-resumed", doc="Delivery goes on after a pause.")


def _has_receivers(_signal: NamedSignal, **_: object) -> None:
    observers.arrive("event_queued")


event_queued.receiver_connected.connect(_has_receivers)  # only they are called by each event that is tracked


UNHEARD = object()
"""A sender of whom nobody is told: what becomes of the copies of events, which have been told of already."""


def send(signal: NamedSignal, sender: object, **values: Any) -> None:
    """Send a signal that somebody listens to; a failing receiver is logged, by class only, and never raises here."""
    if not signal.receivers or sender is UNHEARD:
        return
    for receiver in signal.receivers_for(sender):
        try:
            receiver(sender, **values)
        except Exception as error:  # a receiver must not stop the delivery or a request
            log.error("a receiver of %s failed: %s", signal.name, type(error).__name__)
