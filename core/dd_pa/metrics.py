"""OpenTelemetry's instruments for an emitter, with a provider of your own."""

from __future__ import annotations

from dd_pa.observe.metrics import observe

__all__ = ["observe"]
