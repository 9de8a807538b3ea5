from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from dd_pa import ProductAnalyticsError
from dd_pa.doctor import TEST_EVENT, send_now
from dd_pa_django.configuration import load_settings


class Command(BaseCommand):
    help = "Send one event now, past the spool, and say what became of it. Ends with 1 if the intake does not take it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default=TEST_EVENT)
        parser.add_argument("attributes", nargs="?", default="{}", help="a JSON object")
        parser.add_argument("--usr", default="dd-pa-test", help="the event's usr.id")
        parser.add_argument("--account", help="the event's account.id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            settings = load_settings()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        name, attributes = options["name"], options["attributes"]
        try:
            event_id = send_now(settings, name, attributes, usr=options["usr"], account=options["account"])
        except ProductAnalyticsError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{name} arrived at {settings.intake_url} as {event_id}")
