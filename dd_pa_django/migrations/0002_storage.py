"""What keeps a busy table fast: an index for pruning, and room for rows that are updated in place."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from dd_pa.outbox import STORAGE


class AddPartialIndex(migrations.AddIndex):
    """Adds an index of some rows, where the database has such. Elsewhere it would be another one of all."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.features.supports_partial_indexes:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.features.supports_partial_indexes:
            super().database_backwards(app_label, schema_editor, from_state, to_state)


def tune(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER TABLE dd_pa_outbox SET ({STORAGE})")


def reset(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        names = ", ".join(parameter.split("=")[0] for parameter in STORAGE.split(","))
        schema_editor.execute(f"ALTER TABLE dd_pa_outbox RESET ({names})")


class Migration(migrations.Migration):
    dependencies = [("dd_pa", "0001_outbox")]

    operations = [
        AddPartialIndex(
            model_name="outboxevent",
            index=models.Index(
                fields=["state", "id"], name="dd_pa_outbox_rejected", condition=models.Q(("state", "rejected"))
            ),
        ),
        migrations.RunPython(tune, reset, hints={"model_name": "outboxevent"}),
    ]
