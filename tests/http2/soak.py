"""`python -m tests.http2.soak`: the HTTP/2 transport for an hour over real servers that are never left in peace.

One process tracks events; between it and the servers is a link that is cut and stalled. Servers of each kind are
reloaded, killed and exchanged, end connections, and refuse or reset streams. In the end each event has arrived, and
what the process has grown by is printed. Ids go to files, so that the growth is the delivery's own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import trustme

from dd_pa import Emitter, RetryPolicy
from dd_pa.observe import signals
from tests.core.intakes import settings_for
from tests.http2 import servers
from tests.http2.servers import KINDS, Kind, Place, Server

RATE, IN_STORE = 400, 2_000
"""Events a second, and most that wait."""
PEACE, STALL, REPORT, DRAIN = 4.0, 3.0, 15.0, 120.0
"""Seconds: between two troubles at most, of a link that takes nothing, between two reports, for the rest."""
ALLOWED = 2 * 2**20
"""Bytes that the process may grow by in the second half: by then the allocator has what the busiest moment takes."""
MALLINFO = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]
"""Fields of what `mallinfo2(3)` of glibc returns."""


def node(place: Place) -> list[str]:
    """Return the arguments of an intake of its own, which refuses, resets and says goodbye at random."""
    text = f"""
    const http2 = require("http2"), fs = require("fs")
    const files = {{ key: fs.readFileSync("{place.key}"), cert: fs.readFileSync("{place.chain}") }}
    const arrived = fs.openSync("{place.intake}", "a"), chance = share => Math.random() < share
    const server = http2.createSecureServer(files)
    server.on("session", session => {{
        session.on("error", () => {{}})
        session.on("stream", stream => {{
            let body = ""
            stream.on("error", () => {{}})
            if (chance(0.01)) return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
            if (chance(0.002)) session.goaway(0, stream.id)
            if (chance(0.002)) session.settings({{ maxConcurrentStreams: 1 + Math.floor(Math.random() * 200) }})
            if (chance(0.002)) session.settings({{ initialWindowSize: Math.floor(Math.random() * 70000) }})
            stream.on("data", part => body += part)
            stream.on("end", () => {{
                if (chance(0.005)) return stream.close(http2.constants.NGHTTP2_CANCEL)
                fs.writeSync(arrived, JSON.parse(body).dd_pa.event_id + "\\n")
                if (chance(0.005)) return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
                stream.respond({{ ":status": 202 }})
                stream.end("{{}}")
            }})
        }})
    }})
    server.on("sessionError", () => {{}})
    server.listen({place.port}, "127.0.0.1")
    """
    return [place.write("soak.js", text)]


def track_for_ever(url: str, ca_file: str, folder: str) -> None:
    """Be the process that is looked at, until it is told to end by SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    retry = RetryPolicy(base=0.05, cap=1.0, pause=0.5)
    settings = settings_for(url, ca_file=ca_file, timeout=10.0, buffer_size=4 * IN_STORE)
    emitter = Emitter(settings, retry=retry)
    with Path(folder, "delivered").open("a") as delivered, Path(folder, "tracked").open("a") as tracked:
        signals.event_delivered.connect(
            lambda sender, event: print(event.id, file=delivered), sender=emitter, weak=False
        )
        began = reported = time.monotonic()
        count = 0
        while not over.wait(0.02):
            now = time.monotonic()
            for _ in range(min(RATE // 10, int((now - began) * RATE) - count)):
                print(
                    emitter.track("soaked", {"number": count, "text": "x" * (count % 3_000)}, usr="u-1"), file=tracked
                )
                count += 1
            over.wait(0.5 * (emitter.stats().pending > IN_STORE))
            if now - reported > REPORT:
                reported = now
                report(now - began, emitter)
        settled = emitter.flush(DRAIN)
        report(time.monotonic() - began, emitter)
        emitter.close()
    sys.exit(not settled)


def report(seconds: float, emitter: Emitter) -> None:
    """Print how large this process is, how much of that is the C allocator's reserve, and what it has done."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    stats, objects = emitter.stats(), sys.getallocatedblocks()
    size = pages * resource.getpagesize()
    done = f"{stats.delivered} {stats.retried} {stats.pending}"
    print(f"{seconds:.0f} {size} {_reserve()} {objects} {done}", flush=True)


def _reserve() -> int:
    """Return the bytes that malloc keeps and nobody uses: what the busiest moment took, in pieces."""
    information = ctypes.CDLL(None).mallinfo2
    information.restype = type(
        "Info", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in MALLINFO]}
    )
    return int(information().fordblks)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


class Link:
    """A proxy of TCP, whose connections are cut and stalled; and the intake behind the servers, which notes ids."""

    def __init__(self, arrived: Path) -> None:
        self.target = self.port = self.intake_port = 0
        self.loop = asyncio.new_event_loop()
        self._arrived = arrived
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Event()
        self._free.set()

    @contextlib.contextmanager
    def running(self) -> Iterator[Link]:
        """Run it in a thread while the block lasts."""
        self.loop.run_until_complete(self._listen())
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join()
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(asyncio.wait(tasks))
            self.loop.close()

    async def _listen(self) -> None:
        link = await asyncio.start_server(self._begin(self._pass_on), "127.0.0.1", 0)
        intake = await asyncio.start_server(self._begin(self._take), "127.0.0.1", 0)
        self._servers = link, intake
        self.port, self.intake_port = (server.sockets[0].getsockname()[1] for server in self._servers)
        self._ids = self._arrived.open("a", buffering=1)

    def _begin(self, serve: Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        """Return what has a task of its own serve a connection: asyncio complains of its own that are cancelled."""

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self.loop.create_task(serve(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return begin

    def cut(self) -> None:
        """Cut all connections, wherever they are."""
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Let nothing through for a while."""
        self._free.clear()
        self.loop.call_later(STALL, self._free.set)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, away = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, away}
        await asyncio.gather(self._copy(reader, away), self._copy(there, writer))
        self._writers -= {writer, away}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(65_536):
                await self._free.wait()
                writer.write(part)
                await writer.drain()
        writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                print(body.split(b'"event_id":"')[1].split(b'"')[0].decode(), file=self._ids)
                writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()


class Trouble:
    """Servers, one of which is in use, and what is done to them."""

    def __init__(self, draw: random.Random, folder: Path, link: Link) -> None:
        self._draw, self._folder, self._link = draw, folder, link
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.did: Counter[str] = Counter()
        own_intake = Kind(program="node", arguments=node)
        self._kinds = {name: kind for name, kind in KINDS.items() if kind.is_proxy} | {"Node": own_intake}
        self._now: tuple[str, Kind, Server, contextlib.ExitStack] | None = None

    def start(self, name: str) -> None:
        """Have one kind of server take all that comes from now on."""
        kind, stack = self._kinds[name], contextlib.ExitStack()
        place = self._folder / name
        place.mkdir(exist_ok=True)
        behind = f"127.0.0.1:{self._link.intake_port}" if kind.is_proxy else str(self._folder / "arrived-node")
        server = stack.enter_context(servers.running(kind, place, behind, self._authority))
        before, self._now = self._now, (name, kind, server, stack)
        self._link.target = server.port
        if before is not None:
            before[3].close()

    def go_on(self) -> None:
        """Do one thing to whoever is in use."""
        assert self._now is not None
        name, kind, server, _ = self._now
        does = self._draw.choice(["cut", "stall", "kill", "end", "exchange", "exchange", "reload", "reload"])
        if does == "reload" and kind.renewed_by is not None:
            server.process.send_signal(kind.renewed_by)
        elif does in ("cut", "stall"):
            self._link.loop.call_soon_threadsafe(self._link.cut if does == "cut" else self._link.stall)
        elif does in ("kill", "end"):
            if does == "kill":
                servers.kill(server.process)
            else:
                server.process.terminate()
                server.process.wait()
            self.start(name)
        else:
            does = "exchange"
            self.start(self._draw.choice([other for other in self._kinds if other != name]))
        self.did[f"{does} {name}"] += 1

    def close(self) -> None:
        if self._now is not None:
            self._now[3].close()


def soak(seed: int, minutes: float, folder: Path) -> bool:
    """Run it all, print what came of it, and return whether it is well."""
    draw = random.Random(seed)
    with Link(folder / "arrived").running() as link:
        trouble = Trouble(draw, folder, link)
        trouble.start("nginx")
        url = f"https://localhost:{link.port}"
        arguments = [sys.executable, "-m", "tests.http2.soak", "--track", url, str(folder / "ca.pem"), str(folder)]
        with (folder / "reports").open("wb") as reports:
            tracking = subprocess.Popen(arguments, stdout=reports)
        deadline = time.monotonic() + 60 * minutes
        while time.monotonic() < deadline and tracking.poll() is None:
            time.sleep(draw.uniform(0, PEACE))
            trouble.go_on()
        tracking.terminate()
        settled = tracking.wait() == 0
        trouble.close()
    return told(folder, trouble.did, settled=settled)


def told(folder: Path, did: Counter[str], *, settled: bool) -> bool:
    """Print and judge."""
    tracked = (folder / "tracked").read_text().split()
    arrived = Counter((folder / "arrived").read_text().split())
    with contextlib.suppress(FileNotFoundError):
        arrived += Counter((folder / "arrived-node").read_text().split())
    lost = set(tracked) - set(arrived)
    lines = [[int(number) for number in line.split()] for line in (folder / "reports").read_text().splitlines()]
    print("troubles:", dict(sorted(did.items())))
    print("seconds, bytes resident, of them malloc's reserve, blocks of Python's, delivered, retried, pending:")
    for line in lines[:: max(1, len(lines) // 20)] + lines[-1:]:
        print(" ", *line)
    again, late = arrived.total() - len(arrived), lines[len(lines) // 2]
    growth = lines[-1][1] - late[1]
    print(f"{len(tracked)} tracked, {len(lost)} lost, {again} again")
    print(
        f"grown by {growth} bytes in the second half; {lines[-1][3] - lines[0][3]} blocks more than at the first look"
    )
    return settled and not lost and growth <= ALLOWED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--track", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.track:
        track_for_ever(*options.track)
    print("seed", options.seed)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        folder.chmod(0o755)  # some servers give up root, and their files are to be found all the same
        well = soak(options.seed, options.minutes, folder)
    sys.exit(not well)


if __name__ == "__main__":
    main()
