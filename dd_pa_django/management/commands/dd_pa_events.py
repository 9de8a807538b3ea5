from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dd_pa_django.model_events.registry import declarations


class Command(BaseCommand):
    help = "List the events that are declared on models: what they are called, and what brings them about."

    def handle(self, *args: Any, **options: Any) -> None:
        lines = [
            (event.name, model._meta.label, event.cause)
            for model, declaration in declarations()
            for event in declaration.events
        ]
        widths = [max((len(line[column]) for line in lines), default=0) for column in (0, 1)]
        for name, label, cause in sorted(lines):
            self.stdout.write(f"{name:<{widths[0]}}  {label:<{widths[1]}}  {cause}")
