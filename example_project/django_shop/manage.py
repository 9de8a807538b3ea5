"""Django's command line for this shop: `python example_project/django_shop/manage.py migrate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.django_shop.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
