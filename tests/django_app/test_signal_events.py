"""A signal of Django, of an app or of one's own, becomes an event."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.dispatch import Signal

from dd_pa_django import get_emitter
from dd_pa_django.signal_events import connect
from tests.django_app.conftest import Configure, Events

paid = Signal()


def test_signal(events: Events) -> None:
    """Its keywords say what happened and to whom; a transaction that fails takes it back."""
    disconnect = connect(
        paid,
        "order.paid",
        lambda sender, total, **_: {"total": total},
        usr=lambda sender, who, **_: who,
        account="acme",
        when=lambda sender, total, **_: total > 0,
        sender="shop",
    )
    for sender, total in (("shop", 5), ("shop", 0), ("bank", 7)):
        paid.send(sender, total=total, who="u-1")
    with transaction.atomic():
        paid.send("shop", total=9, who="u-1")
        transaction.set_rollback(True)
    disconnect()
    paid.send("shop", total=11, who="u-1")

    assert events() == [
        {"event": {"name": "order.paid"}, "usr": {"id": "u-1"}, "account": {"id": "acme"}, "total": 5},
    ]


def test_failing_callable(configure: Configure) -> None:
    """Raised in strict mode, counted otherwise: whoever sends the signal is not to suffer."""

    def fail(sender: Any, **given: Any) -> Any:
        raise LookupError

    disconnect = connect(paid, "order.paid", fail, usr="u-1")
    with pytest.raises(LookupError):
        paid.send("shop")
    configure(STRICT=False)
    paid.send("shop")
    disconnect()

    assert get_emitter().stats().dropped == {"invalid": 1}


def test_only_signals() -> None:
    """Of Django: those of blinker are Flask's."""
    with pytest.raises(TypeError, match="needs a Django signal, not str"):
        connect("order.paid", "order.paid")  # type: ignore[arg-type]  # what a checker refuses too
