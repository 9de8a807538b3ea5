from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from dd_pa import PlanError
from dd_pa.model_events import event_lines
from dd_pa.plan import lock_file
from dd_pa.plan.documents import CATALOGUES, EXPORTS, catalogue_format, chosen_plan, write_document
from dd_pa.plan.event_modules import import_modules
from dd_pa.plan.lock_check import check, compare
from dd_pa_django.model_events.registry import declarations

ACTIONS = ("list", "check", "catalogue", "export")


class Command(BaseCommand):
    help = (
        "List the events that are declared as classes and on models; check: compare the classes with the lock file "
        "and say what breaks its readers; catalogue: write them for people to read; export: for other tools. "
        "The modules `events` of installed apps are imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", default="list", choices=ACTIONS)
        parser.add_argument("modules", nargs="*", help="more modules of event classes")
        parser.add_argument("--lock", type=Path, default=Path(lock_file.NAME), help=f"the lock file ({lock_file.NAME})")
        parser.add_argument("--update", action="store_true", help="record what is declared now")
        parser.add_argument("--against", metavar="REVISION", help="compare with the lock file of this revision of git")
        forms = [*CATALOGUES, *EXPORTS]
        parser.add_argument("--format", choices=forms, help="of the catalogue (markdown) or the export (json-schema)")
        parser.add_argument("--output", type=Path, help="where catalogue and export are written; default: the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            autodiscover_modules("events")
            import_modules(options["modules"], Path.cwd())
            match options["action"]:
                case "list":
                    self._list()
                case "check":
                    self._check(options["lock"], options["against"], update=options["update"])
                case action:
                    self._write(action, options["format"], options["output"])
        except PlanError as error:
            raise CommandError(str(error)) from None

    def _list(self) -> None:
        for line in event_lines((model._meta.label, declaration) for model, declaration in declarations()):
            self.stdout.write(line)

    def _check(self, path: Path, against: str | None, *, update: bool) -> None:
        if update and against is not None:
            raise CommandError("--update records what is declared, and --against only compares: give one of them")
        report = check(path, update=update) if against is None else compare(path, against)
        for line in report.lines:
            self.stdout.write(line)
        if not report.is_good:
            raise SystemExit(1)

    def _write(self, action: str, form: str | None, output: Path | None) -> None:
        forms = CATALOGUES if action == "catalogue" else EXPORTS
        chosen = form or (catalogue_format(output) if action == "catalogue" else "json-schema")
        if chosen not in forms:
            raise CommandError(f"{action} has no --format {chosen}; there are {', '.join(forms)}")
        write_document(forms[chosen](chosen_plan(None)), output, lambda text: self.stdout.write(text, ending=""))
