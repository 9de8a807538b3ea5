from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dd_pa.plan.event_class import Event
from dd_pa.testing.capture import capture_events
from dd_pa.testing.captured_events import CapturedEvents
from dd_pa.testing.comparison import UNSAID
from dd_pa.testing.tracked_event import TrackedEvent

if TYPE_CHECKING:
    from unittest import TestCase as _Base
else:
    _Base = object


class EventAssertions(_Base):
    """Put before `TestCase` (unittest's or any of Django's): each test sees the events that it tracked itself."""

    dd_pa_events: CapturedEvents
    """The events of this test."""

    def setUp(self) -> None:
        super().setUp()
        self.dd_pa_events = self.enterContext(capture_events())

    def assertTracked(  # noqa: N802 - unittest's way
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
        """See `CapturedEvents.assert_tracked`."""
        return self.dd_pa_events.assert_tracked(
            name, attributes, usr=usr, account=account, session=session, exact=exact, count=count
        )

    def assertNotTracked(  # noqa: N802
        self,
        name: str | Event | type[Event],
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Any = UNSAID,
        account: Any = UNSAID,
        session: Any = UNSAID,
        exact: bool = False,
    ) -> None:
        """See `CapturedEvents.assert_not_tracked`."""
        self.dd_pa_events.assert_not_tracked(name, attributes, usr=usr, account=account, session=session, exact=exact)

    def assertNothingTracked(self) -> None:  # noqa: N802
        """See `CapturedEvents.assert_nothing_tracked`."""
        self.dd_pa_events.assert_nothing_tracked()
