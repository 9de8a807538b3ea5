"""What of the events is off the plan, as the emulator knows it: the count of a process lives in that process alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dd_pa.delivery.plan_report import PLAN
from dd_pa.doctor.report import Finding
from dd_pa.network.local_emulator import local_emulator
from dd_pa.settings.settings import Settings

_MOST_NAMED = 3


def examine_plan(settings: Settings) -> Iterator[Finding]:
    """Say how many of the emulator's events are off the plan; nothing where there is no emulator, or no plan."""
    emulator = local_emulator(settings)
    answer = b"" if emulator is None else emulator.ask(PLAN)
    try:
        events: list[dict[str, Any]] = json.loads(answer or b"{}").get("events") or []
        off = {str(event["name"]): int(event["off_plan"]) for event in events if event["off_plan"]}
        unseen = sum(event["count"] == 0 for event in events)
    except (ValueError, TypeError, KeyError, AttributeError):  # something else that listens there
        return
    if not events:
        return
    text = f"{len(events)} events declared, {unseen} of them never seen here; off_plan {sum(off.values())}"
    if off:
        most = sorted(off, key=lambda name: (-off[name], name))[:_MOST_NAMED]
        named = ", ".join(f"{name} {off[name]}" for name in most)
        fix = f"see {settings.intake_url}/plan: an attribute is of another type, missing, or not declared"
        yield Finding(state="warning", subject="plan", text=f"{text}: {named}", fix=fix)
    else:
        yield Finding(state="ok", subject="plan", text=text)
