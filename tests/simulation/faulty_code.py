"""Faults that somebody could make in the delivery or the store: a change of one place each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A fault, as a change of a text that occurs once in a file of `dd_pa`."""

    fault: str
    path: str
    old: str
    new: str


def _in(path: str, fault: str, old: str, new: str) -> Mutation:
    return Mutation(fault=fault, path=path, old=old, new=new)


_DELIVERY = (
    _in(
        "delivery/retry_decision.py",
        "no event is ever blamed: no quarantine",
        "return others_passed or failed.outlived >= OUTLIVED",
        "return False",
    ),
    _in("delivery/destination_gate.py", "one event that fails closes the gate", "\nROW = 3\n", "\nROW = 1\n"),
    _in("delivery/destination_gate.py", "the gate never closes", "\nROW = 3\n", "\nROW = 1_000_000\n"),
    _in(
        "delivery/destination_gate.py",
        "fresh events wait with the probes",
        "self._fresh = 0 if self.paused_by else",
        "self._fresh = 0 if True else",
    ),
    _in(
        "delivery/destination_gate.py",
        "a success does not open the gate",
        "self.closed = self._limited = False\n        self.paused_by = self._refusal = None",
        "self._limited = False\n        self.paused_by = self._refusal = None",
    ),
    _in(
        "delivery/dispatcher.py",
        "settled when sent, not when taken by the intake",
        "        attempt = Attempt(event, failed, now, self.decision.passed)\n",
        "        attempt = Attempt(event, failed, now, self.decision.passed)\n        self._store.settle(event)\n",
    ),
    _in(
        "delivery/dispatcher.py",
        "what is in flight takes no room",
        "in_flight = len(self._attempts)\n",
        "in_flight = 0\n",
    ),
    _in(
        "delivery/retry_decision.py",
        "a failed event does not wait for another attempt",
        "            self._blame_destination(attempt, outcome)\n            self._wait_undecided(failed, outcome)\n",
        "            self._blame_destination(attempt, outcome)\n",
    ),
    _in(
        "delivery/event_age.py",
        "the wall clock alone says what is too old",
        "age = self._store.age(event)\n",
        "age: float | None = self._wall() - event.occurred_at / 1000\n",
    ),
    _in(
        "delivery/event_age.py",
        "what seems old is set aside before the intake has told the time",
        "or self._by_wall else None",
        "or True else None",
    ),
    _in(
        "delivery/retry_decision.py",
        "nothing is handed back by a process that makes way",
        "if self._store.hand_back(failed.event)]",
        "if False]",
    ),
    _in(
        "network/outcome.py",
        "a redirect is taken for a delivery",
        "if 200 <= status < 300:\n        return DELIVERED\n    return Outcome(",
        "if 200 <= status < 400:\n        return DELIVERED\n    return Outcome(",
    ),
    _in(
        "network/outcome.py", "500 rejects an event", "status == 408 or status >= 500", "status == 408 or status > 500"
    ),
    _in(
        "delivery/ledger.py",
        "the log quotes the intake",
        'event_rejected has the details", reason, event.id)',
        'event_rejected has the details", detail, event.id)',
    ),
    _in(
        "delivery/event_age.py",
        "an event that cannot be prepared raises",
        "except Exception as error:",
        "except ZeroDivisionError as error:",
    ),
)

_STORE = (
    _in(
        "store/spool.py",
        "a rejected event is settled though no dead letter could be written",
        'could not be set aside (%s)", error)\n            return False',
        'could not be set aside (%s)", error)\n            return True',
    ),
    _in(
        "store/spool.py",
        "a rejected event is not set aside",
        "if not self._bury(lambda: self._dead.add(event, reason, detail)):\n            return False\n",
        "if False:\n            return False\n",
    ),
    _in(
        "store/spool.py",
        "what is dropped for want of room is not counted",
        'self._on_dropped("overflow" if event else "damaged", event)',
        "return",
    ),
    _in(
        "store/spool.py",
        "at the end, what waits in memory is forgotten",
        "for event in (*self._memory.drain(), *self._taken.pop_homeless()) if not self._writer.put(event)]",
        "for event in self._memory.drain() if event is None]",
    ),
    _in(
        "store/spool_writer.py",
        "a short write counts as a whole one",
        "if written != len(record):",
        "if written == 0:",
    ),
    _in(
        "store/spool_writer.py",
        "a segment goes on when the wall clock was set",
        "elif segment.started is not None and abs(started() - segment.started) > STEP:",
        "elif segment.started is None:",
    ),
    _in(
        "store/segment_reader.py",
        "a segment of before a reboot is taken for one of after it",
        "if header.boot == boot() else None",
        "if header.boot else None",
    ),
    _in(
        "store/spool_writer.py",
        "an event that cannot be written is taken for written",
        "segment.doubt((event.id,))\n            return self._failed(segment, error.strerror)",
        "segment.doubt((event.id,))\n            self._failed(segment, error.strerror)\n            return True",
    ),
    _in(
        "store/backlog.py",
        "the journal is not written",
        "            held.journal.settle(offset)\n            self.settled(held)\n",
        "            self.settled(held)\n",
    ),
    _in(
        "store/backlog.py",
        "a segment is let go while events of it are in flight",
        "        if held.unsettled:\n            return\n        if held.name in self._returning:",
        "        if held.name in self._returning:",
    ),
    _in(
        "store/held_segment.py",
        "a segment is removed while events of it are in flight",
        "return not self.unsettled and self.reader.look_for_writer() and self.reader.at_end",
        "return self.reader.look_for_writer() and self.reader.at_end",
    ),
    _in(
        "store/held_segment.py",
        "a segment is adopted though another process has it",
        "if not journal.lock() or not directory",
        "if not directory",
    ),
    _in(
        "store/held_segment.py",
        "what the journal says is settled is delivered again",
        "self._settled_before = journal.settled()",
        "self._settled_before: set[int] = set()",
    ),
    _in(
        "store/held_segment.py",
        "the check sum is not looked at",
        "event = event_of(checked_body(line.data), application_id)\n            except DamagedRecordError as error:",
        "event = event_of(line.data[9:], application_id)\n            except DamagedRecordError as error:",
    ),
    _in(
        "store/held_segment.py",
        "the journal goes before its segment",
        "        self._directory.remove(self.name, self.reader.file)\n        self.removed = True\n"
        "        self._directory.remove(ack_name(self.name), self.journal.file)",
        "        self._directory.remove(ack_name(self.name), self.journal.file)\n"
        "        self._directory.remove(self.name, self.reader.file)\n        self.removed = True",
    ),
    _in(
        "store/segment_reader.py",
        "a writer is never seen to be gone",
        "self.writer_gone = self.file.lock_shared()",
        "pass",
    ),
    _in(
        "store/segment_reader.py",
        "what a writer appended last is not read",
        "self._ended = gone and not data",
        "self._ended = not data",
    ),
    _in(
        "store/orphans.py",
        "a segment that was once held by another process is not looked at again",
        "                heapq.heappush(self._untried, name)\n\n    def _is_held",
        "                pass\n\n    def _is_held",
    ),
    _in(
        "store/file_troubles.py",
        "an error of one file is taken for one of the disk",
        "if error.errno in OF_THE_DISK:",
        "if True:",
    ),
    _in("store/janitor.py", "the spool has no bound", "if excess <= 0:", "if True:"),
    _in(
        "store/janitor.py",
        "files of others are dropped for want of room",
        "            if self._orphans.is_alien(name):\n                continue\n            size",
        "            size",
    ),
    _in(
        "store/janitor.py", "a living process's files are swept away", "\nLITTER_AGE = 60.0\n", "\nLITTER_AGE = -1.0\n"
    ),
    _in(
        "store/janitor.py",
        "what was never published is not swept away",
        "if now - since >= LITTER_AGE:",
        "if False:",
    ),
    _in(
        "store/dead_letters.py",
        "dead letters have no bound",
        "if sum(sizes.values()) < self._max_bytes:",
        "if True:",
    ),
    _in(
        "store/memory.py",
        "a full buffer drops without saying so",
        "                oldest = self._leave(self._waiting.popleft())\n                self._on_overflow(oldest)\n",
        "                self._leave(self._waiting.popleft())\n",
    ),
    _in(
        "process/forks.py",
        "a forked child keeps its parent's locks",
        "                resource.close()",
        "                pass",
    ),
)

LIMIT = "delivery/rate_limit.py"
"""What the simulation of a fleet looks at; that of one host has nobody to share a limit with."""

_PACE = (
    _in(
        LIMIT,
        "nobody slows down after a 429",
        "self.rate, self._threshold = FIRST, math.inf",
        "self.rate = math.inf",
    ),
    _in(LIMIT, "begins at a hundred times the pace", "\nFIRST = 1.0\n", "\nFIRST = 100.0\n"),
    _in(LIMIT, "another 429 cuts nothing", "self._cuts = self.is_set\n", "self._cuts = False\n"),
    _in(LIMIT, "each 429 of requests in flight together counts", "if started < self._limited_at:", "if False:"),
    _in(
        LIMIT,
        "becomes faster ten times as fast",
        "\nFASTER_EACH_SUCCESS = 0.01\n",
        "\nFASTER_EACH_SUCCESS = 0.1\n",
    ),
    _in(LIMIT, "never becomes faster than it was", "self.rate *= 1.0 + min(", "self.rate *= 1.0 + 0.0 * min("),
    _in(LIMIT, "does not look for a wider limit", "\nRELIEF = 60.0\n", "\nRELIEF = 1e9\n"),
    _in(LIMIT, "what is sent uses nothing up", "self._tokens -= 1.0", "self._tokens -= 0.0"),
    _in(LIMIT, "two seconds of the pace at once", "\nLUMP = 0.02\n", "\nLUMP = 2.0\n"),
    _in(LIMIT, "all begin at the same moment", "self._tokens = self._draw(0.0, 1.0)", "self._tokens = 1.0"),
    _in(LIMIT, "slow from the first event on", "        self.rate = math.inf\n", "        self.rate = FIRST\n"),
)

MUTATIONS = (*_DELIVERY, *_STORE, *_PACE)
"""All of them."""
