"""The trace that the calling code is part of, if ddtrace or OpenTelemetry follows it. Neither is ever imported here."""

from __future__ import annotations

import sys

TraceIds = tuple[str | None, str | None]
"""Trace and span, as Datadog's libraries write them into logs: the trace as 32 hexadecimal digits (as a number, if it
has 64 bits only), the span as a number."""

NO_TRACE: TraceIds = (None, None)


def current_trace() -> TraceIds:
    """Return the ids of the current span, if one of the two libraries is loaded."""
    ddtrace = sys.modules.get("ddtrace")
    if ddtrace is not None:
        tracer = getattr(ddtrace, "tracer", None)  # not there while it is being imported
        context = None if tracer is None else tracer.current_trace_context()
        if context is not None and context.trace_id and context.span_id:
            return _written(context.trace_id, context.span_id)
    opentelemetry = sys.modules.get("opentelemetry.trace")
    if opentelemetry is not None:
        find = getattr(opentelemetry, "get_current_span", None)
        span = None if find is None else find().get_span_context()
        if span is not None and span.is_valid:
            return _written(span.trace_id, span.span_id)
    return NO_TRACE


def _written(trace_id: int, span_id: int) -> TraceIds:
    return (f"{trace_id:032x}" if trace_id >> 64 else str(trace_id)), str(span_id)
