"""Every error that dd-pa raises.

ProductAnalyticsError
├── SettingsError      a setting is missing, unknown or wrong: fix it and start again
├── PlanError          an event class, or the lock file of the plan, is wrong: fix it and start again
├── EventError         an event cannot be sent as it was given: fix the call (raised in strict mode only)
│   └── OffPlanError       a value of a typed event is of another type than its class says (raised in tests too)
├── SpoolError         the spool's directory cannot be looked into: it is not safe, or not ours
└── QueryError         a query was not answered
    ├── BadQueryError          not understood (400): fix the query
    ├── QueryForbiddenError    the keys are wrong, or may not read (401, 403)
    ├── QueryRateLimitError    too many queries (429): try again after `reset` seconds
    ├── QueryTimeoutError      no answer, or no complete one, before the deadline: try again, or ask for less
    └── QueryUnavailableError  the network or Datadog failed (5xx), several times
"""

from __future__ import annotations


class ProductAnalyticsError(Exception):
    """Base class of all errors of this package."""


class SettingsError(ProductAnalyticsError, ValueError):
    """A setting is missing, unknown or wrong; the message names its key and the fix, never a secret's value."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class PlanError(ProductAnalyticsError, TypeError):
    """An event class, or the lock file of the plan, is wrong; `path` says where, the message why and what to do."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class SpoolError(ProductAnalyticsError):
    """The spool's directory cannot be looked into; the message says why and what to do."""


class EventError(ProductAnalyticsError, ValueError):
    """An event was refused when it was built; `path` says where (`order.total`), the message why, never the value."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class OffPlanError(EventError):
    """A typed event has a value of another type than its class says."""


class QueryError(ProductAnalyticsError):
    """A query was not answered; `words` are Datadog's own, without our keys and cut."""

    def __init__(self, problem: str, *, status: int | None = None, words: tuple[str, ...] = ()) -> None:
        super().__init__(": ".join((problem, *words)))
        self.status = status
        self.words = words


class BadQueryError(QueryError, ValueError):
    """Datadog did not understand the query."""


class QueryForbiddenError(QueryError):
    """The keys are wrong, or lack the permission `rum_apps_read`."""


class QueryRateLimitError(QueryError):
    """Datadog answers no more queries for `reset` seconds (None if it did not say), beyond the deadline."""

    reset: float | None = None


class QueryTimeoutError(QueryError):
    """There was no complete answer before the deadline."""


class QueryUnavailableError(QueryError):
    """The network or Datadog failed, several times."""
