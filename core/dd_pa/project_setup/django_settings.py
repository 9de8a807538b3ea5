"""What the modules of Django's settings lack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dd_pa.project_setup.change import EMULATOR, PRODUCTION, Change
from dd_pa.project_setup.project import UnknownProjectError
from dd_pa.project_setup.settings_module import SettingsModule

_APP = "dd_pa_django"
_MIDDLEWARE = "dd_pa_django.middleware.ProductAnalyticsMiddleware"


def django_changes(path: Path, root: Path) -> list[Change]:
    """Return what would make a file, and those it star-imports, the settings of a project with dd-pa.

    App and middleware go where the lists are, so that other settings with the same base have them too; the emulator's
    address goes into the file itself. What is there already stays; files that lack nothing are left out. Raises
    `UnknownProjectError` for settings that are classes, `SyntaxError` and `OSError`.
    """
    modules = list(_modules(path, root, set()))
    texts = set[str]().union(*(module.texts for module in modules))
    if not any(text == _APP or text.startswith("dd_pa_django.apps") for text in texts):
        module = _home(modules, "INSTALLED_APPS", _APP)
        module.insert(module.end_of_list("INSTALLED_APPS"), _APP, _appended("INSTALLED_APPS", modules))
    if _MIDDLEWARE not in texts:
        module = _home(modules, "MIDDLEWARE", _MIDDLEWARE)
        module.insert(module.start_of_list("MIDDLEWARE"), _MIDDLEWARE, _prepended("MIDDLEWARE", modules))
    if not any("DD_PA" in module.names for module in modules):
        modules[0].end += _configuration("DEBUG" if _has_debug(modules) else 'globals().get("DEBUG")')
    return [change for change in (module.change() for module in modules) if change.is_needed]


def _modules(path: Path, root: Path, seen: set[Path]) -> Iterator[SettingsModule]:
    """Yield a module, then those of the project whose names it takes over by `from … import *`."""
    seen.add(path)
    module = SettingsModule(path)
    yield module
    for star in module.stars:
        start = path.parents[star.level - 1] if star.level else root
        place = start.joinpath(*(star.module or "").split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file() and file not in seen:
                for other in _modules(file, root, seen):
                    other.is_certain = other.is_certain and star in module.tree.body
                    yield other


def _home(modules: list[SettingsModule], name: str, element: str) -> SettingsModule:
    """Return the module where a setting is made: whose list it is, else the last that assigns it, else the first."""
    if not _is_bound(name, modules) and any(name in module.names_of_classes for module in modules):
        raise UnknownProjectError(f"{name} is a class's here: add {element!r} to it by hand")
    lists = [module for module in modules if module.list_of(name) is not None]
    assigning = [module for module in modules if name in module.names]
    return [*lists[:1], *assigning[-1:], modules[0]][0]


def _is_bound(name: str, modules: list[SettingsModule]) -> bool:
    return any(name in module.names for module in modules)


def _has_debug(modules: list[SettingsModule]) -> bool:
    """Tell whether there is a DEBUG whatever else is the case: else the name would be an error in production."""
    return any(module.is_certain and "DEBUG" in module.certain_names for module in modules)


def _present(name: str, modules: list[SettingsModule]) -> str:
    """Return what is the setting: a name that may come from elsewhere, as of `include()`, may be missing."""
    return name if _is_bound(name, modules) else f'globals().get("{name}", [])'


def _appended(name: str, modules: list[SettingsModule]) -> str:
    return f'{name} = [*{_present(name, modules)}, "{_APP}"]'


def _prepended(name: str, modules: list[SettingsModule]) -> str:
    return f'{name} = ["{_MIDDLEWARE}", *{_present(name, modules)}]'


def _configuration(condition: str) -> list[str]:
    values = [("APPLICATION_ID", "local"), ("API_KEY", "local"), ("INTAKE_URL", EMULATOR)]
    members = [f'        "{key}": "{value}",' for key, value in values]
    return [f"if {condition}:  # the emulator; {PRODUCTION}", "    DD_PA = {", *members, "    }"]
