from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from dd_pa.plan.event_class import Event
from dd_pa.testing.comparison import UNSAID, Expected
from dd_pa.testing.tracked_event import TrackedEvent
from dd_pa.testing.typed_event import expectation

_SHOWN = 20
"""Most events that a message lists."""


class CapturedEvents(Sequence[TrackedEvent]):
    """The events that a test has tracked so far, oldest first, with assertions that say what differs.

    It is up to date at each look. `look` returns the events; `remarks` returns lines about events that are not there.
    """

    def __init__(self, look: Callable[[], list[TrackedEvent]], remarks: Callable[[], list[str]]) -> None:
        self._look = look
        self._remarks = remarks

    @overload
    def __getitem__(self, index: int) -> TrackedEvent: ...

    @overload
    def __getitem__(self, index: slice) -> list[TrackedEvent]: ...

    def __getitem__(self, index: int | slice) -> TrackedEvent | list[TrackedEvent]:
        return self._look()[index]

    def __len__(self) -> int:
        return len(self._look())

    def __repr__(self) -> str:
        return f"<CapturedEvents {self.names}>"

    @property
    def names(self) -> list[str]:
        """The events' names in the order in which they were tracked."""
        return [event.name for event in self._look()]

    def assert_tracked(
        self,
        name: str | Event | type[Event],
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Any = UNSAID,
        account: Any = UNSAID,
        session: Any = UNSAID,
        exact: bool = False,
        count: int | None = None,
    ) -> TrackedEvent:
        """Assert that such an event was tracked, at least once or `count` times; return the first.

        `attributes` may leave some out, at each level, unless `exact`. They are compared as on the wire, so a `Decimal`
        or a `datetime` may be given; `ANY`, or any other matcher, stands for a value that must be there. An id that is
        left out is not looked at; None says that there must be none. Of a typed event all fields are compared, but for
        personal data; of its class, the name.
        """
        __tracebackhide__ = True
        expected = _expected(name, attributes, {"usr": usr, "account": account, "session": session}, exact=exact)
        events = self._look()
        matching = [event for event in events if not expected.differences(event)]
        if count is None and not matching:
            raise AssertionError(self._not_tracked(expected, events))
        if count is not None and len(matching) != count:
            raise AssertionError(self._miscounted(expected, count, matching, events))
        return matching[0] if matching else _none_expected()

    def assert_not_tracked(
        self,
        name: str | Event | type[Event],
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Any = UNSAID,
        account: Any = UNSAID,
        session: Any = UNSAID,
        exact: bool = False,
    ) -> None:
        """Assert that no such event was tracked; the arguments are those of `assert_tracked`."""
        __tracebackhide__ = True
        expected = _expected(name, attributes, {"usr": usr, "account": account, "session": session}, exact=exact)
        matching = [event for event in self._look() if not expected.differences(event)]
        if matching:
            raise AssertionError("\n".join([f"{expected} was tracked:", *_listed(matching)]))

    def assert_nothing_tracked(self) -> None:
        """Assert that there was no event at all."""
        __tracebackhide__ = True
        events = self._look()
        if events:
            raise AssertionError("\n".join([f"{_number(events)} tracked:", *_listed(events)]))

    def assert_order(self, *names: str) -> None:
        """Assert that events of these names were tracked one after the other; others may lie between them."""
        __tracebackhide__ = True
        rest = iter(self.names)
        for name in names:
            if not any(name == other for other in rest):
                lines = [f"{name!r} was not tracked in the order {' → '.join(names)}", *self._all(self._look())]
                raise AssertionError("\n".join(lines))

    def _not_tracked(self, expected: Expected, events: list[TrackedEvent]) -> str:
        lines = [f"{expected} was not tracked"]
        if events:
            nearest = min(events, key=expected.distance)
            lines += ["The nearest event is", f"  {nearest}", "and differs in"]
            lines += [f"  {line}" for line in expected.differences(nearest)]
        return "\n".join([*lines, *self._all(events)])

    def _miscounted(
        self, expected: Expected, count: int, matching: list[TrackedEvent], events: list[TrackedEvent]
    ) -> str:
        if not matching:
            return self._not_tracked(expected, events)
        return "\n".join([f"{expected} was tracked {len(matching)} times, not {count}", *self._all(events)])

    def _all(self, events: list[TrackedEvent]) -> list[str]:
        return [f"{_number(events)} tracked in all" + (":" if events else ""), *_listed(events), *self._remarks()]


def _expected(
    name: str | Event | type[Event], attributes: Mapping[str, Any] | None, links: dict[str, Any], *, exact: bool
) -> Expected:
    said, attributes, exact = expectation(name, attributes, exact=exact)
    return Expected(name=said, attributes=attributes, exact=exact, links=links)


def _none_expected() -> Any:
    """Return what `count=0` returns: nothing that a test could use."""


def _number(events: list[TrackedEvent]) -> str:
    return "1 event was" if len(events) == 1 else f"{len(events) or 'no'} events were"


def _listed(events: list[TrackedEvent]) -> list[str]:
    lines = [f"  {event}" for event in events[:_SHOWN]]
    return [*lines, f"  … and {len(events) - _SHOWN} more"] if len(events) > _SHOWN else lines
