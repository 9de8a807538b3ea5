"""The shop: processes that track events on one machine, are killed, ended and started again, and the trouble around."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery import alarm
from dd_pa.delivery.pipeline import Pipeline
from dd_pa.observe import signals
from dd_pa.process import forks
from tests.simulation.books import Books, Tracked
from tests.simulation.calls import Calls
from tests.simulation.disk import Disk
from tests.simulation.faults import FileFaults
from tests.simulation.intake import KEY, OLD_KEY, Intake, Line
from tests.simulation.interposition import Machine, Running
from tests.simulation.plan import Errand, Plan
from tests.simulation.process import Process
from tests.simulation.scheduler import Owner, Scheduler

SPOOL = "/sim/spool"
URL = "http://127.0.0.1:1"
TIMEOUT = 10.0
SHUTDOWN = 2.0
START = 1000.0
SESSION = "11111111-2222-4333-8444-555555555555"


@dataclass(eq=False, kw_only=True)
class Place:
    """A worker of the shop: one process after the other, with one list of errands."""

    name: str
    errands: list[Errand]
    settings: dict[str, Any] = field(default_factory=dict)
    delivers_for_all: bool = False
    process: Process | None = None
    emitter: Emitter | None = None
    ends_in_order: bool = False
    """Told to end at its next errand."""


class Shop:
    """A machine, its disk, the intake, and what runs there."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.scheduler = Scheduler(plan.draws("order"))
        self.machine = Machine(plan.seed, self.scheduler)
        self.disk = Disk(self.machine.wall_time)
        self.faults = FileFaults(draws=plan.draws("file faults"))
        self.calls = Calls(self.scheduler, self.disk, self.faults, plan.draws("calls"))
        self.machine.calls = self.calls
        self.scheduler.on_turn = _enter
        self.calls.on_kill = self.killed
        self.calls.cost = 1e-5
        self.log: list[tuple[float, str, str]] = []
        self.intake = Intake(
            draws=plan.draws("intake"),
            clock=self.time,
            note=lambda about, process, text: self.note(about, f"{text} of {process.name}"),
            timeout=TIMEOUT,
            outages=plan.outages,
            date=None if plan.has("no_date") else self.machine.true_time,
        )
        self.places: list[Place] = []
        self.processes: list[Process] = []
        self.books = Books()
        self.violations: list[str] = []
        self.revoked: Place | None = None
        """Whose key ends."""

        self.forked = self.reboots = 0
        self._pids = itertools.count(100)
        self._restarts = plan.draws("restarts")
        self.healed = False
        self.healed_at = float("inf")
        alarm.TICK = plan.tick
        Running.begin(self.machine)
        self.machine.boot("first")
        self._listen()

    def time(self) -> float:
        """Return the seconds since the beginning."""
        return self.scheduler.now - START

    def note(self, about: str, text: str) -> None:
        """Write to the log of what happened."""
        self.log.append((self.time(), about, text))

    def violated(self, text: str) -> None:
        if text not in self.violations and len(self.violations) < 10:
            self.note("VIOLATION", text)
            self.violations.append(text)

    def _listen(self) -> None:
        def dropped(sender: object, event: BuiltEvent | None, reason: str, **more: Any) -> None:
            self.note("drop", f"{reason} {event.id[:6] if event else None}")
            if event is not None:
                self.books.dropped[event.id] = reason
            if reason == "expired" and self._had_the_time():
                self.violated("an event expired by a clock that was set forward while its process lived")
            self.books.damaged += event is None
            if reason == "overflow":
                self.books.drop_sizes.append((self.time(), self.disk_bytes()))

        def rejected(sender: object, event: BuiltEvent, reason: str, **more: Any) -> None:
            self.note("reject", f"{reason} {event.id[:6]}")
            self.books.rejected.add(event.id)

        signals.event_dropped.connect(dropped, weak=False)
        signals.event_rejected.connect(rejected, weak=False)
        logging.getLogger().handlers = [_Noting(self)]
        logging.getLogger("dd_pa").setLevel(logging.INFO)

    def _had_the_time(self) -> bool:
        """Tell whether a process began before the wall clock was ever set, and it was never set back."""
        steps = self.books.steps
        return not steps or (min(step for _, step in steps) > 0 and self.machine.process().began_at < steps[0][0])

    def disk_bytes(self) -> int:
        """Return what the spool takes of the disk, in whole blocks, without dead letters."""
        return sum(max(len(node.data), 4096) for path, node in self.spool_files() if "/rejected/" not in path)

    def spool_files(self) -> list[tuple[str, Any]]:
        sim = self.disk.root.names["sim"]
        return self.disk.walk(sim, "/sim")

    def contents(self) -> bytes:
        """Return everything that is on disk, dead letters and all."""
        return b"\n".join(bytes(node.data) for _, node in self.spool_files())

    # --- processes

    def settings(self, **changes: Any) -> Settings:
        plan = self.plan
        usual: dict[str, Any] = {
            "application_id": "shop",
            "api_key": KEY,
            "intake_url": URL,
            "spool_dir": SPOOL,
            "spool_max_bytes": plan.max_bytes,
            "buffer_size": plan.buffer_size,
            "concurrency": plan.concurrency,
            "timeout": TIMEOUT,
            "shutdown_timeout": SHUTDOWN,
        }
        return Settings(**(usual | changes))

    def begin(self, name: str) -> Process:
        process = Process(name=name, pid=next(self._pids), began_at=self.time())
        self.processes.append(process)
        return process

    def open(self, place: Place) -> None:
        """Start a process for a place."""
        process = place.process = self.begin(f"{place.name}.{next(self._pids)}")
        place.ends_in_order = False
        self.note("start", process.name)
        self.scheduler.spawn(lambda: self._live(place, process), process, "main")

    def _live(self, place: Place, process: Process) -> None:
        if place.delivers_for_all:
            pipeline = Pipeline(
                None,
                self.settings(**place.settings),
                transport=Line(self.intake, self.machine.process),
                retry=self.retry(process),
                for_all=True,
            )
            pipeline.start()
            while not place.ends_in_order:
                self.scheduler.park(1.0)
            pipeline.close(SHUTDOWN)
        else:
            emitter = place.emitter = self.emitter(process, **place.settings)
            self._work(place, process, emitter)
            emitter.close()
        self.ended(process)

    def retry(self, process: Process) -> RetryPolicy:
        return RetryPolicy(draw=self.plan.draws(f"jitter {process.name}").uniform)

    def emitter(self, process: Process, **changes: Any) -> Emitter:
        settings = self.settings(**changes)
        return Emitter(settings, transport=Line(self.intake, self.machine.process), retry=self.retry(process))

    def _work(self, place: Place, process: Process, emitter: Emitter) -> None:
        while not place.ends_in_order:
            if not place.errands:
                self.scheduler.park(1.0)
                continue
            errand = place.errands[0]
            if errand.at > self.time():
                self.scheduler.park(min(1.0, errand.at - self.time()))
                continue
            place.errands.pop(0)
            self.track(process, emitter, errand)

    def track(self, process: Process, emitter: Emitter, errand: Errand) -> str | None:
        strand = self.scheduler.current
        assert strand is not None
        strand.work = 0
        attributes = {"note": f"SECRET-{len(self.books.tracked)}", "filling": "x" * errand.size}
        event = emitter.track(errand.name, attributes, usr="u-1", session=SESSION)
        self.books.most_track_calls = max(self.books.most_track_calls, strand.work)
        self.note("track", f"{process.name} {errand.name} {str(event)[:6]}")
        if event is not None:
            self.books.tracked[event] = Tracked(
                id=event,
                name=errand.name,
                at=self.time(),
                process=process,
                size=errand.size,
                off=self.machine.wall - self.machine.true,
            )
        return event

    def script_ended(self, process: Process, event: str | None) -> None:
        self.books.ended_scripts.append((event, self.time()))
        self.ended(process)

    def ended(self, process: Process) -> None:
        """End a process in order; whoever supervises it starts another."""
        self.note("end", process.name)
        self._over(process)

    def killed(self, process: Process) -> None:
        """End a process at once."""
        if not process.alive:
            return
        self.note("kill", process.name)
        written = [line for line in self.contents().split(b"\n") if line[:9] == b"%08x " % crc32(line[9:])]
        whole = b"\n".join(written)  # and not what a full disk kept of a record
        for event in self.books.tracked.values():
            if (
                (event.process is process or self._may_be_held(event))
                and not event.excused
                and not self.is_known(event)
                and event.id.encode() not in whole
            ):
                event.excused = "in memory when its process was killed"
                if self.plan.has("tight") and (event.id in self.intake.on_the_way or self._has_just_dropped()):
                    continue  # its segment went for want of room, and it would have been counted next
                if (
                    event.process is process
                    and process.failed_calls == 0
                    and not self.plan.has("enospc")
                    and self.was_to_be_on_disk(process)
                ):
                    self.violated(f"{event.id[:6]} ({event.name}) was not on disk when {process.name} was killed")
        self._over(process)

    def _may_be_held(self, event: Tracked) -> bool:
        """Tell whether a dead process's event may be in another one's memory only, as its segment has just gone."""
        return self.plan.has("tight") and not (event.process and event.process.alive) and self._has_just_dropped()

    def _has_just_dropped(self) -> bool:
        drops = self.books.drop_sizes
        return bool(drops) and drops[-1][0] > self.time() - 2 * self.plan.tick - 0.1

    def was_to_be_on_disk(self, process: Process | None) -> bool:
        return process is None or not process.name.startswith("memory")

    def is_known(self, event: Tracked) -> bool:
        """Tell whether it arrived or was reported as dropped."""
        return event.id in self.intake.arrivals or event.id in self.books.dropped

    def _over(self, process: Process) -> None:
        process.alive = False
        process.died_at = self.time()
        process.dies_after = None
        self.calls.close_all(process)
        for place in self.places:
            if place.process is process:
                place.process = None
                delay = 0.1 if self.healed else self._restarts.choice((0.01, 1.0, 10.0))
                self.scheduler.at(self.scheduler.now + delay, self._opening(place))

    def _opening(self, place: Place) -> Callable[[], None]:
        def open_again() -> None:
            if place in self.places and place.process is None:
                self.open(place)

        return open_again

    @property
    def living(self) -> list[Process]:
        return [process for process in self.processes if process.alive]


def _enter(owner: Owner) -> None:
    """Let `dd_pa` see which process it is in, as a fork tells it."""
    assert isinstance(owner, Process)
    forks.generation = owner.generation


class _Noting(logging.Handler):
    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._shop.note("log", text)
        if "SECRET" in text or KEY in text or OLD_KEY in text:
            self._shop.violated(f"an attribute or the key is in the log: {text[:24]!r}")
        if record.name == "asyncio":
            detail = repr(record.exc_info[1]) if record.exc_info else ""
            self._shop.violated(f"asyncio complains: {text[:200]} {detail[:200]}")
