from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from dd_pa.capture.person import NOBODY, Identity
from dd_pa.capture.rum_cookie import SESSION_LASTS
from dd_pa.capture.work import Work
from dd_pa.emitter import Emitter
from dd_pa.jobs.job_header import MAX_HEADER, CarriedIdentity, Seal

HEADER = "dd_pa_identity"
"""Name of the header, of the message option or of the entry of a job's metadata."""

EmitterOrGetter = Emitter | Callable[[], Emitter | None]
"""An emitter, or what returns it when a job is queued or run (None: there is none, which is no error)."""

_restored: ContextVar[CarriedIdentity | None] = ContextVar("dd_pa_carried", default=None)
"""What the job that runs here was sent with."""

Before = tuple[Work, CarriedIdentity | None]
"""A job that has begun, and what the one around it was sent with."""


class IdentityCarrier:
    """Writes the header of a job that is queued, and restores the identity when the job runs.

    The same on both sides; thread-safe. Nothing of it raises for want of an identity: what is lost is counted.
    """

    def __init__(self, emitter: EmitterOrGetter, *, clock: Callable[[], float] = time.time) -> None:
        self.emitter = emitter
        self._clock = clock

    def header(self, task: str, job_id: str, present: object = None) -> str | None:
        """Return the header for a job, or None if nobody is known whom it is for.

        `present` is the header that the message has already: kept if it was written for this very job, as a retry's.
        Looks up the identity as `track()` does, so it may query the database for the user.
        """
        emitter = self._find()
        if emitter is None:
            return None
        seal = _seal(emitter)
        if isinstance(present, str) and seal.read(present, task, job_id) is not None:
            return present
        identity = emitter.integration.identity(lenient=True)
        if identity == NOBODY:
            return None
        if not seal:
            emitter.integration.count_lost_identity("no_secret")
            return None
        return self._written(emitter, seal, identity, task, job_id)

    def _written(self, emitter: Emitter, seal: Seal, identity: Identity, task: str, job_id: str) -> str:
        restored = _restored.get()
        # A job that queues another passes on the age of what it was given: nothing gets younger by being forwarded.
        carried = CarriedIdentity.of(identity, int(self._clock()) if restored is None else restored.read_at)
        header = seal.write(carried, task, job_id)
        while len(header.encode()) > MAX_HEADER:
            emitter.integration.count_lost_identity("too_long")
            carried = _without_longest(carried)
            header = seal.write(carried, task, job_id)
        return header

    def begin(self, header: object, task: str, job_id: str) -> Before | None:
        """Put the person of a header in force, for the thread or task that runs the job.

        Without a header, or with one that cannot be believed, that is nobody, who has not agreed where an agreement is
        asked for: never whoever was in force here before. What is returned goes to `end()`, also in another context.
        """
        emitter = self._find()
        if emitter is None:
            return None
        carried = self._read(emitter, header, task, job_id) if isinstance(header, str) else None
        unknown = Identity(consent=False if emitter.settings.asks_consent else None)
        before = (Work(job=unknown if carried is None else carried.identity), _restored.get())
        _restored.set(carried)
        return before

    def _read(self, emitter: Emitter, header: str, task: str, job_id: str) -> CarriedIdentity | None:
        carried = _seal(emitter).read(header, task, job_id)
        if carried is None:
            emitter.integration.count_lost_identity("forged")
            return None
        age = self._clock() - carried.read_at
        if age > emitter.settings.max_age:
            emitter.integration.count_lost_identity("expired")
            return None
        if carried.session is not None and age >= SESSION_LASTS:
            emitter.integration.count_lost_identity("session_over")
            return msgspec.structs.replace(carried, session=None)
        return carried

    def end(self, before: Before | None) -> None:
        """Put back what was in force before `begin()`; threads and tasks that the job has started act for nobody."""
        if before is not None:
            work, outer = before
            work.end()
            _restored.set(outer)

    @contextmanager
    def restored(self, header: object, task: str, job_id: str) -> Iterator[None]:
        """Run a block as the job of a header: for code between a queue and its jobs that we have no integration for."""
        before = self.begin(header, task, job_id)
        try:
            yield
        finally:
            self.end(before)

    def _find(self) -> Emitter | None:
        emitter = self.emitter if isinstance(self.emitter, Emitter) else self.emitter()
        return emitter if emitter is not None and emitter.settings.enabled else None


def _seal(emitter: Emitter) -> Seal:
    return Seal(emitter.settings.reveal_job_secrets())


def _without_longest(carried: CarriedIdentity) -> CarriedIdentity:
    ids = {"usr": carried.usr, "account": carried.account, "session": carried.session}
    longest = max(ids, key=lambda name: len((ids[name] or "").encode()))
    return msgspec.structs.replace(carried, **{longest: None})
