from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.management.base import BaseCommand, CommandError

from dd_pa.doctor import Finding, examine, failed, report
from dd_pa_django.configuration import load_settings


class Command(BaseCommand):
    help = (
        "Examine the settings, the system checks of dd-pa, the intake, the key, the clock and the spool. Sends no "
        "event. Ends with 1 if something keeps events from arriving."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        findings = self._print(_from_checks())
        if not failed(findings):  # wrong settings say all there is to say
            findings += self._print(examine(load_settings()))
        if failed(findings):
            raise CommandError("something keeps events from arriving")

    def _print(self, findings: Any) -> list[Finding]:
        printed = []
        for finding in findings:
            self.stdout.write(report(finding))
            printed.append(finding)
        return printed


def _from_checks() -> list[Finding]:
    messages = checks.run_checks(include_deployment_checks=True)
    return [_finding(message) for message in messages if str(message.id).startswith("dd_pa.")]


def _finding(message: checks.CheckMessage) -> Finding:
    state: Any = "failure" if message.is_serious() else "warning"
    return Finding(state=state, subject=str(message.id), text=str(message.msg), fix=str(message.hint or ""))
