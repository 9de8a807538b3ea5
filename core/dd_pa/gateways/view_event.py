"""Events that are declared on a view by `tracked()`: when the view has done what it says, in every framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dd_pa.gateways.event_rule import EventRule, RuleAnswers
from dd_pa.plan.event_class import Event

if TYPE_CHECKING:
    from dd_pa.emitter import Emitter

AttributesOfView = Mapping[str, Any] | Callable[[Any, Any], Mapping[str, Any] | Event | None]
"""The attributes of an event, or a callable of the request and the response, which may return a typed event, too."""

ViewCondition = Callable[[Any, Any], bool]
"""A callable of the request and the response."""

LoginPath = Callable[[], str | None]
"""Finds the path of the login page, if a framework knows it."""

RETURNS_BY = "next"
"""The parameter by which frameworks tell the login page where to go back to."""

_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


def earned(
    rule: EventRule,
    emitter: Emitter,
    request: Any,
    response: Any,
    *,
    path: str | None,
    login_path: LoginPath = lambda: None,
) -> RuleAnswers | None:
    """Return what the event says that a view has earned, or None: the view has not done what it says.

    `path` is that of the request, `login_path` finds that of the login page, where they are known. What is no response
    (of a websocket's handler, of an API's operation) is a success, as it was returned.
    """
    if not emitter.settings.enabled or is_refusal(response, path, login_path):
        return None
    return rule.ask(emitter, request, response, usually=_is_success)


def _is_success(request: Any, response: Any) -> bool:
    return 200 <= status_of(response) < 400


def form_accepted(request: Any, response: Any) -> bool:
    """Tell whether a form was submitted and accepted, for `tracked(…, when=form_accepted)`.

    True where a POST, PUT, PATCH or DELETE was answered by a redirect, as a view answers that has saved a form. The
    page that shows an empty form is not, and neither is one that shows its errors.
    """
    return request.method in _CHANGES and redirect_target(response) is not None


def status_of(result: Any) -> int:
    """Return the status of a response; for a pair of status and body, as APIs return it, the first; else 200."""
    if isinstance(result, tuple) and len(result) == 2 and type(result[0]) is int:
        return result[0]
    status = getattr(result, "status_code", 200)
    return status if isinstance(status, int) else 200


def redirect_target(response: Any) -> str | None:
    """Return where a response sends the browser, if it does; htmx is told by a header of its own."""
    headers = getattr(response, "headers", None)
    if headers is None or not hasattr(headers, "get"):
        return None
    target = headers.get("Location" if 300 <= status_of(response) < 400 else "HX-Redirect")
    return target if isinstance(target, str) else None


def is_refusal(response: Any, path: str | None, login_path: LoginPath) -> bool:
    """Tell whether a response sends the visitor to log in first: it says to come back to this very page after that."""
    target = redirect_target(response)
    if target is None or path is None or "?" not in target:
        return False
    try:
        address = urlsplit(target)
        returns = [key for key, value in parse_qsl(address.query, max_num_fields=100) if _is_path(value, path)]
    except ValueError:  # no address, or too many parameters: nobody's login page
        return False
    return RETURNS_BY in returns or (bool(returns) and unquote(address.path) == unquote(login_path() or ""))


def _is_path(address: str, path: str) -> bool:
    return unquote(urlsplit(address).path) == unquote(path)
