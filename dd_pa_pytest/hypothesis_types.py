"""Has hypothesis make events that can be sent: `from_type(CheckoutCompleted)` is `events_of(CheckoutCompleted)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dd_pa.plan import registry

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from dd_pa.plan.event_schema import EventSchema


def register() -> None:
    """Tell hypothesis of each event class, now and later; hypothesis calls this when it is imported."""
    registry.tell(_register)


def _register(schema: EventSchema) -> None:
    # Hypothesis keeps what it knows; a class of a function is gone when the function has returned.
    if "<locals>" not in schema.kind.__qualname__:
        from hypothesis import strategies as st  # noqa: PLC0415 - not while hypothesis is being imported

        st.register_type_strategy(schema.kind, _events)


def _events(kind: Any) -> SearchStrategy[Any]:
    from dd_pa.testing import events_of  # noqa: PLC0415 - heavy, and most runs make no events

    strategy: SearchStrategy[Any] = events_of(kind)
    return strategy
