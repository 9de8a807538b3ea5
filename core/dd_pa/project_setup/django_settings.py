"""What a module of Django's settings lacks."""

from __future__ import annotations

import ast
from pathlib import Path

from dd_pa.project_setup.change import EMULATOR, PRODUCTION, Change, with_lines

_APP = "dd_pa_django"
_MIDDLEWARE = "dd_pa_django.middleware.ProductAnalyticsMiddleware"


def django_change(path: Path) -> Change:
    """Return what would make a file the settings of a project with dd-pa; what is there already stays."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    insertions: dict[int, list[str]] = {}
    end: list[str] = []
    if not any(text == _APP or text.startswith("dd_pa_django.apps") for text in texts):
        place = _end_of_list(tree, source, "INSTALLED_APPS")
        _insert(insertions, end, place, _APP, f'INSTALLED_APPS = [*INSTALLED_APPS, "{_APP}"]')
    if _MIDDLEWARE not in texts:
        place = _start_of_list(tree, source, "MIDDLEWARE")
        _insert(insertions, end, place, _MIDDLEWARE, f'MIDDLEWARE = ["{_MIDDLEWARE}", *MIDDLEWARE]')
    if "DD_PA" not in _names(tree):
        end += _configuration(has_debug="DEBUG" in _names(tree) or _has_star(tree))
    if end:
        last = len(source.splitlines())
        insertions.setdefault(last, []).extend(["", *end])
    return Change(path=path, before=source, after=with_lines(source, insertions) if insertions else source)


def _insert(
    insertions: dict[int, list[str]], end: list[str], place: tuple[int, str] | None, text: str, otherwise: str
) -> None:
    if place is None:
        end.append(otherwise)
    else:
        line, indent = place
        insertions.setdefault(line, []).append(f'{indent}"{text}",')


def _configuration(*, has_debug: bool) -> list[str]:
    indent = "    " if has_debug else ""
    values = [("APPLICATION_ID", "local"), ("API_KEY", "local"), ("INTAKE_URL", EMULATOR)]
    members = [f'{indent}    "{key}": "{value}",' for key, value in values]
    condition = [f"if DEBUG:  # the emulator; {PRODUCTION}"] if has_debug else [f"# Of the emulator; {PRODUCTION}."]
    return [*condition, f"{indent}DD_PA = {{", *members, f"{indent}}}"]


def _list(tree: ast.Module, name: str) -> ast.List | None:
    """Return the list that is assigned to a name at the top level, if it is written as one element a line."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List) and node.value.elts:
            named = any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
            first = node.value.elts[0]
            if named and node.lineno < first.lineno and node.value.elts[-1].end_lineno != node.value.end_lineno:
                return node.value
    return None


def _start_of_list(tree: ast.Module, source: str, name: str) -> tuple[int, str] | None:
    found = _list(tree, name)
    return None if found is None else (found.lineno, " " * found.elts[0].col_offset)


def _end_of_list(tree: ast.Module, source: str, name: str) -> tuple[int, str] | None:
    found = _list(tree, name)
    if found is None:
        return None
    last = found.elts[-1]
    line = source.splitlines()[int(last.end_lineno or 0) - 1]
    if not line.encode()[int(last.end_col_offset or 0) :].lstrip().startswith(b","):
        return None
    return int(last.end_lineno or 0), " " * last.col_offset


def _names(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _has_star(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in tree.body)
