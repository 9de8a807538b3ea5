"""Each query of the API with all members that its document names, in our words."""

from __future__ import annotations

from typing import Any

from tests.emulator.asking import END, SCALAR, START

SEGMENT = "00000000-0000-0000-0000-000000000001"
USERS = "product_analytics_audience_filters.users"


def plain(text: str) -> dict[str, Any]:
    """Events."""
    return {"data_source": "product_analytics", "search": {"query": text}}


OFTEN: dict[str, Any] = {
    "data_source": "product_analytics_occurrence",
    "search": {
        "query": "@event.name:*",
        "occurrences": {"operator": ">=", "value": "2", "meta": {"entity": "@session.id"}},
    },
}
AUDIENCE = {
    "users": [{"name": "u", "query": "usr.id:(u1 OR u2 OR u3 OR u4)"}],
    "accounts": [{"name": "a", "query": "account_id:a1"}],
    "segments": [{"name": "s", "segment_id": SEGMENT}],
    "formula": "u OR a OR s",
}
WINDOW = {"from": START, "to": END}
ANALYTICS = {
    **WINDOW,
    "request_id": "r-1",
    "enforced_execution_type": "simple",
    "query": {
        "query": OFTEN,
        "compute": {"aggregation": "sum", "metric": "@total", "interval": 60_000},
        "group_by": [
            {
                "facet": "user_plan",
                "source": USERS,
                "limit": 2,
                "should_exclude_missing": True,
                "sort": {"aggregation": "max", "metric": "@total", "order": "asc"},
            },
            {"facet": "@event.name", "limit": 3},
        ],
        "audience_filters": AUDIENCE,
        "indexes": ["*"],
    },
}
LIST = {
    **WINDOW,
    "query": {
        "query": OFTEN,
        "audience_filters": AUDIENCE,
        "columns": ["@usr.id", "timestamp"],
        "limit": 5,
        "sort": {"facet": "@total", "order": "asc"},
    },
}
JOURNEY_SEARCH = {
    "expression": "A -> B",
    "node_objects": {"A": plain("@event.name:a"), "B": plain("@event.name:b")},
    "join_keys": {"primary": "@usr.id", "secondary": ["@account.id"]},
    "filters": {
        "audience_filters": AUDIENCE,
        "string_filter": "@total:>5",
        "graph_filters": [
            {
                "name": "__dd.time_to_convert",
                "operator": "<=",
                "value": 400_000,
                "target": {"type": "path", "start": "A", "end": "B"},
            }
        ],
    },
}
JOURNEY_GROUP = {
    "facet": "user_plan",
    "source": USERS,
    "limit": 2,
    "should_exclude_missing": True,
    "sort": {"order": "asc"},
    "target": {"type": "node", "value": "B"},
    "value_filters": ["pro", "free"],
}
RETENTION_SEARCH = {
    "cohort_criteria": {
        "base_query": plain("@event.name:a"),
        "time_interval": {
            "type": "calendar",
            "value": {"type": "minute", "quantity": 5, "timezone": "Europe/Paris"},
        },
    },
    "return_criteria": {
        "base_query": plain("@event.name:b"),
        "time_interval": {"type": "fixed", "value": 0.001, "unit": "day"},
    },
    "retention_entity": "@usr.id",
    "return_condition": "conversion_on",
    "filters": {"audience_filters": AUDIENCE, "string_filter": "@total:>5"},
}
RETENTION_GROUP = {
    "target": "cohort",
    "facet": "user_plan",
    "source": USERS,
    "limit": 2,
    "should_exclude_missing": True,
    "sort": {"order": "asc"},
}
RETENTION = {
    **WINDOW,
    "exclude_anonymous_traffic": True,
    "query": {
        "search": RETENTION_SEARCH,
        "compute": {"metric": "__dd.retention", "aggregation": "count"},
        "group_by": [RETENTION_GROUP],
        "computation_scope": {"type": "cohort", "target": {"type": "index", "value": 0}},
    },
}
PEOPLE = {
    "query": "usr.id:u*",
    "select_columns": ["user_id", "user_plan"],
    "sort": {"field": "user_id", "order": "ASC"},
    "limit": 3,
    "wildcard_search_term": "u",
}


def _measured(metric: str, **more: Any) -> dict[str, Any]:
    return {"aggregation": "count", "metric": metric, "target": {"type": "node", "value": "B"}, **more}


COMPLETE: dict[str, tuple[str, dict[str, Any]]] = {
    "analytics/scalar": (SCALAR, ANALYTICS),
    "analytics/timeseries": (SCALAR, ANALYTICS),
    "analytics/list": ("formula_analytics_extended_list_request", LIST),
    "journey/funnel": (
        "journey_request",
        {
            **WINDOW,
            "exclude_anonymous_traffic": True,
            "query": {
                "search": JOURNEY_SEARCH,
                "compute": {"aggregation": "sum", "metric": "@total"},
                "group_by": [JOURNEY_GROUP],
            },
        },
    ),
    "journey/scalar": (
        "formula_journey_request",
        {
            **WINDOW,
            "query": {
                "search": JOURNEY_SEARCH,
                "compute": _measured("__dd.conversion"),
                "group_by": [JOURNEY_GROUP],
                "query_id": "q-1",
            },
        },
    ),
    "journey/timeseries": (
        "formula_journey_request",
        {
            **WINDOW,
            "query": {
                "search": JOURNEY_SEARCH,
                "compute": _measured("__dd.conversion", interval=60_000),
                "group_by": [JOURNEY_GROUP],
            },
        },
    ),
    "journey/list": (
        "journey_list_request",
        {
            **WINDOW,
            "query": {
                "search": JOURNEY_SEARCH | {"join_keys": {"primary": "@usr.id"}},
                "target": {"type": "node", "value": "B"},
                "conversion_type": "conversion",
                "entity_columns": ["@total"],
                "entity_filters": "@total:>10",
                "computed_columns": [{"name": "first_conversion_timestamps"}],
                "group_by": [JOURNEY_GROUP],
                "limit": 3,
                "sort": {"facet": "@total", "order": "asc"},
            },
        },
    ),
    "retention/grid": ("retention_grid_request", RETENTION),
    "retention/scalar": ("formula_retention_request", RETENTION),
    "retention/timeseries": ("formula_retention_request", RETENTION),
    "retention/list": (
        "retention_list_request",
        {
            **WINDOW,
            "query": {
                "search": RETENTION_SEARCH,
                "computation_scope": {
                    "type": "cell",
                    "cohort_target": {"type": "index", "value": 0},
                    "return_period_target": {"type": "index", "value": 0},
                },
                "columns": [{"field": {"path": "@plan"}}],
                "limit": 2,
            },
        },
    ),
    "sankey": (
        "sankey_request",
        {
            "time": WINDOW,
            "search": {
                "query": "@total:>5",
                "join_keys": {"primary": "@usr.id", "secondary": ["@account.id"]},
                "audience_filters": AUDIENCE,
            },
            "definition": {"source": "@event.name", "target": "@plan", "number_of_steps": 2, "entries_per_step": 2},
        },
    ),
    "users/query": ("query_users_request", PEOPLE),
    "users/event_filtered_query": (
        "query_event_filtered_users_request",
        {
            "query": "usr.id:u*",
            "select_columns": ["user_id"],
            "limit": 3,
            "include_row_count": True,
            "event_query": {
                "query": "@event.name:a",
                "time_frame": {"start": START // 1000, "end": END // 1000},
            },
        },
    ),
    "accounts/query": ("query_account_request", PEOPLE | {"query": "account_id:a*", "wildcard_search_term": "a"}),
    "users/facet_info": (
        "users_facet_info_request",
        {"facet_id": "user_plan", "limit": 2, "search": {"query": "usr.id:u*"}, "term_search": {"value": "r"}},
    ),
    "accounts/facet_info": (
        "users_facet_info_request",
        {"facet_id": "account_id", "limit": 1, "search": {"query": "account_id:a*"}, "term_search": {"value": "a"}},
    ),
}
"""Path: data.type and data.attributes."""
