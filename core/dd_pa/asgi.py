"""For bare ASGI applications, and frameworks without glue of their own: FastAPI, Starlette and others."""

from __future__ import annotations

from dd_pa.gateways.asgi import ProductAnalyticsMiddleware, request_identity

__all__ = ["ProductAnalyticsMiddleware", "request_identity"]
