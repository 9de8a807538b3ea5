"""What a project imports before Django is set up: an `asgi.py` names the middleware of websockets at its top."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "dd_pa_django"
DJANGOS = {"admin", "models", "panels"}  # Django, or its toolbar, imports these itself, once it is set up


def test_modules_can_be_imported_before_django_is_set_up() -> None:
    """Whichever it is, no settings and no models are asked for."""
    names = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem not in DJANGOS)
    imports = "\n".join(f"import dd_pa_django.{name}" for name in names if name != "__init__")
    done = subprocess.run([sys.executable, "-c", imports], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
