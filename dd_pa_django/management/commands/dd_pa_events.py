from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dd_pa.model_events import event_lines
from dd_pa_django.model_events.registry import declarations


class Command(BaseCommand):
    help = "List the events that are declared on models: what they are called, and what brings them about."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in event_lines((model._meta.label, declaration) for model, declaration in declarations()):
            self.stdout.write(line)
