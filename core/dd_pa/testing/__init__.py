"""Looking at the events of a test: `capture_events()`, a mixin for `unittest`, and pytest's fixture `dd_pa_events`."""

from __future__ import annotations

from unittest.mock import ANY

from dd_pa.testing.assertions import EventAssertions
from dd_pa.testing.capture import capture_events
from dd_pa.testing.captured_events import CapturedEvents
from dd_pa.testing.funnel import assert_funnel
from dd_pa.testing.tracked_event import TrackedEvent
from dd_pa.testing.typed_event import events_of

__all__ = ["ANY", "CapturedEvents", "EventAssertions", "TrackedEvent", "assert_funnel", "capture_events", "events_of"]
