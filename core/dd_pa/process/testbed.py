"""Whether this process runs tests. If so, events are captured or held back: none leaves a test run by accident.

Decided once, at the first event; in production that is all, and costs a comparison for each event from then on.
`DD_PA_TEST_RUN` in the environment (0 or 1) decides where the signs would be wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Protocol

from dd_pa.observe import observers

logger = logging.getLogger("dd_pa")

VARIABLE = "DD_PA_TEST_RUN"

_DJANGO_COMMANDS = ("manage.py", "django-admin", "django-admin.py")


class Capture(Protocol):
    """What takes events instead of the emitters, while a test looks at them."""

    def wants(self, emitter: object) -> bool:
        """Tell whether it takes the events of this emitter."""
        ...

    def built(self, event: Any) -> None:
        """Learn of an event that may be submitted later, or never."""
        ...

    def take(self, emitter: object, event: Any) -> None:
        """Keep a submitted event."""
        ...

    def disabled(self, name: str) -> None:
        """Learn of an event that was not built because the emitter is not ENABLED."""
        ...


PendingEvents = Iterable[tuple[object, Any]]

watching = True
"""Whether each event has to be looked at. False as soon as it is known that this is no test run."""

waiting: list[Callable[[], PendingEvents]] = []
"""Where to find events that will be submitted when a test's transaction commits, which it never does; each with its
emitter. A framework's glue adds to it."""

names: set[str] | None = None
"""Collects the names of the events that are built, where somebody asks which are never tracked."""

_captures: list[Capture] = []
_is_on: bool | None = None
_has_said = False


def begin(capture: Capture) -> None:
    """Let a capture take events. Whoever captures is a test, and so is the rest of the process."""
    global watching, _is_on  # noqa: PLW0603 - one process, one test run
    watching = True
    observers.arrive("test run")
    _is_on = os.environ.get(VARIABLE) != "0"
    _captures.append(capture)


def end(capture: Capture) -> None:
    """Let it take no more."""
    _captures.remove(capture)


def captures_of(emitter: object) -> list[Capture]:
    """Return the captures that take the events of an emitter."""
    return [capture for capture in _captures if capture.wants(emitter)]


def is_capturing(emitter: object) -> bool:
    """Tell whether somebody captures the events of an emitter, so that they are to be stored nowhere else."""
    return watching and bool(captures_of(emitter))


def built(emitter: object, event: Any) -> None:
    """Tell captures of an event that was built."""
    if names is not None:
        names.add(event.name)
    for capture in captures_of(emitter):
        capture.built(event)


def disabled(emitter: object, name: str) -> None:
    """Tell captures of an event that was not built."""
    for capture in captures_of(emitter):
        capture.disabled(name)


def is_captured(emitter: object, event: Any) -> bool:
    """Give an event to those who capture; return whether anybody does."""
    found = captures_of(emitter)
    for capture in found:
        capture.take(emitter, event)
    return bool(found)


def say_held_back() -> None:
    """Log, once in this process, what becomes of events that nobody captures."""
    global _has_said  # noqa: PLW0603
    if not _has_said:
        _has_said = True
        logger.warning(
            "this is a test run, and the intake is on another machine: events are held back. Capture them with "
            "dd_pa.testing, point INTAKE_URL at this machine, or set %s=0 in the environment to send them",
            VARIABLE,
        )


def is_on() -> bool:
    """Tell whether this process runs tests; looks for the signs of it at the first call only."""
    global watching, _is_on  # noqa: PLW0603
    if _is_on is None:
        said = os.environ.get(VARIABLE)
        _is_on = said != "0" if said else _looks_like_tests()
        watching = _is_on or bool(_captures)
        if not watching:
            observers.leave("test run")
    return _is_on


def _looks_like_tests() -> bool:
    return "PYTEST_VERSION" in os.environ or _is_django_test() or _is_unittest(sys._getframe())


def _is_django_test() -> bool:
    """Tell whether Django's `test` command runs, or any other runner that has set its test environment up."""
    if os.path.basename(sys.argv[0] if sys.argv else "") in _DJANGO_COMMANDS and sys.argv[1:2] == ["test"]:
        return True
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


def _is_unittest(frame: FrameType | None) -> bool:
    """Tell whether `python -m unittest` runs, or a test of unittest's calls this."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name == "unittest.__main__":
        return True
    while frame is not None:
        if frame.f_globals.get("__name__") == "unittest.case":
            return True
        frame = frame.f_back
    return False
