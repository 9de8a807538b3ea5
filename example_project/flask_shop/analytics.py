"""What Product Analytics may know about a customer besides Flask-Login's id: the team."""

from __future__ import annotations

from flask import Request
from flask_login import current_user

from dd_pa_flask import ProductAnalytics

analytics = ProductAnalytics()


def account_of(request: Request) -> str | None:
    """Name the account of the signed-in user; `DD_PA_ACCOUNT_ID` points here."""
    return current_user.team_handle if current_user.is_authenticated else None
