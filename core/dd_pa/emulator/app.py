"""A local Product Analytics as an ASGI app."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dd_pa.emulator.http.guard import API
from dd_pa.emulator.intake.endpoint import PATH, IntakeEndpoint, Rules
from dd_pa.emulator.intake.faults import Fault, Faults, On, QueryStatus
from dd_pa.emulator.live.history import History, Rejected
from dd_pa.emulator.live.label import SERVER
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.live.selection import Selections
from dd_pa.emulator.page import assets
from dd_pa.emulator.page.drops import Drops
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.former_events import FormerEventRoutes
from dd_pa.emulator.page.plan_routes import PlanRoutes
from dd_pa.emulator.page.reports import Reports
from dd_pa.emulator.page.routes import PageAPI
from dd_pa.emulator.page.saved_views import saved_views
from dd_pa.emulator.page.session_routes import SessionRoutes
from dd_pa.emulator.page.stream import Streams
from dd_pa.emulator.plan.plans import Plans
from dd_pa.emulator.plan.tally import OffPlanTally
from dd_pa.emulator.query.audience_filter import Audience
from dd_pa.emulator.query.former_events import FormerEvents, Numbers
from dd_pa.emulator.query.former_sessions import FormerSessions
from dd_pa.emulator.query.kept_segments import KeptSegments, load_segments
from dd_pa.emulator.query.routes import QueryRoutes
from dd_pa.emulator.request_routing import NOT_FOUND, RequestRouting
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.rum.browser_intake import BrowserIntake
from dd_pa.emulator.rum.recent_events import RecentEvents
from dd_pa.emulator.rum.rows import BrowserRows
from dd_pa.emulator.sample.history import history
from dd_pa.emulator.sessions.store import Sessions
from dd_pa.emulator.warehouse.parquet_export import exported
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import MAX_SECONDS, Warehouse

_MAX_SECONDS_OF_SAMPLE = 600.0


class Emulator:
    """Takes events as Datadog's intake does, keeps them in memory and shows them.

    An ASGI app without lifespan: pass it to `httpx.ASGITransport(app=emulator)`, or say
    `with emulator.running() as url`. Every method may be called from any thread.

    `api_keys` None takes any well-formed key, `application_ids` None any application. `kept` bounds the requests kept.
    `allowed_hosts` are further names the Host header may carry. Without `strict`, events nobody can be linked to and
    unknown applications are taken, as the real intake, which checks later, may do. With a `token`, the page
    and its routes are for those who know it. A request body must arrive within `body_timeout` seconds. `clock` gives
    epoch seconds. `data` is a folder where events stay for 15 months of queries; without it they are gone with this
    object. `segments` is a JSON file of the segments that queries may name. In queries a server event has the time of
    its arrival, as in Datadog, or that of `dd_pa.occurred_at` with `by_occurrence`. A query that takes longer than
    `query_seconds` is stopped, and says `timeout`. `plans` are lock files of tracking plans, beside those that running
    applications tell by themselves. `read` is a folder of Parquet that Datadog's Export Pipelines wrote: the queries
    and the page are of its events, and none are taken.

    Raises WarehouseError if `data` or `read` cannot be used, SegmentsError if `segments` cannot, PlanFileError if
    `plans` cannot.
    """

    def __init__(  # noqa: PLR0913 - one for each option of the command
        self,
        *,
        api_keys: Collection[str] | None = None,
        application_ids: Collection[str] | None = None,
        kept: int = 100_000,
        allowed_hosts: Collection[str] = (),
        strict: bool = True,
        token: str | None = None,
        body_timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
        data: str | Path | None = None,
        segments: str | Path | None = None,
        by_occurrence: bool = False,
        query_seconds: float = MAX_SECONDS,
        plans: Iterable[str | Path] = (),
        read: str | Path | None = None,
    ) -> None:
        self._clock = clock
        self._plans = Plans(Path(path) for path in plans)
        self._rules = Rules(None, application_ids, strict=strict)
        self.api_keys = api_keys
        self._faults = Faults()
        self._history = History(kept, clock)
        self._off_plan = OffPlanTally(self._history, self._plans)
        self._recent = RecentEvents()
        self._drops = Drops(clock)
        self._by_occurrence = by_occurrence
        self._query_seconds = query_seconds
        folder = Path(data) if data is not None else None
        given = load_segments(Path(segments)) if segments is not None else {}
        self._segments = KeptSegments(given, folder)
        self._reads = None if read is None else Path(read)
        self._warehouse = Warehouse(folder, clock) if self._reads is None else exported(self._reads, clock)
        self._numbers = Numbers()
        self._browser_rows = BrowserRows(self._history, self._numbers.note)
        self._sessions = Sessions(FormerSessions(self._warehouse))
        self._saved = saved_views(folder)
        self.stopping = False
        """Set by a server that shuts down: streams, searches and delays end within a fraction of a second."""
        self._intake = IntakeEndpoint(
            self._rules, self._faults, self._history, body_timeout, self._is_stopping, self._take_row
        )
        self._browser_intake = BrowserIntake(self._take_browser, body_timeout, clock)
        self._routing = RequestRouting(
            intake=self._intake,
            browser_intake=self._browser_intake,
            page=self._build_page(clock),
            allowed_hosts=allowed_hosts,
            token=token,
            reads=self._reads,
        )

    @property
    def agents(self) -> ASGIApp | None:
        """What answers coding agents; `dd-pa emulator` brings it."""
        return self._routing.agents

    @agents.setter
    def agents(self, agents: ASGIApp | None) -> None:
        self._routing.agents = agents

    def _build_page(self, clock: Callable[[], float]) -> Starlette:
        boot = secrets.token_hex(8)
        stream = explaining(Streams(boot, self._history, self._is_stopping, self._noted, self._plans))
        selections = Selections(self._history, self._is_stopping)
        state = self._warehouse.state
        former = FormerEvents(self._history, self._numbers, self._warehouse)
        api = PageAPI(boot, former, selections, self._faults, clock, self.clear, state, self._plans)
        sessions = SessionRoutes(boot, self._sessions, self._is_stopping, self._plans)
        plan = PlanRoutes(self._plans, self._off_plan, self._warehouse)
        # The intake is served before the page's routes are tried; here it only says which method it takes.
        intake = Route(PATH, self._intake, methods=["POST"])
        ways = (self._warehouse, self._faults, Audience(self._segments), self._rules.knows, clock, self._query_seconds)
        queries = QueryRoutes(*ways)
        stream_route = Route(f"{API}/stream", stream, methods=["GET"])
        reports = Reports(self._warehouse, self._saved, self._segments)
        older = FormerEventRoutes(former, self._plans)
        own = (
            *api.routes(),
            *older.routes(),
            *self._drops.routes(),
            *plan.routes(),
            *sessions.routes(),
            *queries.routes(),
            *reports.routes(),
            *assets.routes(),
        )
        routes = [intake, stream_route, *own]
        page = Starlette(routes=routes, exception_handlers=NOT_FOUND)
        page.router.redirect_slashes = False
        return page

    def _noted(self) -> dict[str, object]:
        """Return what the page's stream tells besides the numbers of the intake."""
        return {
            "trouble": self._warehouse.state().trouble,
            "drops": self._drops.total,
            "plan": self._plans.revision,
        }

    def _is_stopping(self) -> bool:
        return self.stopping

    def _take_row(self, row: Row) -> None:
        if row.accepted:
            occurred = row.occurred_ms if self._by_occurrence else None
            ts = row.received_ms if occurred is None else max(0, occurred)
            number = self._warehouse.put([Event(ts=ts, body=cast("dict[str, Any]", row.body))])
            self._numbers.note(row.seq, number)
            self._sessions.take_row(row, number)

    def _take_browser(self, events: Sequence[BrowserEvent]) -> None:
        self._recent.take(events)
        first = self._warehouse.put([_stored(event) for event in events])
        self._sessions.take_browser(self._browser_rows.take(events, first), first)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        await self._routing(scope, receive, send)

    @property
    def api_keys(self) -> set[str] | None:
        """The keys that may send, None for any well-formed one; may be replaced or changed while running."""
        return self._rules.api_keys

    @api_keys.setter
    def api_keys(self, keys: Collection[str] | None) -> None:
        if isinstance(keys, str):
            raise TypeError("api_keys is a collection of keys, not one key: write {key}")
        self._rules.api_keys = None if keys is None else set(keys)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies of the events that were taken, oldest first."""
        rows = self._history.after(0)
        return [cast("dict[str, Any]", row.body) for row in rows if row.accepted and row.kind == SERVER]

    @property
    def browser_events(self) -> list[dict[str, Any]]:
        """The newest lines that browsers sent, as the SDK wrote them, oldest first; telemetry is left out."""
        return self._recent.bodies()

    @property
    def rejected(self) -> list[Rejected]:
        """The requests that were not taken, oldest first; faults are among them."""
        rows = self._history.after(0)
        return [Rejected(row.status, row.reason, row.body) for row in rows if row.reason is not None]

    def wait_for(self, count: int, timeout: float = 5.0) -> list[dict[str, Any]]:
        """Block until `count` events were taken since start or `clear()`, then return all of them.

        Raises TimeoutError that says what came instead. Never call it on the event loop that serves this app.
        """
        self._history.wait(count, timeout)
        return self.events

    def add_sample(self, *, seed: int = 1) -> bool:
        """Add 30 days of a made-up shop up to now, for queries and the page, not for `events`; takes some seconds.

        False, and nothing is added, where the data folder holds events already. Raises WarehouseError.
        """
        if self._reads is not None or self._warehouse.newest(1):
            return False
        self._warehouse.put(list(history(end=int(self._clock() * 1000), seed=seed)))
        self._warehouse.catalogue(_MAX_SECONDS_OF_SAMPLE)
        self._warehouse.former = self._warehouse.next - 1
        return True

    def clear(self) -> None:
        """Forget all events, sessions and rejections; armed faults stay."""
        self._history.clear()
        self._browser_rows.clear()
        self._recent.clear()
        self._sessions.clear()
        self._drops.clear()
        self._off_plan.clear()
        self._warehouse.clear()

    def close(self) -> None:
        """Write what waits to the data folder and close it. No query is answered after it."""
        self._warehouse.close()

    def fail(
        self,
        status: int | None = None,
        *,
        times: int | None = 1,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        close: bool = False,
        on: On = "intake",
        query_status: QueryStatus | None = None,
    ) -> Fault:
        """Make the next `times` requests fail (None: all, until `clear_faults()`); several calls queue up.

        With nothing but `times` the answer is 503. `delay` seconds alone slow the usual answer down. `close` drops the
        connection; in an in-process transport, which has none, the call raises ConnectionResetError. `on="query"` means
        the next queries, not the next events; `query_status` answers them "running" or "timeout", without a result.
        Raises ValueError for a fault that makes no sense.
        """
        if status is None and not delay and not close and query_status is None:
            status = 503
        fault = Fault(
            status=status, times=times, headers=headers, delay=delay, close=close, on=on, query_status=query_status
        )
        self._faults.arm(fault)
        return fault

    @property
    def faults(self) -> list[Fault]:
        """The faults still armed, next one first."""
        return self._faults.armed()

    def clear_faults(self) -> None:
        """Disarm all faults; a request that is being delayed stays delayed."""
        self._faults.clear()

    @contextmanager
    def running(self, port: int = 0) -> Iterator[str]:
        """Serve on 127.0.0.1 in a thread while the block lasts; yields the base URL. Port 0 takes a free one."""
        from dd_pa.emulator.server import serving  # noqa: PLC0415 - in-process use needs no server

        with serving(self, port) as url:
            yield url


def _stored(event: BrowserEvent) -> Event:
    view_id = event.body["view"]["id"] if event.kind in ("view", "view_update") else None
    return Event(ts=event.date_ms, body=event.body, user_agent=event.user_agent, view_id=view_id)
