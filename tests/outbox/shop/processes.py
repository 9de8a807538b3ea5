"""Forks processes of one Django project on request, as starting each by itself takes seconds.

Reads `buy SEED`, `deliver`, `bought PATH`, `migrate` or `wait PID` from each line, and answers with a line: the id of
the process, or how it ended.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models need django.setup()
from django.db import OperationalError, transaction  # noqa: E402

import dd_pa_django.management.commands.dd_pa_deliver  # noqa: E402, F401 - once for all children
from dd_pa_django import track  # noqa: E402
from tests.outbox.shop.models import Purchase  # noqa: E402


class ChangedMindError(Exception):
    """The customer does not buy."""


def buy(chance: random.Random) -> None:
    """Commit none, one or two purchases, each with its event."""
    with transaction.atomic():
        purchase()
        with suppress(ChangedMindError), transaction.atomic():
            purchase()
            if chance.random() < 0.5:
                raise ChangedMindError
        if chance.random() < 0.3:
            raise ChangedMindError


def purchase() -> None:
    event_id = track("purchase.made", {"of": "things"}, usr="u-1")
    assert event_id is not None
    Purchase.objects.create(event_id=event_id)


def buy_often(seed: str) -> None:
    """Buy until SIGTERM."""
    chance, ended = random.Random(seed), threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    while not ended.wait(0.01):
        with suppress(ChangedMindError, OperationalError):  # SQLite may be busy: then nothing is committed
            buy(chance)


def bought(path: str) -> None:
    with open(path, "w") as file:
        file.write("\n".join(Purchase.objects.values_list("event_id", flat=True)))


COMMANDS: dict[str, Callable[..., object]] = {
    "buy": buy_often,
    "bought": bought,
    "deliver": lambda *options: call_command("dd_pa_deliver", *options),
    "migrate": lambda: call_command("migrate", run_syncdb=True, verbosity=0),
}


def fork(name: str, *arguments: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        COMMANDS[name](*arguments)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


for line in sys.stdin:
    name, *arguments = line.split()
    if name == "wait":
        answer = os.waitstatus_to_exitcode(os.waitpid(int(arguments[0]), 0)[1])
    else:
        answer = fork(name, *arguments)
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()
