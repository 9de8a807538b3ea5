"""What users may import: a name that comes or goes does so on purpose."""

from __future__ import annotations

import importlib
import inspect

import pytest

from dd_pa import Emitter
from dd_pa.integration import Integration

PUBLIC = {
    "dd_pa": """
        RESERVED_ATTRIBUTES BuiltEvent Deprecated Emitter Event EventDraft EventError Id Identity IdentitySource
        Money OffPlanError Personal PlanError ProductAnalyticsError RetryPolicy RumSession Settings SettingsError Stats
        bound_identity identify pseudonymous_session request_consent rum_session_from_environ rum_session_from_scope
    """,
    "dd_pa.jobs": """
        HEADER EmitterOrGetter IdentityCarrier bind
    """,
    "dd_pa.testing": """
        ANY CapturedEvents EventAssertions TrackedEvent assert_funnel capture_events events_of
    """,
    "dd_pa.query": """
        AsyncQueryClient BadQueryError Events Funnel FunnelBuilder Measure Query QueryClient QueryError
        QueryForbiddenError QueryRateLimitError QueryTimeoutError QueryUnavailableError Request
        RetentionBuilder Rows SankeyBuilder Scalar Timeseries audience events funnel retention sankey search
    """,
    "dd_pa.emulator": """
        Emulator Fault PlanFileError Rejected SearchError SegmentsError WarehouseError
    """,
    "dd_pa.outbox": """
        LAST_MOMENT ROWS STORAGE Counts LowWater OutboxDeliverer OutboxTable Row chunks columns deliver_in_foreground
        is_missing_table
    """,
    "dd_pa.sqlalchemy": """
        AnySession ModelEvents ModelOptions submit_on_commit
    """,
    "dd_pa.asgi": """
        ProductAnalyticsMiddleware request_identity
    """,
    "dd_pa.wsgi": """
        ProductAnalyticsMiddleware request_identity
    """,
    "dd_pa.signals": """
        delivery_paused delivery_resumed event_delivered event_dropped event_queued event_rejected
    """,
    "dd_pa.metrics": """
        observe
    """,
    "dd_pa_django": """
        TrackedQuerySet atrack find_emitter form_accepted get_emitter track track_model tracked
    """,
    "dd_pa_flask": """
        AppState Connection ProductAnalytics form_accepted
    """,
}


@pytest.mark.parametrize("package", PUBLIC)
def test_names(package: str) -> None:
    """They are those of the list, and each class and function says what it is for."""
    module = importlib.import_module(package)
    documented = [getattr(module, name) for name in module.__all__]

    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    assert [item for item in documented if inspect.isroutine(item) and not inspect.getdoc(item)] == []


def test_emitter() -> None:
    """Its methods are for applications; the glue of a framework has an object of its own."""
    glue = {
        "build",
        "batch",
        "submit",
        "submit_all",
        "identity",
        "consent",
        "count_lost_identity",
        "drop_invalid",
        "say",
    }

    assert _public(Emitter) == {"track", "flush", "close", "stats"}
    assert _public(Integration) == glue


def _public(found: type) -> set[str]:
    return {name for name in vars(found) if not name.startswith("_")}
