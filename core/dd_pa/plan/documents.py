"""What `dd-pa events catalogue` and `export` write, by the name of its form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from dd_pa.errors import PlanError
from dd_pa.plan import lock_file
from dd_pa.plan.catalogue import markdown
from dd_pa.plan.catalogue_page import page
from dd_pa.plan.event_modules import NOTHING_IMPORTED
from dd_pa.plan.model import Plan
from dd_pa.plan.registry import declared_plan
from dd_pa.plan.schema_export import Json, asyncapi, json_schema


def _encoded(make: Callable[[Plan], Json]) -> Callable[[Plan], str]:
    return lambda plan: json.dumps(make(plan), indent=2, ensure_ascii=False) + "\n"


CATALOGUES: Mapping[str, Callable[[Plan], str]] = {"markdown": markdown, "html": page}
EXPORTS: Mapping[str, Callable[[Plan], str]] = {"json-schema": _encoded(json_schema), "asyncapi": _encoded(asyncapi)}


def catalogue_format(path: Path | None) -> str:
    """Return the form that a file's name asks for."""
    return "html" if path is not None and path.suffix in (".html", ".htm") else "markdown"


def chosen_plan(path: Path | None) -> Plan:
    """Return the plan of a lock file, or of the classes that are imported. Raises `PlanError` if there is none."""
    plan = declared_plan() if path is None else lock_file.read(path)
    if plan is None:
        raise PlanError(str(path), "is not there; write it with dd-pa events check --update")
    if not plan.events:
        raise PlanError("", NOTHING_IMPORTED) if path is None else PlanError(str(path), "has no events")
    return plan


def write_document(text: str, path: Path | None, echo: Callable[[str], object]) -> None:
    """Write a document to a file, or give it to `echo`. Raises `PlanError` if the file cannot be written."""
    if path is None:
        echo(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlanError(str(path), f"cannot be written: {error.strerror}") from None
