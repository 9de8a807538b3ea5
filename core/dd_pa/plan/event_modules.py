"""The modules of an application in which its event classes are."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from dd_pa.errors import PlanError

HOW_TO_NAME = (
    'name it: dd-pa events check shop.events, or event-modules = ["shop.events"] in [tool.dd-pa] of pyproject.toml'
)
NOTHING_IMPORTED = f"no class of an event is imported; if there is one in a module, {HOW_TO_NAME}"


def import_modules(names: Iterable[str], directory: Path) -> None:
    """Import the modules of event classes: those given, else those of `pyproject.toml`. Raises `PlanError`."""
    here = str(directory)
    if here not in sys.path:
        sys.path.insert(0, here)
    for name in list(names) or _configured(directory / "pyproject.toml"):
        try:
            importlib.import_module(name)
        except PlanError:
            raise
        except Exception as error:  # importing runs the module
            raise PlanError(name, f"cannot be imported: {type(error).__name__}: {error}") from error


def _configured(path: Path) -> list[str]:
    if not path.exists():
        return []
    try:
        found = tomllib.loads(path.read_text()).get("tool", {}).get("dd-pa", {}).get("event-modules", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"cannot be read: {error}") from None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise PlanError(str(path), 'event-modules is a list of modules: event-modules = ["shop.events"]')
    return found
