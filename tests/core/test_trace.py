"""Events and traces, with the real ddtrace and the real OpenTelemetry in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from dd_pa import Emitter
from tests.core.wire import parsed

Make = Callable[..., Emitter]

START = """
import json, os, sys
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="shop", api_key="k", spool_dir=None))
def show(trace, span):
    ours = json.loads(emitter.integration.build("order.placed", usr="u-1").body)["dd_pa"]
    print(json.dumps([[trace, span], [ours.get("trace_id"), ours.get("span_id")]]))
"""
DDTRACE = """
from ddtrace.trace import tracer
with tracer.trace("web") as span:
    show(f"{span.trace_id:032x}" if span.trace_id >> 64 else str(span.trace_id), str(span.span_id))
    known = tracer.get_log_correlation_context()
    show(known.get("trace_id") or known["dd.trace_id"], known.get("span_id") or known["dd.span_id"])
    with tracer.trace("db") as inner:
        show(f"{span.trace_id:032x}" if span.trace_id >> 64 else str(span.trace_id), str(inner.span_id))
show(None, None)
sys.stdout.flush()
os._exit(0)
"""
OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
show(None, None)
with TracerProvider().get_tracer("shop").start_as_current_span("web") as span:
    context = span.get_span_context()
    show(f"{context.trace_id:032x}", str(context.span_id))
show(None, None)
"""
NEITHER = """
show(None, None)
print(json.dumps([sorted({name.partition(".")[0] for name in sys.modules} & {"ddtrace", "opentelemetry"}), []]))
"""


def pairs(script: str, tmp_path: Path, **env: str) -> list[list[Any]]:
    """Run a script; return what it expected and what it found, for each event."""
    env |= {
        "XDG_STATE_HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    }
    env |= {"DD_TRACE_AGENT_URL": "http://127.0.0.1:9", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}
    ran = subprocess.run(
        [sys.executable, "-c", START + script], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize(
    ("script", "env", "events"),
    [
        pytest.param(DDTRACE, {}, 4, id="ddtrace"),
        pytest.param(DDTRACE, {"DD_TRACE_128_BIT_TRACEID_GENERATION_ENABLED": "false"}, 4, id="ddtrace, 64 bits"),
        pytest.param(OPENTELEMETRY, {}, 3, id="opentelemetry"),
        pytest.param(NEITHER, {}, 2, id="neither, and none is imported"),
    ],
)
def test_an_event_names_the_current_span(script: str, env: dict[str, str], events: int, tmp_path: Path) -> None:
    """As Datadog's own log correlation writes the ids; outside of spans there are none."""
    found = pairs(script, tmp_path, **env)

    assert len(found) == events
    assert [ours for _, ours in found] == [wanted for wanted, _ in found]


def test_ids_are_left_out_on_request(make: Make) -> None:
    """By TRACE_IDS; the event is otherwise the same."""
    with TracerProvider().get_tracer("shop").start_as_current_span("web"):
        with_ids, without = (
            make(trace_ids=wanted).integration.build("order.placed", usr="u-1") for wanted in (True, False)
        )
    assert with_ids
    assert without

    assert set(parsed(with_ids.body)["dd_pa"]) == {"event_id", "occurred_at", "trace_id", "span_id"}
    assert set(parsed(without.body)["dd_pa"]) == {"event_id", "occurred_at"}


def test_a_late_event_keeps_its_trace(make: Make) -> None:
    """When its session is moved aside."""
    from dd_pa.delivery.event_age import without_session  # noqa: PLC0415 - the one test that needs it

    with TracerProvider().get_tracer("shop").start_as_current_span("web"):
        event = make().integration.build("order.placed", usr="u-1", session="s-1")
    assert event
    body = without_session(event.body)
    assert body

    assert set(parsed(body)["dd_pa"]) == {"event_id", "occurred_at", "trace_id", "span_id", "session_id"}
