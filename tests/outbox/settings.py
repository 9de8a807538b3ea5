"""A Django project with the outbox on, in processes of their own; the database is named by OUTBOX_DATABASE (JSON)."""

from __future__ import annotations

import json
import os

from tests.outbox.databases import use_pymysql

use_pymysql()

SECRET_KEY = "only-for-tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["dd_pa_django", "tests.outbox.shop"]
DATABASES = {"default": json.loads(os.environ["OUTBOX_DATABASE"])}
DD_PA = {"APPLICATION_ID": "shop", "API_KEY": "test-key", "OUTBOX": True, "SPOOL_DIR": None, "CONCURRENCY": 8}
