from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from dd_pa.outbox import OutboxDeliverer, deliver_in_foreground
from dd_pa_django import get_emitter
from dd_pa_django.outbox.table import DjangoTable, tables
from dd_pa_django.outbox.writer import default_alias


class Command(BaseCommand):
    help = (
        "Deliver the events of the outbox, in the foreground, until SIGTERM or Ctrl-C. "
        "Any number of these may run, on any number of hosts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="End when no event waits, or with status 1.")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--database", help="Alias of the database; by default the one that routers name.")
        where.add_argument(
            "--all-databases",
            action="store_true",
            help="Deliver from all databases that your routers let have the outbox, and that have its table.",
        )
        parser.add_argument(
            "--lease",
            type=float,
            default=60.0,
            help="Seconds after which another takes what a dead deliverer held (60).",
        )
        parser.add_argument("--poll", type=float, default=1.0, help="Most seconds between two looks (1).")

    def handle(
        self,
        *,
        once: bool,
        database: str | None,
        all_databases: bool,
        lease: float,
        poll: float,
        **options: Any,
    ) -> None:
        emitter = get_emitter()
        if not emitter.settings.enabled:
            raise CommandError("DD_PA['ENABLED'] is False: nothing can be delivered")
        if lease < 1 or poll <= 0:
            raise CommandError("--lease must be 1 or more, and --poll more than 0")
        found = self._tables(database, all_databases=all_databases)
        named = len(found) > 1
        deliverers = [
            OutboxDeliverer(
                emitter.settings,
                table,
                sender=emitter,
                lease=lease,
                poll=poll,
                name=f"the outbox {alias}" if named else "the outbox",
            )
            for alias, table in found.items()
        ]
        try:
            done = deliver_in_foreground(*deliverers, once=once, say=self.stderr.write, at_end=connections.close_all)
        except Error as error:
            raise CommandError(f"the outbox of the database {next(iter(found))!r} cannot be used: {error}") from error
        if once and not done:
            raise CommandError("events are left in the outbox")

    def _tables(self, database: str | None, *, all_databases: bool) -> dict[str, DjangoTable]:
        if all_databases:
            return tables()
        alias = database or default_alias()
        if alias not in connections:
            raise CommandError(f"there is no database {alias!r} in DATABASES")
        return {alias: DjangoTable(alias)}
