"""What jobs do in these tests, and how a test learns of it: each run is one event, which carries the run's marker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from dd_pa import Emitter, Identity, Settings, identify
from dd_pa.emulator import Emulator
from tests.processes.program import Program
from tests.waiting import wait_until

SECRET = "of-the-shop"
SHOPPER = Identity(usr="u-12345", account="acme", session="2b1b778e-9ef6-45d6-89b8-e68ca6ceb436")
NOBODY = Identity(usr="nobody")


def run(emitter: Emitter, marker: str, **attributes: Any) -> None:
    """Do a job's work: track an event for whoever it is for, else for nobody."""
    attributes |= {"marker": marker, "pid": os.getpid(), "lost": dict(emitter.stats().lost_identities)}
    if emitter.track("job.ran", attributes) is None:
        emitter.track("job.ran", attributes, usr="nobody")


def make_emitter(**changes: Any) -> Emitter:
    """Return an emitter for code that queues; it sends nothing."""
    given = {"application_id": "shop", "api_key": "k", "job_secret": SECRET, "spool_dir": None}
    return Emitter(Settings(**(given | changes)))


def marker() -> str:
    return uuid4().hex


@contextmanager
def shopping() -> Iterator[None]:
    """A block as in a request of the shopper."""
    with identify(usr=SHOPPER.usr, account=SHOPPER.account, session=SHOPPER.session):
        yield


class Runs:
    """The runs of jobs in one worker, as the intake knows of them."""

    def __init__(self, emulator: Emulator, worker: Program) -> None:
        self._emulator = emulator
        self._worker = worker

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self._emulator.events if event.get("marker") == name]

    def wait(self, name: str, times: int = 1) -> list[dict[str, Any]]:
        """Block until the runs of a marker are there; return their events in the order of arrival."""
        wait_until(lambda: len(self.all(name)) >= times, lambda: f"{self.all(name)}\n{self._worker.output}")
        return self.all(name)

    def of(self, queue: Callable[[str], object]) -> dict[str, Any]:
        """Queue a job with a marker, and return the event of its run."""
        queue(name := marker())
        return self.wait(name)[0]


def who(event: dict[str, Any]) -> Identity:
    """Return the ids that an event arrived with."""
    return Identity(**{key: event[key]["id"] for key in ("usr", "account", "session") if key in event})


def as_shopper(runs: Runs, queue: Callable[[str], object]) -> Identity:
    """Queue a job as the shopper; return whom its event is for."""

    def shop(name: str) -> None:
        with shopping():
            queue(name)

    return who(runs.of(shop))
