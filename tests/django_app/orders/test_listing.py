"""What is declared can be listed, and the recipes of the docs do what they say."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import isolate_apps

from dd_pa import Event, identify
from dd_pa_django import track_model
from tests.django_app.conftest import Events

DOCS = Path(__file__).parents[3] / "docs/django-models.md"


def test_events_are_listed() -> None:
    """Their names, the model, and what brings them about."""
    output = StringIO()
    call_command("dd_pa_events", stdout=output)
    lines = [re.split(r"\s{2,}", line) for line in output.getvalue().splitlines()]

    assert ["order.placed", "orders.Order", "created"] in lines
    assert ["order.status_changed", "orders.Order", "status"] in lines
    assert ["document.shredded", "orders.Document", "deleted"] in lines


class Listed(Event, name="test.listed"):
    """Said in the catalogue."""


def test_documents_of_the_plan(tmp_path: Path) -> None:
    """`catalogue` and `export` write what is imported, each in its own forms."""
    output = StringIO()
    call_command("dd_pa_events", "export", stdout=output)
    call_command("dd_pa_events", "catalogue", output=tmp_path / "plan.html")

    assert "test.listed" in json.loads(output.getvalue())["$defs"]
    assert "Said in the catalogue." in (tmp_path / "plan.html").read_text()
    with pytest.raises(CommandError, match="catalogue has no --format asyncapi; there are markdown, html"):
        call_command("dd_pa_events", "catalogue", format="asyncapi")


@pytest.fixture
def note_model() -> Any:
    """The model of the docs' recipe for soft deletes, as it stands there, with a table."""
    recipe = DOCS.read_text().partition("### Soft delete")[2].partition("```python\n")[2].partition("```")[0]
    with isolate_apps("tests.django_app.orders"):
        names: dict[str, Any] = {"models": models, "track_model": track_model, "__name__": "tests.django_app.orders"}
        exec(recipe, names)  # noqa: S102 - our own docs
        with connection.schema_editor() as editor:
            editor.create_model(names["Note"])
        yield names["Note"]
        with connection.schema_editor() as editor:
            editor.delete_model(names["Note"])


def test_soft_delete(note_model: Any, events: Events) -> None:
    """A flag that comes and goes is two events."""
    with identify(usr="u-1"):
        note = note_model.objects.create()
        for is_deleted in (True, True, False):
            note.is_deleted = is_deleted
            note.save()

    assert [(event["event"]["name"], event["note"]) for event in events()] == [
        ("note.deleted", {"id": note.pk}),
        ("note.restored", {"id": note.pk}),
    ]
