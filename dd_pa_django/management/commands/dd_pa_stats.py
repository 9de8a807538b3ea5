from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from dd_pa import ProductAnalyticsError, Settings
from dd_pa.doctor import as_lines, as_numbers, outbox_lines, outbox_numbers, waiting
from dd_pa_django.configuration import load_settings


class Command(BaseCommand):
    help = (
        "Show what waits on disk and in the outbox, and what was rejected, of all processes of this host. What one "
        "process did since it started, its own get_emitter().stats() tells."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for monitoring")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            settings = load_settings()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        try:
            found, outbox = waiting(settings), _outbox(settings)
        except (ProductAnalyticsError, OSError, DatabaseError) as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps({**as_numbers(found), "outbox": outbox}))
            return
        self.stdout.write("\n".join(as_lines(found)))
        if outbox is not None:
            self.stdout.write("\n".join(outbox_lines(outbox)))


def _outbox(settings: Settings) -> dict[str, float | None] | None:
    """Return the numbers of all databases with an outbox, added up."""
    if not settings.outbox:
        return None
    from dd_pa_django.outbox.table import tables  # noqa: PLC0415 - needs the models

    return outbox_numbers(list(tables().values()))
