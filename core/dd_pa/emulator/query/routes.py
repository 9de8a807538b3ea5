"""The query API: who may ask, what goes wrong on demand, and the envelope of the answers."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.access import BY_COOKIE
from dd_pa.emulator.http.connection import drop, left, read_within
from dd_pa.emulator.http.guard import API, QUERIES
from dd_pa.emulator.intake.faults import QUERY_RATE_LIMITED, Fault, Faults
from dd_pa.emulator.query import analytics, audience_routes, conversion, retention_routes
from dd_pa.emulator.query.aggregate import finite
from dd_pa.emulator.query.audience_filter import Audience
from dd_pa.emulator.query.funnel import funnel
from dd_pa.emulator.query.mapping import ENTITIES, Mappings
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.request_fields import MAX_BODY, BadRequest, Fields, data_of
from dd_pa.emulator.query.sankey import anchored_sankey, sankey
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.query.timed_journey import timed_entities, timed_funnel
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline, QueryTimeoutError
from dd_pa.emulator.warehouse.warehouse import Warehouse

MAX_AT_ONCE = 4
_TYPE = "application/vnd.api+json"

Handler: TypeAlias = Callable[[HttpRequest, bytes, Fault | None], Awaitable[Response]]
Compute: TypeAlias = Callable[[Request], dict[str, Any]]


class Endpoint(NamedTuple):
    """One documented operation."""

    kind: str
    """data.type of the request."""
    answer: str
    """data.type of the answer."""
    compute: Compute
    has_meta: bool = True
    """Whether the schemas have `meta` in the answer, and `request_id` in the request."""
    has_id: bool = False
    """Whether the request's schema has `data.id`, which becomes the answer's."""


ENDPOINTS: Mapping[str, Endpoint] = {
    "analytics/scalar": Endpoint("formula_analytics_extended_request", "scalar_response", analytics.scalar),
    "analytics/timeseries": Endpoint("formula_analytics_extended_request", "timeseries_response", analytics.timeseries),
    "analytics/list": Endpoint("formula_analytics_extended_list_request", "list_response", analytics.events),
    "journey/funnel": Endpoint("journey_request", "funnel_response", funnel, has_meta=False),
    "journey/scalar": Endpoint("formula_journey_request", "journey_scalar_response", conversion.scalar, has_meta=False),
    "journey/timeseries": Endpoint(
        "formula_journey_request", "journey_timeseries_response", conversion.timeseries, has_meta=False
    ),
    "journey/list": Endpoint("journey_list_request", "journey_list_response", conversion.entities, has_meta=False),
    "retention/grid": Endpoint(
        "retention_grid_request", "retention_grid_response", retention_routes.grid, has_meta=False
    ),
    "retention/list": Endpoint(
        "retention_list_request", "retention_list_response", retention_routes.listed, has_meta=False
    ),
    "retention/scalar": Endpoint("formula_retention_request", "scalar_response", retention_routes.scalar),
    "retention/timeseries": Endpoint("formula_retention_request", "timeseries_response", retention_routes.timeseries),
    "sankey": Endpoint("sankey_request", "sankey_response", sankey, has_meta=False),
    "users/query": Endpoint(
        "query_users_request", "query_response", audience_routes.users, has_meta=False, has_id=True
    ),
    "users/event_filtered_query": Endpoint(
        "query_event_filtered_users_request",
        "query_response",
        audience_routes.active_users,
        has_meta=False,
        has_id=True,
    ),
    "accounts/query": Endpoint(
        "query_account_request", "query_response", audience_routes.accounts, has_meta=False, has_id=True
    ),
    "users/facet_info": Endpoint(
        "users_facet_info_request", "users_facet_info", audience_routes.facets_of("usr"), has_meta=False, has_id=True
    ),
    "accounts/facet_info": Endpoint(
        "users_facet_info_request",
        "users_facet_info",
        audience_routes.facets_of("account"),
        has_meta=False,
        has_id=True,
    ),
}


OWN: Mapping[str, Endpoint] = {
    "journey/funnel": Endpoint("journey_request", "funnel_response", timed_funnel, has_meta=False),
    "journey/list": Endpoint("journey_list_request", "journey_list_response", timed_entities, has_meta=False),
    "sankey": Endpoint("sankey_request", "sankey_response", anchored_sankey, has_meta=False),
}
"""The same with what Datadog's API does not have: a `window` of journeys, and where ways `begin` or `end`."""


class QueryRoutes:
    """Answers queries, on worker threads: the intake never waits for one."""

    def __init__(
        self,
        warehouse: Warehouse,
        faults: Faults,
        audience: Audience,
        is_known: Callable[[str], bool],
        clock: Callable[[], float],
        seconds: float,
    ) -> None:
        """`is_known` says whether an API key may be used; a query may take `seconds`."""
        self._warehouse = warehouse
        self._faults = faults
        self._audience = audience
        self._is_known = is_known
        self._clock = clock
        self._seconds = seconds
        self._mappings = Mappings()
        # A few of its own: queries that take long must not keep the page from reading.
        self._threads = ThreadPoolExecutor(MAX_AT_ONCE, "dd-pa-query")

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        found = [
            Route(f"{under}/{path}", self._gated(partial(self._query, endpoint)), methods=["POST"])
            for under, endpoints in ((QUERIES, ENDPOINTS), (API, OWN))
            for path, endpoint in endpoints.items()
        ]
        mapping = f"{QUERIES}/{{entity}}/mapping"
        return [
            *found,
            Route(mapping, self._gated(self._mapping), methods=["GET"]),
            Route(f"{mapping}/connections", self._gated(self._connections), methods=["GET"]),
            Route(f"{mapping}/connection", self._gated(self._define), methods=["POST", "PUT"]),
            Route(f"{mapping}/connection/{{id:path}}", self._gated(self._forget), methods=["DELETE"]),
        ]

    def _gated(self, handler: Handler) -> Callable[[HttpRequest], Awaitable[Response]]:
        """Let faults happen first, and only those in who may ask."""

        async def handle(request: HttpRequest) -> Response:
            fault = self._faults.take("query")
            if fault and fault.delay:
                await asyncio.sleep(fault.delay)
            if fault and fault.close:
                await drop(request.scope, request.receive)
                return Response()
            if fault and fault.status is not None:
                return _refused(fault.status, "fault on demand", _headers(fault))
            body = await read_within(request, MAX_BODY)
            try:
                return self._refusal(request, body) or await handler(request, body or b"", fault)
            except BadRequest as error:
                return _refused(400, str(error))

        return handle

    def _refusal(self, request: HttpRequest, body: bytes | None) -> Response | None:
        if not self._may_ask(request):
            return _refused(403, "Forbidden")
        if body is None:
            return _refused(413, f"the body is larger than {MAX_BODY // 1024} KiB")
        if request.path_params.get("entity", "users") not in ENTITIES:
            return _refused(404, "there are users and accounts only")
        return None

    async def _query(self, endpoint: Endpoint, request: HttpRequest, body: bytes, fault: Fault | None) -> Response:
        state, deadline = fault.query_status if fault else None, QueryDeadline(self._seconds)
        answer = partial(self._answer, endpoint, body, state, deadline)
        working = asyncio.get_running_loop().run_in_executor(self._threads, answer)
        leaving = asyncio.ensure_future(left(request.receive))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                deadline.leave()
            return await working
        finally:
            leaving.cancel()

    async def _mapping(self, request: HttpRequest, body: bytes, fault: Fault | None) -> Response:
        found = {"attributes": self._mappings.attributes(request.path_params["entity"])}
        return _listed("get_mappings_response", found)

    async def _connections(self, request: HttpRequest, body: bytes, fault: Fault | None) -> Response:
        found = {"connections": self._mappings.connections(request.path_params["entity"])}
        return _listed("list_connections_response", found)

    async def _define(self, request: HttpRequest, body: bytes, fault: Fault | None) -> Response:
        data, entity, now = data_of(body, "connection_id"), request.path_params["entity"], int(self._clock() * 1000)
        if request.method == "POST":
            self._mappings.create(entity, data, now)
            return Response(status_code=201)
        there = self._mappings.update(entity, data, now)
        return Response(status_code=200) if there else _refused(404, "there is no such connection")

    async def _forget(self, request: HttpRequest, body: bytes, fault: Fault | None) -> Response:
        there = self._mappings.delete(request.path_params["entity"], request.path_params["id"])
        return Response(status_code=204) if there else _refused(404, "there is no such connection")

    def _may_ask(self, request: HttpRequest) -> bool:
        headers = request.headers
        if headers.get("sec-fetch-site") == "same-origin" or BY_COOKIE in request.scope:
            # The emulator's own page: browsers set this header, and no script can. They leave it out where the page was
            # loaded over plain HTTP from another host; that takes a token, and its cookie says as much.
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return True
        key = headers.get("dd-api-key", "")
        return bool(headers.get("dd-application-key")) and self._is_known(key)

    def _answer(self, endpoint: Endpoint, body: bytes, state: str | None, deadline: QueryDeadline) -> Response:
        data = data_of(body, endpoint.kind)
        attributes = data.member("attributes")
        request_id = _id(endpoint, data, attributes)
        if state is not None and endpoint.has_meta:
            return _done(endpoint, {}, request_id, state)
        try:
            deadline.check()
            statement = Statement(self._warehouse, deadline)
            request = Request(attributes, statement, self._audience, int(self._clock() * 1000))
            found = endpoint.compute(request)
            deadline.check()
        except QueryTimeoutError:
            if endpoint.has_meta:
                return _done(endpoint, {}, request_id, "timeout")
            return _refused(400, f"the query took longer than {self._seconds:g} s: ask for a shorter time range")
        except WarehouseError as error:
            return _refused(503, str(error))
        data.refuse_unread()
        return _done(endpoint, found, request_id, "done")


def _id(endpoint: Endpoint, data: Fields, attributes: Fields) -> str:
    """Return the id the request has, where its schema has one, or a new one."""
    given = attributes.text("request_id", "") if endpoint.has_meta else ""
    if endpoint.has_id:
        given = data.text("id", "")
    return given or str(uuid.uuid4())


def _headers(fault: Fault) -> Mapping[str, str]:
    if fault.headers is not None:
        return fault.headers
    return dict(QUERY_RATE_LIMITED) if fault.status == 429 else {}


def _done(endpoint: Endpoint, attributes: dict[str, Any], request_id: str, status: str) -> Response:
    document: dict[str, Any] = {"data": {"id": request_id, "type": endpoint.answer, "attributes": attributes}}
    if endpoint.has_meta:
        document["meta"] = {"request_id": request_id, "status": status}
    return _json(document, 200, {})


def _listed(kind: str, attributes: dict[str, Any]) -> Response:
    return _json({"data": {"id": kind, "type": kind, "attributes": attributes}}, 200, {})


def _refused(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json({"errors": [reason]}, status, headers or {})


def _json(document: object, status: int, headers: Mapping[str, str]) -> Response:
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        text = json.dumps(finite(document))
    return Response(text.encode(), status, headers=dict(headers), media_type=_TYPE)
