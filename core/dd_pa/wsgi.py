"""For bare WSGI applications, and frameworks without glue of their own."""

from __future__ import annotations

from dd_pa.gateways.wsgi import ProductAnalyticsMiddleware, request_identity

__all__ = ["ProductAnalyticsMiddleware", "request_identity"]
