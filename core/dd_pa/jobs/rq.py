"""Identity in the metadata of RQ's jobs."""

from __future__ import annotations

import functools
import os
from typing import Any, ClassVar, Self

from rq.job import Job

from dd_pa.emitter import Emitter
from dd_pa.jobs.identity_carrier import HEADER, EmitterOrGetter, IdentityCarrier


class IdentityJob(Job):
    """A job that runs for whoever queued it, callbacks too. Derive from it, and name that class to queues and workers.

    `class ShopJob(IdentityJob, emitter=find_emitter): ...`, then `Queue(job_class=ShopJob)` and
    `rq worker --job-class shop.jobs.ShopJob`. A job is left alone by `meta={"dd_pa_identity": False}`.

    RQ ends the process of a job the moment it is done, so the job's events are delivered before: that blocks for at
    most SHUTDOWN_TIMEOUT.
    """

    _carrier: ClassVar[IdentityCarrier]
    _get_emitter: ClassVar[tuple[EmitterOrGetter]]  # in a tuple, as a bare function would become a method

    def __init_subclass__(cls, emitter: EmitterOrGetter | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if emitter is not None:
            cls._carrier, cls._get_emitter = IdentityCarrier(emitter), (emitter,)

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a job as RQ does, with the identity of this moment in its metadata."""
        job = super().create(*args, **kwargs)
        present = job.meta.get(HEADER)
        if present is not False:
            header = cls._carrier.header(job.func_name or "", job.id, present)
            others = {
                key: value for key, value in job.meta.items() if key != HEADER
            }  # the caller's dict stays as it is
            # In a dict of the job's own: that of a decorator is shared by all its jobs.
            job.meta = others if header is None else others | {HEADER: header}
        return job  # type: ignore[return-value]

    def perform(self) -> Any:
        """Run the function for whoever queued it."""
        return self._for_its_person(super().perform)

    @property
    def success_callback(self) -> Any:
        """What RQ calls after a success; for the same person."""
        return self._same_person(super().success_callback)

    @property
    def failure_callback(self) -> Any:
        """What RQ calls after a failure; for the same person."""
        return self._same_person(super().failure_callback)

    @property
    def stopped_callback(self) -> Any:
        """What the worker calls after it has stopped the job's process; for the same person."""
        return self._same_person(super().stopped_callback)

    def _same_person(self, callback: Any) -> Any:
        return None if callback is None else functools.partial(self._for_its_person, callback)

    def _for_its_person(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            with self._carrier.restored(self.meta.get(HEADER), self.func_name or "", self.id):
                return work(*args, **kwargs)
        finally:
            if os.environ.get("RQ_JOB_ID") == self.id:  # RQ's process for one job, forked or spawned
                self._deliver()

    def _deliver(self) -> None:
        given = self._get_emitter[0]
        emitter = given if isinstance(given, Emitter) else given()
        if emitter is not None:
            emitter.flush(emitter.settings.shutdown_timeout)
