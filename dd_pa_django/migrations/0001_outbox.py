from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.CharField(max_length=32, verbose_name="event id")),
                ("name", models.CharField(max_length=512, verbose_name="name")),
                ("occurred_at", models.BigIntegerField(verbose_name="occurred at")),
                ("body", models.BinaryField(verbose_name="event")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "waiting"), ("rejected", "rejected")],
                        db_default="waiting",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("claims", models.PositiveIntegerField(db_default=0, verbose_name="taken")),
                ("claimed_by", models.CharField(blank=True, db_default="", max_length=80, verbose_name="claimed by")),
                ("claimed_until", models.BigIntegerField(db_default=0, verbose_name="claimed until")),
                ("rejected_at", models.BigIntegerField(blank=True, null=True, verbose_name="rejected at")),
                ("reason", models.CharField(blank=True, db_default="", max_length=100, verbose_name="reason")),
                ("detail", models.CharField(blank=True, db_default="", max_length=400, verbose_name="detail")),
            ],
            options={
                "verbose_name": "outbox event",
                "verbose_name_plural": "outbox events",
                "db_table": "dd_pa_outbox",
                "permissions": (("retry_outboxevent", "Can have rejected events delivered again"),),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["state", "id"], name="dd_pa_outbox_waiting"
                    )
                ],
            },
        ),
    ]
