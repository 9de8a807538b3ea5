"""Every error that dd-pa raises.

ProductAnalyticsError
├── SettingsError      a setting is missing, unknown or wrong: fix it and start again
└── EventError         an event cannot be sent as it was given: fix the call (raised in strict mode only)
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


class EventError(ProductAnalyticsError, ValueError):
    """An event was refused when it was built; `path` says where (`order.total`), the message why, never the value."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem
