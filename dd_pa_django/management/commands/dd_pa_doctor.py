from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings as site
from django.core import checks
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from dd_pa import Settings
from dd_pa.doctor import Finding, examine, examine_outbox, failed, report
from dd_pa_django.configuration import load_settings


class Command(BaseCommand):
    help = (
        "Examine the settings, the system checks of dd-pa, the intake, the key, the clock, the spool and the outbox. "
        "Sends no event. Ends with 1 if something keeps events from arriving."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        findings = self._print(_from_checks())
        if not failed(findings):  # wrong settings say all there is to say
            settings = load_settings()
            findings += self._print(examine(settings))
            findings += self._print(_of_outbox(settings))
        if failed(findings):
            raise CommandError("something keeps events from arriving")

    def _print(self, findings: Any) -> list[Finding]:
        printed = []
        for finding in findings:
            self.stdout.write(report(finding))
            printed.append(finding)
        return printed


def _of_outbox(settings: Settings) -> Iterator[Finding]:
    if not (settings.enabled and settings.outbox):
        return
    from dd_pa_django.outbox.table import DjangoTable  # noqa: PLC0415 - needs the models
    from dd_pa_django.outbox.writer import aliases, default_alias  # noqa: PLC0415

    for alias in aliases():
        option = "" if alias == DEFAULT_DB_ALIAS else f" --database {alias}"
        yield from examine_outbox(
            DjangoTable(alias),
            where=f"database {alias!r}",
            how_to_make=f"run manage.py migrate{option}, or let your routers keep the app dd_pa out of it",
            how_to_deliver=f"manage.py dd_pa_deliver{option}",
            needed=alias == default_alias(),
        )


def _from_checks() -> list[Finding]:
    messages = checks.run_checks(include_deployment_checks=not site.DEBUG)  # on a laptop they do not apply
    return [_finding(message) for message in messages if str(message.id).startswith("dd_pa.")]


def _finding(message: checks.CheckMessage) -> Finding:
    state: Any = "failure" if message.is_serious() or message.id == "dd_pa.W001" else "warning"
    return Finding(state=state, subject=str(message.id), text=str(message.msg), fix=str(message.hint or ""))
