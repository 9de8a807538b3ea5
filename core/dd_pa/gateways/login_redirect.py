"""Where a response sends the browser, and whether that is to log in first: then a view has not done what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

LoginPath = Callable[[], str | None]
"""Finds the path of the login page, if a framework knows it."""

RETURNS_BY = "next"
"""The parameter by which frameworks tell the login page where to go back to."""


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


def is_login_redirect(response: Any, path: str | None, login_path: LoginPath) -> bool:
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
