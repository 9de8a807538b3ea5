from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from dd_pa import PlanError
from dd_pa.model_events import event_lines
from dd_pa.plan import lock
from dd_pa.plan.check import check, import_modules
from dd_pa_django.model_events.registry import declarations


class Command(BaseCommand):
    help = (
        "List the events that are declared as classes and on models; check: compare the classes with the lock file "
        "and say what breaks its readers. The modules `events` of installed apps are imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", default="list", choices=["list", "check"])
        parser.add_argument("modules", nargs="*", help="more modules of event classes")
        parser.add_argument("--lock", type=Path, default=Path(lock.NAME), help=f"the lock file ({lock.NAME})")
        parser.add_argument("--update", action="store_true", help="record what is declared now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            autodiscover_modules("events")
            import_modules(options["modules"], Path.cwd())
            if options["action"] == "list":
                self._list()
            else:
                self._check(options["lock"], update=options["update"])
        except PlanError as error:
            raise CommandError(str(error)) from None

    def _list(self) -> None:
        for line in event_lines((model._meta.label, declaration) for model, declaration in declarations()):
            self.stdout.write(line)

    def _check(self, path: Path, *, update: bool) -> None:
        report = check(path, update=update)
        for line in report.lines:
            self.stdout.write(line)
        if not report.is_good:
            raise SystemExit(1)
