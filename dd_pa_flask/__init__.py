"""Datadog Product Analytics for Flask: `ProductAnalytics` is the extension."""

from __future__ import annotations

from dd_pa.gateways.view_success import form_accepted
from dd_pa_flask.extension import ProductAnalytics
from dd_pa_flask.signal_events import Connection
from dd_pa_flask.state import AppState

__all__ = ["AppState", "Connection", "ProductAnalytics", "form_accepted"]
