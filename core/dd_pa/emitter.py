from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dd_pa import metrics
from dd_pa.capture.id_text import Id
from dd_pa.capture.person import Identity, IdentityCallable
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.pipeline import Pipeline
from dd_pa.delivery.process_pipelines import ProcessPipelines
from dd_pa.delivery.stats import Stats
from dd_pa.event_factory import EventFactory
from dd_pa.integration import Integration
from dd_pa.observe import observers
from dd_pa.plan.event_class import Event
from dd_pa.process import hosts
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.network.httpx_transport import Transport


class Emitter:
    """Takes events from any thread and delivers them in the background. One per process and application is enough.

    `identity` is called when an event is tracked, and only if `track()` and `identify()` left an id open; it returns an
    object with `usr`, `account` and `session`. `transport` replaces the network (tests pass
    `httpx.ASGITransport(app=Emulator())`). Nothing is started before the first event; a forked child begins empty.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        identity: IdentityCallable | None = None,
        transport: Transport | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.settings = settings
        self.outbox: Any = None
        """Table of SQLAlchemy that keeps the events of its sessions; see `dd_pa.outbox.sqlalchemy.outbox_table`."""

        self._transport = transport
        self._retry = retry or RetryPolicy()
        self._closed = False
        self._pipelines = ProcessPipelines(self._make_pipeline)
        if settings.enabled and hosts.serves():
            self._pipelines.latest.load()
        self._factory = EventFactory(self, settings, identity, self._pipelines)
        self.integration = Integration(self._factory, self._pipelines)
        """What the integration of a framework, an ORM or a queue needs besides."""

        metrics.observe_where_used(self)

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(self, self.settings, transport=self._transport, retry=self._retry, closed=self._closed)

    def track(
        self,
        name: str | Event,
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Id | None = None,
        account: Id | None = None,
        session: Id | None = None,
        identity: Identity | None = None,
    ) -> str | None:
        """Record that something happened; return the event's id, or None if it was not kept (the reason is counted).

        `attributes` are JSON-like (also Decimal, datetime, UUID, Enum, dataclass, set, lazy text) and are copied
        before the call returns. Ids given here win over `identify()`, which wins over the request's login; an id that
        is left out is taken from there unless `usr` is another user. `identity` is a whole person: nothing is taken
        from anywhere. Waits for no network, and for the disk with SPOOL_SYNC only. In strict mode a bad event raises
        `EventError`.
        """
        event = None
        try:
            factory = self._factory
            link = factory.link if identity is None else factory.linker.link_whole(identity)
            if observers.present:
                event = factory.make_observed(link, name, attributes, usr, account, session)
            else:
                event = factory.make(link, name, attributes, usr, account, session)
            return event.id if event is not None and self._pipelines.latest.submit(event) else None
        except Exception as error:  # the one guard: nothing of ours ends the code that tracks
            self._factory.drop(name, event, error)
            return None

    def flush(self, timeout: float) -> bool:
        """Wait until every event tracked so far is delivered, rejected or dropped; return whether it is.

        Blocks for at most `timeout` seconds. Events tracked meanwhile are not waited for.
        """
        return self._pipelines.current.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Deliver what waits and end the thread, in `timeout` seconds in all (SHUTDOWN_TIMEOUT when None).

        What is not delivered by then stays in the spool; without one it is dropped, counted as `shutdown` and logged.
        Called at the end of the process for you. Calling it again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self._pipelines.current.close(self.settings.shutdown_timeout if timeout is None else timeout)

    def stats(self) -> Stats:
        """Return what became of the events of this process. Does not block."""
        return self._pipelines.current.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
