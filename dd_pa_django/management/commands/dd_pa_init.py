from __future__ import annotations

import importlib
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dd_pa.project_setup import UnknownProjectError, django_changes


class Command(BaseCommand):
    help = (
        "Show what the settings lack of dd-pa, add it when told to, and examine the site. "
        "Where dd_pa_django is not installed yet, `dd-pa init` does the same."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help="add the lines without asking")

    def handle(self, *args: Any, **options: Any) -> None:
        file = Path(str(importlib.import_module(settings.SETTINGS_MODULE).__file__))
        depth = settings.SETTINGS_MODULE.count(".") + (file.stem == "__init__")
        try:
            changes = django_changes(file, file.parents[depth])
        except (UnknownProjectError, SyntaxError) as error:
            raise CommandError(str(error)) from None
        if not changes:
            self.stdout.write("The project has all that dd-pa needs.")
            call_command("dd_pa_doctor", stdout=self.stdout)
            return
        for change in changes:
            self.stdout.write(change.diff(Path.cwd()))
        if not (options["write"] or self._agrees()):
            self.stdout.write("Nothing was written. Add these lines with --write.")
            return
        for change in changes:
            change.apply()
        self.stdout.write("Written. Now run: manage.py dd_pa_doctor")  # these settings are read by the next process

    def _agrees(self) -> bool:
        return sys.stdin.isatty() and input("Add these lines? [y/N] ").strip().lower() in ("y", "yes")
