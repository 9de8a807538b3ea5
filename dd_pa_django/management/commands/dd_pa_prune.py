from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from dd_pa_django.outbox.table import DjangoTable
from dd_pa_django.outbox.writer import default_alias


class Command(BaseCommand):
    help = "Delete events of the outbox that were rejected some time ago. Delivered ones are gone already."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=float, default=30.0, help="Keep those of the last so many days (30).")
        parser.add_argument("--database", help="Alias of the database; by default the one that routers name.")

    def handle(self, *, days: float, database: str | None, **options: Any) -> None:
        alias = database or default_alias()
        if alias not in connections:
            raise CommandError(f"there is no database {alias!r} in DATABASES")
        if days < 0:
            raise CommandError("--days must be 0 or more")
        before = int((time.time() - days * 86400) * 1000)
        deleted = DjangoTable(alias).prune(before)
        self.stdout.write(f"{deleted} rejected events deleted")
