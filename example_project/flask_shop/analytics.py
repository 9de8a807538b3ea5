"""What Product Analytics may know about a customer: two ids, the same on the server and in the browser."""

from __future__ import annotations

from typing import Any

from flask import Request, current_app
from flask_login import current_user

from dd_pa_flask import ProductAnalytics

analytics = ProductAnalytics()


def account_of(request: Request) -> str | None:
    """Name the account of the signed-in user; `DD_PA_ACCOUNT_ID` points here."""
    return current_user.team if current_user.is_authenticated else None


def browser() -> dict[str, Any]:
    """Give every page what it tells the browser SDK (`setUser`, `setAccount`), as the template variable `rum`."""
    known = current_user.is_authenticated
    return {
        "rum": {
            "applicationId": current_app.config["DD_PA_APPLICATION_ID"],
            "clientToken": current_app.config["RUM_CLIENT_TOKEN"],
            "service": current_app.config["DD_PA_SERVICE"],
            "usr": current_user.get_id() if known else None,
            "account": current_user.team if known else None,
        }
    }
