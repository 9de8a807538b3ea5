"""`python -m tests.processes.chaos`: a shop of real processes that are killed all the time, none of them spared.

Two gunicorns share a spool; one delivers by itself, the other leaves it to `dd-pa deliver`. Workers, masters, the
deliverer and the intake get SIGKILL or SIGTERM at random. In the end each event of which a visitor was told the id
has arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.core.intakes import Post, RawIntake, answer

ROOT = Path(__file__).parents[2]
VISITORS = 4
DRAIN = 120.0
"""Most seconds for what still waits when the killing ends."""


def serve_intake(port: int, arrived: str) -> None:
    """Write down the id of each event before it is said to be taken."""
    log = os.open(arrived, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def take(post: Post, writer: asyncio.StreamWriter) -> None:
        os.write(log, f"{post.event['dd_pa']['event_id']}\n".encode())
        writer.write(answer(202))

    with RawIntake(take, port=port).running():
        signal.sigwait({signal.SIGTERM})


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Service:
    """A program that is started again whenever it ended."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self._command, self._env, self._log = name, command, env, log
        self.process: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Start it if it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self._command],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        if self.process is None or self.process.poll() is not None:
            return []
        pid = self.process.pid
        with contextlib.suppress(OSError):
            return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        return [pid]

    def end(self, number: int) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)


class Visitors:
    """Ask the shops all the time, and note each event that they are told of."""

    def __init__(self, ports: list[int]) -> None:
        self.tracked: list[str] = []
        self.failed = 0
        self._ports = ports
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(VISITORS)]

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, number: int) -> None:
        while not self._over.wait(0.01):
            connection = HTTPConnection("127.0.0.1", self._ports[number % len(self._ports)], timeout=10)
            try:
                connection.request("GET", "/")
                self.tracked.append(connection.getresponse().read().decode().split()[0])
            except (OSError, HTTPException, IndexError):
                self.failed += 1
                self._over.wait(0.05)
            finally:
                connection.close()


def services(place: Path, ports: list[int], intake: int) -> list[Service]:
    """Return everything that runs."""
    others = ("DD_", "DJANGO_", "GUNICORN_", "PYTHONDEVMODE")
    env = {key: value for key, value in os.environ.items() if not key.startswith(others)}
    env |= {
        "DD_API_KEY": "0123456789abcdef0123456789abcdef",
        "DD_PA_APPLICATION_ID": "shop",
        "DD_PA_INTAKE_URL": f"http://127.0.0.1:{intake}",
        "DD_PA_SPOOL_DIR": str(place / "spool"),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT))),
    }
    by_others = env | {"DD_PA_DELIVERY": "process"}
    shop = ["-m", "gunicorn", "--workers", "2", "--graceful-timeout", "5", "tests.processes.shop:application", "--bind"]
    run = ["-m", "tests.processes.chaos", "--intake", str(intake), "--arrived", str(place / "arrived")]
    return [
        Service("intake", run, env, place / "intake.log"),
        Service("delivering shop", [*shop, f"127.0.0.1:{ports[0]}"], env, place / "shop-1.log"),
        Service("writing shop", [*shop, f"127.0.0.1:{ports[1]}"], by_others, place / "shop-2.log"),
        Service(
            "deliverer", ["-c", "from dd_pa.cli.program import main; main()", "deliver"], env, place / "deliverer.log"
        ),
    ]


def kill_some(running: list[Service], draws: random.Random, seconds: float) -> Counter[str]:
    """Send signals to processes drawn at random, and start again what ended; return who got how many."""
    killed: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for service in running:
            service.keep()
        time.sleep(draws.uniform(0.05, 1.0))
        service = draws.choice(running)
        pids = service.pids
        if pids:
            role = draws.randrange(len(pids))
            number = draws.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[role], number)
                killed[f"{service.name}{' worker' if role else ''} {number.name}"] += 1
    return killed


def drain(arrived: Path, wanted: set[str], running: list[Service]) -> set[str]:
    """Keep everything alive until all events arrived; return those that did not."""
    ends = time.monotonic() + DRAIN
    missing = wanted
    while missing and time.monotonic() < ends:
        for service in running:
            service.keep()
        time.sleep(0.5)
        missing = wanted - set(arrived.read_text().split())
    return missing


def run(seed: int, seconds: float) -> int:
    """Return how many events were lost."""
    print(f"seed {seed}", flush=True)
    draws = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="dd-pa-chaos-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        (place / "arrived").touch()
        ports = [free_port(), free_port()]
        running = services(place, ports, free_port())
        try:
            with Visitors(ports) as visitors:
                killed = kill_some(running, draws, seconds)
            missing = drain(place / "arrived", set(visitors.tracked), running)
        finally:
            for service in running:
                service.end(signal.SIGKILL)
        arrivals = Counter((place / "arrived").read_text().split())
    for who, times in sorted(killed.items()):
        print(f"  {times:3} × {who}")
    again = sum(times - 1 for times in arrivals.values())
    print(f"{len(visitors.tracked)} events tracked, {len(missing)} lost, {again} arrived again")
    print(f"{visitors.failed} visits failed")
    return len(missing)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.processes.chaos")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--intake", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--arrived", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.intake:
        serve_intake(arguments.intake, arguments.arrived)
        return 0
    return 1 if run(arguments.seed, arguments.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
