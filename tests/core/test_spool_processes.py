"""The spool between real processes that are killed, forked, ended and started again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from dd_pa import Emitter, Settings
from dd_pa.cli.spool import command as spool_command
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from tests.core.intakes import NEVER, QUICK, RawIntake, answer
from tests.waiting import PATIENCE, wait_until

WRITER = """
import sys, time
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
for number in range(int(sys.argv[1])):
    event_id = emitter.track("order.placed", {"number": number}, usr="u-1")
    if event_id:
        sys.stdout.write(event_id + "\\n")
        sys.stdout.flush()
"""


class Host:
    """Processes that share a spool and an intake, which is another one after each `use()`."""

    def __init__(self, path: Path) -> None:
        self.spool = path / "spool"
        self.intake = ""
        self._started: list[subprocess.Popen[str]] = []

    def run(
        self, program: list[str], changes: Mapping[str, str] | None = None, *, pipesize: int = -1
    ) -> subprocess.Popen[str]:
        """Start a process; it is killed at the end of the test. In a small pipe it waits for whoever reads."""
        environ = {
            "DD_API_KEY": "key",
            "DD_PA_APPLICATION_ID": "shop",
            "DD_PA_INTAKE_URL": self.intake,
            "DD_PA_SPOOL_DIR": str(self.spool),
            "PATH": os.environ["PATH"],
        }
        process = subprocess.Popen(
            program,
            env={**environ, **(changes or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pipesize=pipesize,
        )
        self._started.append(process)
        return process

    def python(self, script: str, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        """Start Python."""
        return self.run([sys.executable, "-c", textwrap.dedent(script), *arguments], changes)

    def command(self, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        """Start `dd-pa`."""
        return self.run([sys.executable, "-c", "from dd_pa.cli.program import main; main()", *arguments], changes)

    def spool_command(self, *arguments: str) -> tuple[int, str]:
        """Run `dd-pa spool` in this process; return its exit code and what it printed."""
        result = CliRunner().invoke(spool_command, [*arguments], env={"DD_PA_SPOOL_DIR": str(self.spool)})
        return result.exit_code, result.output

    def settings(self, **changes: object) -> Settings:
        """Return the same settings for an emitter of this process."""
        values: dict[str, object] = {"APPLICATION_ID": "shop", "API_KEY": "key", "INTAKE_URL": self.intake}
        return Settings.from_mapping(values | {"SPOOL_DIR": self.spool} | changes)

    def segments(self) -> list[str]:
        """Return the names of what waits."""
        return [path.name for path in self.spool.glob("*/*.seg")]

    def close(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it forked
            process.communicate()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host without processes yet."""
    made = Host(tmp_path)
    yield made
    made.close()


@pytest.fixture
def emulator(host: Host) -> Iterator[Emulator]:
    """A running emulator, which the host sends to."""
    emulator = Emulator()
    with emulator.running() as host.intake:
        yield emulator


def arrived(emulator: Emulator) -> Counter[str]:
    """Return how often each event came."""
    return Counter(event["dd_pa"]["event_id"] for event in emulator.events)


def ids_from(process: subprocess.Popen[str], count: int) -> set[str]:
    """Return the ids that a process printed, at least so many."""
    assert process.stdout is not None
    found = {process.stdout.readline().strip() for _ in range(count)}
    assert "" not in found
    return found


def kill(process: subprocess.Popen[str]) -> set[str]:
    """Kill a process; return the ids that it had still printed."""
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    return {line for line in output.split("\n") if len(line) == 32}


def test_a_killed_writer_loses_nothing(host: Host, emulator: Emulator) -> None:
    """Each event whose `track()` had returned arrives when the next process delivers, few of them twice."""
    tracked: set[str] = set()
    for _ in range(3):
        # It is killed while it tracks, and not far ahead: thousands are too many for a busy machine.
        writer = host.run([sys.executable, "-c", WRITER, "100000"], pipesize=4096)
        tracked |= ids_from(writer, 300)
        tracked |= kill(writer)
    with Emitter(host.settings()) as emitter:
        emitter.track("app.started", usr="u-1")
        wait_until(lambda: tracked <= set(arrived(emulator)))

    assert sum(count - 1 for count in arrived(emulator).values()) <= 3 * 100


def test_a_neighbour_adopts_within_seconds(host: Host, emulator: Emulator) -> None:
    """A process that lives on, even an idle one, delivers what a killed one left."""
    with Emitter(host.settings()) as neighbour:
        neighbour.track("neighbour.started", usr="u-1")
        assert neighbour.flush(60)
        emulator.fail(status=503)
        writer = host.python(WRITER, "50")
        tracked = ids_from(writer, 50)
        kill(writer)
        emulator.clear_faults()

        wait_until(lambda: tracked <= set(arrived(emulator)))


def test_a_killed_deliverer_loses_nothing(host: Host, emulator: Emulator) -> None:
    """`dd-pa deliver` can be killed at any moment; the next one goes on, and web workers never deliver."""
    writer = host.python(WRITER + "\ntime.sleep(60)", "600", DD_PA_DELIVERY="process")
    tracked = ids_from(writer, 600)
    assert len(arrived(emulator)) == 0
    for _ in range(2):
        deliverer = host.command("deliver")
        before = len(arrived(emulator))
        wait_until(lambda before=before: len(arrived(emulator)) > before)  # type: ignore[misc]  # bound at once
        kill(deliverer)
    host.command("deliver")

    wait_until(lambda: tracked <= set(arrived(emulator)))
    assert sum(count - 1 for count in arrived(emulator).values()) <= 2 * 100


def test_deliver_ends_in_order(host: Host, emulator: Emulator) -> None:
    """SIGTERM has it finish what is in flight; nothing is left, nothing comes twice."""
    deliverer = host.command("deliver", DD_PA_SHUTDOWN_TIMEOUT="600")
    writer = host.python(WRITER, "200", DD_PA_DELIVERY="process")
    tracked = ids_from(writer, 200)
    writer.wait(PATIENCE)
    wait_until(lambda: len(arrived(emulator)) > 0)
    deliverer.send_signal(signal.SIGTERM)
    _, said = deliverer.communicate(timeout=PATIENCE)

    assert deliverer.returncode == 0
    assert arrived(emulator) == Counter(tracked)
    assert "200 events delivered" in said


def test_one_deliverer_per_application(host: Host, emulator: Emulator) -> None:
    """A second one ends with a message that names the first; one for another application may run."""
    first = host.command("deliver")
    assert first.stderr is not None
    assert "delivers from" in first.stderr.readline()
    second = host.command("deliver")
    _, said = second.communicate(timeout=10)
    other = host.command("deliver", DD_PA_APPLICATION_ID="shed")
    assert other.stderr is not None

    assert (second.returncode, str(first.pid) in said) == (1, True)
    assert "delivers from" in other.stderr.readline()


def test_deliver_needs_a_spool(host: Host, emulator: Emulator) -> None:
    """Without a directory there is nothing to deliver from, and the message says what to set."""
    process = host.command("deliver", DD_PA_SPOOL_DIR="none")
    _, said = process.communicate(timeout=10)

    assert (process.returncode, "DD_PA_SPOOL_DIR" in said) == (1, True)


def test_a_forked_child_has_a_segment_of_its_own(host: Host, emulator: Emulator) -> None:
    """A child that lives on holds no lock of its dead parent, whose events a neighbour adopts."""
    emulator.fail(status=503)
    parent = host.python(
        """
        import os, sys, time
        from dd_pa import Emitter, Settings
        emitter = Emitter(Settings.from_env())
        print(emitter.track("parent.did", usr="u"), flush=True)
        if os.fork() == 0:
            if sys.argv[1] == "tracks":
                print(emitter.track("child.did", usr="u"), flush=True)
            else:
                print("f" * 32, flush=True)
            time.sleep(60)
        time.sleep(60)
        """,
        "waits",
    )
    [tracked] = ids_from(parent, 2) - {"f" * 32}
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    emulator.clear_faults()
    with Emitter(host.settings()) as neighbour:
        neighbour.track("neighbour.started", usr="u")
        wait_until(lambda: tracked in arrived(emulator))

    assert tracked in arrived(emulator)


def test_parent_and_child_both_deliver(host: Host, emulator: Emulator) -> None:
    """Neither's events are lost or sent by both."""
    parent = host.python(
        """
        import os, warnings
        from dd_pa import Emitter, Settings
        emitter = Emitter(Settings.from_env())
        emitter.track("parent.did", {"n": 1}, usr="u")
        with warnings.catch_warnings(action="ignore"):  # Python 3.12 warns of a fork beside threads
            pid = os.fork()
        for n in range(20):
            emitter.track("child.did" if pid == 0 else "parent.did", {"n": n}, usr="u")
        emitter.close(10)
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
        else:
            os._exit(0)
        """
    )
    _, said = parent.communicate(timeout=30)

    assert (parent.returncode, said) == (0, "")
    assert set(arrived(emulator).values()) == {1}
    assert Counter(event["event"]["name"] for event in emulator.events) == {"parent.did": 21, "child.did": 20}
    assert host.segments() == []


def test_a_new_key_releases_what_waited_under_the_old_one(host: Host, emulator: Emulator) -> None:
    """The key is no part of what a segment belongs to, and is in no file."""
    emulator.api_keys = ("new-key-4711",)
    with Emitter(host.settings(API_KEY="old-key-4711"), retry=QUICK) as emitter:
        event_id = emitter.track("order.placed", usr="u")
        wait_until(lambda: emitter.stats().state == "paused")
    files = b"".join(path.read_bytes() for path in host.spool.rglob("*") if path.is_file())
    with Emitter(host.settings(API_KEY="new-key-4711")) as emitter:
        emitter.track("order.placed", usr="u")
        wait_until(lambda: event_id in arrived(emulator))

    assert b"key-4711" not in files
    assert event_id is not None
    assert event_id.encode() in files


def test_closing_does_not_wait_for_an_intake_that_is_down(host: Host) -> None:
    """The events are safe, so the process ends at once, and counts none as lost."""

    async def refuse(post: object, writer: object) -> None:
        writer.write(answer(503))  # type: ignore[attr-defined]

    with RawIntake(refuse).running() as host.intake:
        emitter = Emitter(host.settings(SHUTDOWN_TIMEOUT=600.0), retry=NEVER)
        for _ in range(20):
            emitter.track("order.placed", usr="u")
        wait_until(lambda: emitter.stats().state == "backing_off")
        emitter.close()
    stats = emitter.stats()

    assert (stats.queued, stats.pending, dict(stats.dropped)) == (20, 20, {})
    assert stats.spool_bytes > 0
    assert len(host.segments()) == 1


def test_stats_tell_own_events_from_adopted_ones(host: Host, emulator: Emulator) -> None:
    """`queued` counts what this process tracked, `delivered` also what it delivered for others."""
    writer = host.python(WRITER, "30", DD_PA_DELIVERY="process")
    ids_from(writer, 30)
    writer.wait(10)
    with Emitter(host.settings()) as emitter:
        emitter.track("order.placed", usr="u")
        wait_until(lambda: emitter.stats().delivered == 31)
        stats = emitter.stats()

    assert (stats.queued, stats.pending) == (1, 0)


def test_dead_letters_are_listed_replayed_and_purged(host: Host) -> None:
    """A rejected event waits with its reason until somebody decides; attributes are shown when asked for only."""
    taken: list[bool] = []
    rejected: list[str] = []
    signals.event_rejected.connect(note := lambda sender, event, **more: rejected.append(event.id), weak=False)

    async def pick(post: object, writer: object) -> None:
        writer.write(answer(202 if taken else 400, b'{"errors":["no\\u001b[31m"]}'))  # type: ignore[attr-defined]

    try:
        with RawIntake(pick).running() as host.intake, Emitter(host.settings()) as emitter:
            for _ in range(3):
                emitter.track("order.placed", {"secret": "marked"}, usr="u")
            wait_until(lambda: len(rejected) == 3)
            _, listed = host.spool_command("list")
            _, shown = host.spool_command("list", "--show")
            taken.append(True)
            replayed = host.spool_command("replay", rejected[0])
            wait_until(lambda: emitter.stats().delivered == 1)
            purged = host.spool_command("purge", rejected[1])
            unknown, complaint = host.spool_command("replay", "../../etc/passwd")
            _, left = host.spool_command("list")
            host.spool_command("purge", "--yes")
            _, at_last = host.spool_command("list")
    finally:
        signals.event_rejected.disconnect(note)

    assert [identifier in listed for identifier in rejected] == [True] * 3
    assert ("400" in listed, "marked" in listed, "marked" in shown) == (True, False, True)
    assert "\x1b" not in listed + shown
    assert (replayed, purged) == ((0, "1 replayed\n"), (0, "1 purged\n"))
    assert (unknown, "no dead letters" in complaint) == (1, True)
    assert [identifier in left for identifier in rejected] == [False, False, True]
    assert "0 dead letters" in at_last


def test_purging_all_is_asked_for(host: Host) -> None:
    """Without ids and without an answer nothing is purged."""
    host.spool.mkdir(mode=0o700)

    assert (host.spool_command("purge")[0], host.spool_command("purge", "--yes")) == (1, (0, "0 purged\n"))


def test_two_applications_keep_apart(host: Host, emulator: Emulator) -> None:
    """One application's events never leave under the other's settings."""
    writer = host.python(WRITER, "20", DD_PA_DELIVERY="process", DD_PA_APPLICATION_ID="shed")
    ids_from(writer, 20)
    kill(writer)
    with Emitter(host.settings()) as emitter:
        emitter.track("order.placed", usr="u")
        wait_until(lambda: emitter.stats().delivered == 1)
        for _ in range(50):  # the other's would come between these
            emitter.track("order.placed", usr="u")
        assert emitter.flush(600)

    assert {event["application"]["id"] for event in emulator.events} == {"shop"}


def test_the_systemd_unit_and_the_sidecar_of_the_docs_name_real_options() -> None:
    """What the page shows can be typed."""
    page = (Path(__file__).parents[2] / "docs" / "spool.md").read_text()

    assert set(re.findall(r"dd-pa (\w+)", page)) <= {"deliver", "spool", "relay", "emulator"}
    assert {"dd-pa deliver", "dd-pa spool list", "dd-pa spool replay", "dd-pa spool purge"} <= set(
        re.findall(r"dd-pa (?:deliver|spool \w+)", page)
    )
