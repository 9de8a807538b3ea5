from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.product_analytics_api import ProductAnalyticsApi
from datadog_api_client.v2.api.rum_audience_management_api import RumAudienceManagementApi
from datadog_api_client.v2.model.create_connection_request import CreateConnectionRequest
from datadog_api_client.v2.model.update_connection_request import UpdateConnectionRequest

from dd_pa.emulator import Emulator
from tests.emulator.asking import SCALAR, START, stored

pytestmark = pytest.mark.filterwarnings("ignore:Using unstable operation")

BASE = {"data_source": "product_analytics", "search": {"query": "*"}}
TIMES = {"from": START, "to": START + 10 * 86_400_000}
STEPS = {
    "expression": "A -> B",
    "node_objects": {
        "A": {"data_source": "product_analytics", "search": {"query": "@event.name:a"}},
        "B": {"data_source": "product_analytics", "search": {"query": "@event.name:b"}},
    },
}
WEEKS = {"type": "calendar", "value": {"type": "week", "quantity": 1, "alignment": "monday", "timezone": "UTC"}}
COHORTS = {
    "cohort_criteria": {"base_query": BASE, "time_interval": WEEKS},
    "retention_entity": "@usr.id",
    "return_condition": "conversion_on",
}
RETENTION = {"metric": "__dd.retention_rate", "aggregation": "count"}
CELL = {
    "type": "cell",
    "cohort_target": {"type": "index", "value": 0},
    "return_period_target": {"type": "index", "value": 0},
}
PEOPLE = {
    "limit": 10,
    "query": "user_id:*",
    "select_columns": ["user_id"],
    "sort": {"field": "user_id", "order": "ASC"},
}

OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "query_product_analytics_scalar",
        SCALAR,
        {
            **TIMES,
            "query": {
                "query": BASE,
                "compute": {"aggregation": "count"},
                "group_by": [{"facet": "@event.name", "limit": 3}],
            },
        },
    ),
    (
        "query_product_analytics_timeseries",
        SCALAR,
        {**TIMES, "query": {"query": BASE, "compute": {"aggregation": "count", "interval": 3_600_000}}},
    ),
    (
        "query_product_analytics_list",
        "formula_analytics_extended_list_request",
        {**TIMES, "query": {"query": BASE, "columns": ["@event.name"], "limit": 3}},
    ),
    (
        "query_product_analytics_journey_funnel",
        "journey_request",
        {**TIMES, "query": {"search": STEPS, "group_by": [{"facet": "@plan"}]}},
    ),
    (
        "query_product_analytics_journey_list",
        "journey_list_request",
        {
            **TIMES,
            "query": {
                "search": STEPS,
                "limit": 5,
                "entity_columns": ["@usr.id"],
                "computed_columns": [{"name": "first_conversion_timestamps"}],
            },
        },
    ),
    (
        "query_product_analytics_journey_scalar",
        "formula_journey_request",
        {
            **TIMES,
            "query": {
                "search": STEPS,
                "compute": {"aggregation": "count", "metric": "__dd.conversion_rate"},
                "group_by": [{"facet": "@plan"}],
            },
        },
    ),
    (
        "query_product_analytics_journey_timeseries",
        "formula_journey_request",
        {**TIMES, "interval": 3_600_000, "query": {"search": STEPS, "compute": {"aggregation": "count"}}},
    ),
    (
        "query_product_analytics_retention_grid",
        "retention_grid_request",
        {**TIMES, "query": {"search": COHORTS, "compute": RETENTION}},
    ),
    (
        "query_product_analytics_retention_list",
        "retention_list_request",
        {**TIMES, "query": {"search": COHORTS, "computation_scope": CELL, "columns": [{"field": {"path": "@plan"}}]}},
    ),
    (
        "query_product_analytics_retention_scalar",
        "formula_retention_request",
        {**TIMES, "query": {"search": COHORTS, "compute": RETENTION, "computation_scope": CELL}},
    ),
    (
        "query_product_analytics_retention_timeseries",
        "formula_retention_request",
        {**TIMES, "query": {"search": COHORTS, "compute": RETENTION}},
    ),
    (
        "query_product_analytics_sankey",
        "sankey_request",
        {
            "time": TIMES,
            "search": {"query": "*"},
            "definition": {"source": "@event.name", "target": "@event.name", "number_of_steps": 2},
        },
    ),
    ("query_users", "query_users_request", PEOPLE),
    (
        "query_event_filtered_users",
        "query_event_filtered_users_request",
        {
            **{name: value for name, value in PEOPLE.items() if name not in ("sort", "wildcard_search_term")},
            "include_row_count": True,
            "event_query": {"query": "@event.name:a", "time_frame": {"start": 1, "end": 2_000_000_000}},
        },
    ),
    (
        "query_accounts",
        "query_account_request",
        {**PEOPLE, "query": "account_id:*", "select_columns": ["account_id", "user_count"]},
    ),
    (
        "get_user_facet_info",
        "users_facet_info_request",
        {"facet_id": "user_id", "limit": 5, "search": {"query": "*"}, "term_search": {"value": "u"}},
    ),
    ("get_account_facet_info", "users_facet_info_request", {"facet_id": "account_id", "limit": 5}),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An emulator with a few events, for all tests of this file."""
    emulator = Emulator()
    rows = []
    for n, (user, name) in enumerate([("u1", "a"), ("u1", "b"), ("u2", "a"), ("u1", "a"), ("u2", "b")]):
        members = {"usr": {"id": user}, "session": {"id": f"s-{user}"}, "account": {"id": "acme"}, "plan": "pro"}
        rows.append((START + n * 60_000, {"type": "server", "event": {"name": name}, **members}))
    stored(emulator, rows)
    with emulator.running() as url:
        yield url
    emulator.close()


def call(url: str, operation: str, body: dict[str, Any], keys: dict[str, str]) -> Any:
    """Call an operation of Datadog's own client, the models made from the documented JSON."""
    configuration = Configuration(
        server_index=1, server_variables={"protocol": "http", "name": urlsplit(url).netloc}, api_key=keys
    )
    if operation not in ("query_product_analytics_scalar", "query_product_analytics_timeseries"):
        configuration.unstable_operations[operation] = True
    with ApiClient(configuration) as client:
        product, audience = ProductAnalyticsApi(client), RumAudienceManagementApi(client)
        api = product if hasattr(product, operation) else audience
        model = getattr(api, f"_{operation}_endpoint").params_map["body"]["openapi_types"][0]
        request = client.deserialize(json.dumps(body), [model], check_type=True)
        return getattr(api, operation)(body=request)


@pytest.mark.parametrize(("operation", "kind", "attributes"), OPERATIONS, ids=[entry[0] for entry in OPERATIONS])
def test_every_documented_operation(server: str, operation: str, kind: str, attributes: dict[str, Any]) -> None:
    """Datadog's own client asks every documented query, and understands every field of the answer."""
    body = {"data": {"type": kind, "id": kind, "attributes": attributes}}
    if operation.startswith("query_product"):
        del body["data"]["id"]

    answer = call(server, operation, body, {"apiKeyAuth": "a" * 32, "appKeyAuth": "b"})

    assert answer.to_dict()["data"]["attributes"]
    assert not answer._unparsed
    assert unknown(answer) == []


def unknown(model: Any, path: str = "") -> list[str]:
    """The fields of an answer that Datadog's document does not have."""
    if isinstance(model, list):
        return [name for one in model for name in unknown(one, path)]
    if not hasattr(model, "_data_store"):
        return []
    found = []
    for name, value in model._data_store.items():
        if name not in type(model).attribute_map and type(model).additional_properties_type is None:
            found.append(f"{path}.{name}")
        found += unknown(value, f"{path}.{name}")
    return found


def test_mapping(server: str) -> None:
    """Connections are defined, changed, listed and forgotten with Datadog's own client; their fields are attributes."""
    keys = {"apiKeyAuth": "a" * 32, "appKeyAuth": "b"}
    configuration = Configuration(
        server_index=1, server_variables={"protocol": "http", "name": urlsplit(server).netloc}, api_key=keys
    )
    for name in ("create_connection", "update_connection", "delete_connection", "list_connections", "get_mapping"):
        configuration.unstable_operations[name] = True
    tier = {"id": "tier", "source_name": "t", "type": "string"}
    join = {"join_attribute": "user_email", "join_type": "email", "type": "ref_table"}
    created = {"data": {"type": "connection_id", "id": "crm", "attributes": {"fields": [tier], **join}}}
    shown = {"field_id": "tier", "updated_display_name": "Tier"}
    change = {"fields_to_add": [{**tier, "id": "nps"}], "fields_to_update": [shown]}
    with ApiClient(configuration) as client:
        api = RumAudienceManagementApi(client)

        api.create_connection("users", client.deserialize(json.dumps(created), [CreateConnectionRequest], True))
        updated = {"data": {"type": "connection_id", "id": "crm", "attributes": change}}
        api.update_connection("users", client.deserialize(json.dumps(updated), [UpdateConnectionRequest], True))
        [connection] = api.list_connections("users").to_dict()["data"]["attributes"]["connections"]
        attributes = api.get_mapping("users").to_dict()["data"]["attributes"]["attributes"]
        api.delete_connection("crm", "users")
        with pytest.raises(ApiException) as gone:
            api.delete_connection("crm", "users")
        rest = api.list_connections("users").to_dict()["data"]["attributes"]["connections"]

    names = [(field["id"], field.get("display_name")) for field in connection["fields"]]
    assert names == [("tier", "Tier"), ("nps", None)]
    assert connection["join"] == {"attribute": "user_email", "type": "email"}
    custom = {attribute["attribute"]: attribute["is_custom"] for attribute in attributes}
    assert (custom["user_id"], custom["@tier"], custom["@nps"]) == (False, True, True)
    assert (gone.value.status, rest) == (404, [])


def test_refusals(server: str) -> None:
    """Errors reach the caller of Datadog's own client in their documented shape."""
    body = {
        "data": {"type": SCALAR, "attributes": {**TIMES, "query": {"query": BASE, "compute": {"aggregation": "?"}}}}
    }

    with pytest.raises(ApiException) as forbidden:
        call(server, "query_product_analytics_scalar", body, {"apiKeyAuth": "a" * 32})
    with pytest.raises(ApiException) as wrong:
        call(server, "query_product_analytics_scalar", body, {"apiKeyAuth": "a" * 32, "appKeyAuth": "b"})

    assert (forbidden.value.status, wrong.value.status) == (403, 400)
    assert forbidden.value.body["errors"] == ["Forbidden"]
    assert "aggregation" in wrong.value.body["errors"][0]
