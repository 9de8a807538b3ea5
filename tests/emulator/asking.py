from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from dd_pa.emulator import Emulator
from dd_pa.emulator.warehouse.table_row import Event

KEYS = {"dd-api-key": "0123456789abcdef0123456789abcdef", "dd-application-key": "a"}
QUERIES = "/api/v2/product-analytics"
START, END = 1_790_000_000_000, 1_790_000_900_000
SCALAR = "formula_analytics_extended_request"


def stored(emulator: Emulator, rows: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Put events with times of their own straight into the engine."""
    emulator._warehouse.put([Event(ts=ts, body=body) for ts, body in rows])


def post(http: httpx.Client, path: str, kind: str, attributes: dict[str, Any], **headers: str) -> httpx.Response:
    """Ask a query as a client of Datadog does; keyword arguments replace headers, "" removes one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {name: value for name, value in (KEYS | named).items() if value}
    body = {"data": {"type": kind, "attributes": attributes}}
    return http.post(f"{QUERIES}/{path}", json=body, headers=fields)


def ask(http: httpx.Client, path: str, kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the answer."""
    response = post(http, path, kind, attributes)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()["data"]["attributes"]
    return answer


def analytics(text: str = "*", aggregation: str = "count", metric: str | None = None, **more: Any) -> dict[str, Any]:
    """The attributes of a scalar request over everything."""
    compute = {"aggregation": aggregation, **({} if metric is None else {"metric": metric})}
    if "interval" in more:
        compute["interval"] = more.pop("interval")
    base = {"data_source": "product_analytics", "search": {"query": text}}
    return {"from": START, "to": END, "query": {"query": base, "compute": compute, **more}}


def table(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a scalar answer."""
    return list(zip(*(column["values"] for column in answer["columns"]), strict=True))
