"""`python -m tests.relay.trial --broker redis`: many events through a broker while everything fails, and the account.

Publishers and deliverers get SIGKILL or SIGTERM at random and are started again, the broker is killed and comes back,
the links to it are cut, or hang. In the end each event that was tracked has arrived, and what arrived again is counted
beside the bound of docs/relay.md. Run by hand: it takes minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from dd_pa.emulator import Emulator
from dd_pa.relay.brokers import open_queue
from dd_pa.relay.publisher import BATCH
from dd_pa.settings.relay_address import address
from dd_pa.settings.settings import Settings
from tests.processes.chaos import ROOT, Service
from tests.relay.brokers import OWN, OwnServer, own_server
from tests.relay.links import Links

ID = 33
"""Bytes of a line of the publishers' notes."""

PUBLISHERS, DELIVERERS = 2, 3
CONCURRENCY = Settings(application_id="shop", api_key="k" * 32).concurrency
PACE = "0.0005"
"""Seconds between two events of a publisher."""


TROUBLE = 0.9
"""Part of the events that must have arrived before the trouble ends."""

ARRIVALS = 10_000_000
"""Events that are kept of those that arrive, so all: publishers run ahead of what is asked for while a node starts."""

LOOK = 5.0
"""Seconds between two looks at what has arrived, each of which reads it all."""


class Bound(NamedTuple):
    """How many events may arrive again for each thing that is done, as docs/relay.md has it."""

    publisher: int
    """A publisher that is killed: the batch that it waits for."""

    deliverer: int
    """A deliverer that is killed: those in flight, and as many that were answered and not yet noted."""

    broker: int
    """A broker that is killed."""

    link: int
    """All links that are cut or hang."""

    def of(self, done: Counter[str]) -> int:
        """Return what is allowed for all that was done."""
        return sum(done[what] * most for what, most in self._asdict().items())


ONE = 2 * CONCURRENCY
BOUNDS = {
    # A lease outlives a connection, and a batch has a number of its own.
    "redis": Bound(BATCH, ONE, DELIVERERS * ONE, DELIVERERS * ONE),
    # The server drops what it has seen; it may forget what it was told last when it is killed.
    "nats": Bound(0, ONE, DELIVERERS * ONE, DELIVERERS * ONE),
    # Claims belong to a connection, and a confirm that is lost is asked for by sending again.
    "rabbitmq": Bound(BATCH, ONE, PUBLISHERS * BATCH + DELIVERERS * ONE, PUBLISHERS * BATCH + DELIVERERS * ONE),
}


class Trial:
    """One broker, what uses it, and what is done to both."""

    def __init__(self, server: OwnServer, links: Links, intake: str, place: Path, draws: random.Random) -> None:
        self._server, self._links, self._place, self._draws = server, links, place, draws
        self.done: Counter[str] = Counter()
        url = server.url.replace(f":{server.port}", f":{links.port}")
        usual = {key: value for key, value in os.environ.items() if not key.startswith("DD_")}
        env = usual | {
            "DD_PA_APPLICATION_ID": "shop",
            "DD_PA_INTAKE_URL": intake,
            "DD_API_KEY": "k" * 32,
            "DD_PA_DELIVER_FROM": url,
            "DD_PA_TEST_RUN": "0",
            "DD_PA_TIMEOUT": "5",
            "PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT}",
        }
        log = place / "processes.txt"
        self._notes = [place / f"ids-{number}.txt" for number in range(PUBLISHERS)]
        spools = [place / f"spool-{number}" for number in range(PUBLISHERS)]
        deliver = ["-m", "tests.relay.command", "deliver", "--lease", "10"]
        self.publishers = [
            Service("publisher", ["-m", "tests.relay.publish", url, str(spool), str(note), "10000000", PACE], env, log)
            for spool, note in zip(spools, self._notes, strict=True)
        ]
        self.deliverers = [Service("deliverer", deliver, env, log) for _ in range(DELIVERERS)]
        without = {key: value for key, value in env.items() if key != "DD_PA_DELIVER_FROM"}
        self.sweepers = [
            Service("sweeper", deliver[:3], without | {"DD_PA_RELAY_URL": url, "DD_PA_SPOOL_DIR": str(spool)}, log)
            for spool in spools
        ]
        """They publish what the publishers have left in their spools."""

    def tracked(self) -> int:
        return sum(note.stat().st_size // ID for note in self._notes if note.exists())

    def ids(self) -> set[str]:
        return {one for note in self._notes if note.exists() for one in note.read_text().split() if len(one) == ID - 1}

    def keep(self, *services: Service) -> None:
        for service in services:
            service.keep()

    def disturb(self) -> None:
        """Do one thing, drawn at random."""
        what = self._draws.choices(("publisher", "deliverer", "link", "broker"), (4, 4, 3, 1))[0]
        if what == "broker":
            self._server.kill()
            time.sleep(self._draws.uniform(0, 1.5))
            self._server.start()
        elif what == "link":
            if self._draws.random() < 0.5:
                self._links.cut()
            else:
                self._links.stall(self._draws.uniform(0.2, 8.0))
        else:
            some = self.publishers if what == "publisher" else self.deliverers
            _strike(self._draws.choice(some), self._draws.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        self.done[what] += 1

    def make_trouble(self, emulator: Emulator, events: int, seconds: float) -> None:
        """Have events tracked and delivered while everything fails, until most have arrived."""
        ends = time.monotonic() + seconds
        while len(emulator.events) < TROUBLE * events and time.monotonic() < ends:
            if self.tracked() >= events:
                self.end(*self.publishers)
                self.keep(*self.sweepers)
            else:
                self.keep(*self.publishers)
            self.keep(*self.deliverers)
            time.sleep(self._draws.uniform(0.2, 2.5))
            self.disturb()
        self.end(*self.publishers)

    def wait_for_the_rest(self, emulator: Emulator, seconds: float) -> Counter[str]:
        """Let all be well until everything has arrived; return how often each event did."""
        ends, tracked = time.monotonic() + seconds, self.ids()
        arrived: Counter[str] = Counter()
        while not tracked <= set(arrived) and time.monotonic() < ends:
            self.keep(*self.deliverers, *self.sweepers)
            time.sleep(LOOK)
            arrived = Counter(event["dd_pa"]["event_id"] for event in emulator.events)
        return arrived

    def left(self, url: str) -> str:
        """Say what is still on its way: what has not arrived in time need not be lost."""
        waits = sum(path.stat().st_size for path in self._place.glob("spool-*/*/*.seg"))
        with contextlib.closing(open_queue(address("--from", url))) as queue:
            return f"  {waits} bytes in the spools' segments; on the broker {queue.counts()}"

    def end(self, *services: Service) -> None:
        for service in services:
            service.end(signal.SIGKILL)


def _strike(service: Service, number: int) -> None:
    for pid in service.pids[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def run(kind: str, *, events: int, seed: int, seconds: float, folder: Path) -> int:
    """Return 0 if nothing was lost, and no more arrived again than may."""
    (folder / "broker").mkdir()
    emulator = Emulator(kept=ARRIVALS)
    began = time.monotonic()
    with (
        emulator.running() as intake,
        own_server(kind, folder / "broker") as server,
        Links(server.port).running() as links,
    ):
        server.prepare()
        trial = Trial(server, links, intake, folder, random.Random(seed))
        try:
            trial.make_trouble(emulator, events, seconds)
            arrived = trial.wait_for_the_rest(emulator, seconds)
        finally:
            trial.end(*trial.publishers, *trial.deliverers, *trial.sweepers)
        left = trial.left(server.url)
    tracked = trial.ids()
    missing, again, allowed = tracked - set(arrived), arrived.total() - len(arrived), BOUNDS[kind].of(trial.done)
    print(f"{kind}, seed {seed}: {', '.join(f'{count} × {what}' for what, count in sorted(trial.done.items()))}")
    print(f"  {len(tracked)} events tracked, {len(missing)} lost, {again} arrived again (at most {allowed})", end=", ")
    print(f"{time.monotonic() - began:.0f} s")
    if missing:
        print(left)
        print("\n".join([*sorted(missing)[:5], *(folder / "processes.txt").read_text().splitlines()[-30:]]))
    return 0 if tracked and not missing and again <= allowed else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.relay.trial")
    parser.add_argument("--broker", choices=list(OWN), required=True)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument(
        "--seconds", type=float, default=900.0, help="most, for the trouble and for what is left after it"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dd-pa-trial-", ignore_cleanup_errors=True) as folder:
        return run(
            arguments.broker,
            events=arguments.events,
            seed=arguments.seed,
            seconds=arguments.seconds,
            folder=Path(folder),
        )


if __name__ == "__main__":
    sys.exit(main())
