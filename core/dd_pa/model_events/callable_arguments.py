"""How many arguments the callables of a declaration take: the instance, the event's name and the change, or fewer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_GIVEN = ("the instance", "the event's name", "the change")


def of_three(role: str, function: Callable[..., Any]) -> Callable[[Any, str, Any], Any]:
    """Return a function of all three, for one that takes fewer. Raises `TypeError` for one that asks for more."""
    count = _count_of(function)
    if count > len(_GIVEN):
        raise TypeError(f"{role} of track_model takes at most {', '.join(_GIVEN)}")
    return lambda *given: function(*given[:count])


def _count_of(function: Callable[..., Any]) -> int:
    """Return how many arguments a callable asks for; those with a default are its own business."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in that does not tell
        return 1
    if any(item.kind is item.VAR_POSITIONAL for item in parameters):
        return len(_GIVEN)
    return max(1, sum(item.kind in _POSITIONAL and item.default is item.empty for item in parameters))
