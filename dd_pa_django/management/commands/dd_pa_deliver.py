from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from dd_pa.outbox import OutboxDeliverer, deliver_in_foreground
from dd_pa_django import get_emitter
from dd_pa_django.outbox.table import DjangoTable
from dd_pa_django.outbox.writing import default_alias


class Command(BaseCommand):
    help = (
        "Deliver the events of the outbox, in the foreground, until SIGTERM or Ctrl-C. "
        "Any number of these may run, on any number of hosts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="End when no event waits, or with status 1.")
        parser.add_argument("--database", help="Alias of the database; by default the one that routers name.")
        parser.add_argument(
            "--lease",
            type=float,
            default=60.0,
            help="Seconds after which another takes what a dead deliverer held (60).",
        )
        parser.add_argument("--poll", type=float, default=1.0, help="Most seconds between two looks (1).")

    def handle(self, *, once: bool, database: str | None, lease: float, poll: float, **options: Any) -> None:
        emitter, alias = get_emitter(), database or default_alias()
        if not emitter.settings.enabled:
            raise CommandError("DD_PA['ENABLED'] is False: nothing can be delivered")
        if alias not in connections:
            raise CommandError(f"there is no database {alias!r} in DATABASES")
        if lease < 1 or poll <= 0:
            raise CommandError("--lease must be 1 or more, and --poll more than 0")
        deliverer = OutboxDeliverer(emitter.settings, DjangoTable(alias), sender=emitter, lease=lease, poll=poll)
        try:
            done = deliver_in_foreground(deliverer, once=once, say=self.stderr.write)
        except Error as error:
            raise CommandError(f"the outbox of the database {alias!r} cannot be used: {error}") from error
        if once and not done:
            raise CommandError("events are left in the outbox")
