"""Events that are declared on a view by `tracked()`: when the view has done what it says, in every framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dd_pa.gateways.event_rule import EventRule, RuleAnswers
from dd_pa.gateways.login_redirect import LoginPath, is_login_redirect, redirect_target, status_of
from dd_pa.plan.event_class import Event

if TYPE_CHECKING:
    from dd_pa.emitter import Emitter

AttributesOfView = Mapping[str, Any] | Callable[[Any, Any], Mapping[str, Any] | Event | None]
"""The attributes of an event, or a callable of the request and the response, which may return a typed event, too."""

ViewCondition = Callable[[Any, Any], bool]
"""A callable of the request and the response."""

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
    if not emitter.settings.enabled or is_login_redirect(response, path, login_path):
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
