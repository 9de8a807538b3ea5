from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.dispatch import Signal

from dd_pa import Event, Id
from dd_pa.gateways.event_rule import EventRule
from dd_pa_django.model_events.event_firing import active_emitter
from dd_pa_django.tracking import track

Given = Callable[..., Any]


def connect(
    signal: Signal,
    name: str | Event | type[Event],
    attributes: Mapping[str, Any] | Given | None = None,
    *,
    sender: Any = None,
    when: Callable[..., bool] | None = None,
    usr: Id | Given | None = None,
    account: Id | Given | None = None,
) -> Callable[[], None]:
    """Fire an event each time a Django signal is sent, by `sender` or by anybody; return what disconnects it.

    `attributes`, `usr` and `account` are values or callables, and `when` is a callable, of the sender and the signal's
    keywords, as its receivers are: `lambda sender, order, **kwargs: {"total": order.total}`. If one fails, the event is
    dropped and counted, or the error raised in strict mode. In a transaction the event leaves on commit.
    """
    if not isinstance(signal, Signal):
        raise TypeError(f"connect() needs a Django signal, not {type(signal).__name__}")

    rule = EventRule(event=name, attributes=attributes, when=when, usr=usr, account=account)

    def receive(sender: Any, signal: Signal, **given: Any) -> None:
        emitter = active_emitter()
        found = None if emitter is None else rule.ask(emitter, sender, named=given)
        if found is not None:
            track(found.event, found.attributes, usr=found.usr, account=found.account)

    signal.connect(receive, sender=sender, weak=False)

    def disconnect() -> None:
        signal.disconnect(receive, sender=sender)

    return disconnect
