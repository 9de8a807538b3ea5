from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Makes the tables, a dozen products and a member of staff. Does no harm when repeated."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--staff", required=True, help="E-mail of the member of staff.")
        parser.add_argument("--password", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("loaddata", "products", verbosity=0)
        if not User.objects.filter(username=options["staff"]).exists():
            User.objects.create_superuser(options["staff"], password=options["password"])
