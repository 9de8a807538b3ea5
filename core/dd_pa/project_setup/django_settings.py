"""What the modules of Django's settings lack."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from dd_pa.project_setup.change import EMULATOR, PRODUCTION, Change, with_lines

_APP = "dd_pa_django"
_MIDDLEWARE = "dd_pa_django.middleware.ProductAnalyticsMiddleware"


def django_changes(path: Path, root: Path) -> list[Change]:
    """Return what would make a file, and those it star-imports, the settings of a project with dd-pa.

    App and middleware go where the lists are, so that other settings with the same base have them too; the emulator's
    address goes into the file itself. What is there already stays; files that lack nothing are left out.
    """
    modules = list(_modules(path, root, set()))
    texts = set[str]().union(*(module.texts for module in modules))
    if not any(text == _APP or text.startswith("dd_pa_django.apps") for text in texts):
        module = _home(modules, "INSTALLED_APPS")
        module.insert(module.end_of_list("INSTALLED_APPS"), _APP, f'INSTALLED_APPS = [*INSTALLED_APPS, "{_APP}"]')
    if _MIDDLEWARE not in texts:
        module = _home(modules, "MIDDLEWARE")
        module.insert(module.start_of_list("MIDDLEWARE"), _MIDDLEWARE, f'MIDDLEWARE = ["{_MIDDLEWARE}", *MIDDLEWARE]')
    if not any("DD_PA" in module.names for module in modules):
        modules[0].end += _configuration(has_debug="DEBUG" in modules[0].names or bool(modules[0].stars))
    return [change for change in (module.change() for module in modules) if change.is_needed]


class _Module:
    """A file of settings, and the lines to add to it."""

    def __init__(self, path: Path) -> None:
        self._path, self._source = path, path.read_text(encoding="utf-8")
        self.tree = ast.parse(self._source)
        nodes = list(ast.walk(self.tree))
        self.texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        self.names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        self.stars = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
        self.end: list[str] = []
        self._insertions: dict[int, list[str]] = {}

    def insert(self, place: tuple[int, str] | None, text: str, otherwise: str) -> None:
        """Add an element after a line, or a statement at the end."""
        if place is None:
            self.end.append(otherwise)
        else:
            line, indent = place
            self._insertions.setdefault(line, []).append(f'{indent}"{text}",')

    def change(self) -> Change:
        """Return the file as it is, and as it would be."""
        if self.end:
            self._insertions.setdefault(len(self._source.splitlines()), []).extend(["", *self.end])
        after = with_lines(self._source, self._insertions) if self._insertions else self._source
        return Change(path=self._path, before=self._source, after=after)

    def list_of(self, name: str) -> ast.List | None:
        """Return the list that is assigned to a name at the top level, if it is written as one element a line."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List) and node.value.elts:
                named = any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
                first, last = node.value.elts[0], node.value.elts[-1]
                if named and node.lineno < first.lineno and last.end_lineno != node.value.end_lineno:
                    return node.value
        return None

    def start_of_list(self, name: str) -> tuple[int, str] | None:
        """Return the line after which its first element would be, and how far it is indented."""
        found = self.list_of(name)
        return None if found is None else (found.lineno, " " * found.elts[0].col_offset)

    def end_of_list(self, name: str) -> tuple[int, str] | None:
        """Return the line after which one more element would be, and how far it is indented."""
        found = self.list_of(name)
        if found is None:
            return None
        last = found.elts[-1]
        line = self._source.splitlines()[int(last.end_lineno or 0) - 1]
        if not line.encode()[int(last.end_col_offset or 0) :].lstrip().startswith(b","):
            return None
        return int(last.end_lineno or 0), " " * last.col_offset


def _modules(path: Path, root: Path, seen: set[Path]) -> Iterator[_Module]:
    """Yield a module, then those of the project whose names it takes over by `from … import *`."""
    seen.add(path)
    module = _Module(path)
    yield module
    for star in module.stars:
        start = path.parents[star.level - 1] if star.level else root
        place = start.joinpath(*(star.module or "").split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file() and file not in seen:
                yield from _modules(file, root, seen)


def _home(modules: list[_Module], name: str) -> _Module:
    """Return the module where a setting is made: whose list it is, else the last that assigns it, else the first."""
    lists = [module for module in modules if module.list_of(name) is not None]
    assigning = [module for module in modules if name in module.names]
    return [*lists[:1], *assigning[-1:], modules[0]][0]


def _configuration(*, has_debug: bool) -> list[str]:
    indent = "    " if has_debug else ""
    values = [("APPLICATION_ID", "local"), ("API_KEY", "local"), ("INTAKE_URL", EMULATOR)]
    members = [f'{indent}    "{key}": "{value}",' for key, value in values]
    condition = [f"if DEBUG:  # the emulator; {PRODUCTION}"] if has_debug else [f"# Of the emulator; {PRODUCTION}."]
    return [*condition, f"{indent}DD_PA = {{", *members, f"{indent}}}"]
