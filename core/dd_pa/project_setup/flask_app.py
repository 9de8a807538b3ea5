"""What the module lacks in which a Flask app is made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from dd_pa.project_setup.change import EMULATOR, PRODUCTION, Change, with_lines
from dd_pa.project_setup.project import UnknownProjectError, app_statement


def flask_changes(path: Path) -> list[Change]:
    """Return what would set dd-pa up on the app that a file makes; none if it is. What is there already stays.

    Raises `UnknownProjectError` if the file makes none.
    """
    source = path.read_text(encoding="utf-8")
    found = app_statement(source)
    if found is None:
        raise UnknownProjectError(f"{path.name} makes no Flask app: app = Flask(…)")
    body, place, app = found
    tree = ast.parse(source)
    insertions: dict[int, list[str]] = {}
    line, indent = _after_configuration(body, place, app), " " * body[place].col_offset
    set_up = _set_up(path, tree)
    if "DD_PA_" not in source:
        at = set_up.lineno - 1 if set_up is not None else line
        where = " " * set_up.col_offset if set_up is not None else indent
        insertions.setdefault(at, []).extend(_configuration(app, where))
    if set_up is None:
        name = "analytics" if "analytics" not in _names(tree) else "product_analytics"
        insertions.setdefault(line, []).append(f"{indent}{name}.init_app({app})")
        imports = _end_of_imports(tree)
        insertions.setdefault(imports, [])[:0] = [
            "from dd_pa_flask import ProductAnalytics",
            "",
            f"{name} = ProductAnalytics()",
        ]
    return [Change(path=path, before=source, after=with_lines(source, insertions))] if insertions else []


def _configuration(app: str, indent: str) -> list[str]:
    return [
        f"{indent}if {app}.debug:  # the emulator; {PRODUCTION}",
        f"{indent}    {app}.config.update(",
        f'{indent}        DD_PA_APPLICATION_ID="local",',
        f'{indent}        DD_PA_API_KEY="local",',
        f'{indent}        DD_PA_INTAKE_URL="{EMULATOR}",',
        f"{indent}    )",
    ]


def _after_configuration(body: list[ast.stmt], place: int, app: str) -> int:
    """Return the line after which the app is configured: that of the last statement about `app.config`."""
    line = body[place].end_lineno
    for statement in body[place + 1 :]:
        if isinstance(statement, ast.Expr | ast.Assign | ast.If) and _is_about_config(statement, app):
            line = statement.end_lineno
    return int(line or 0)


def _is_about_config(statement: ast.stmt, app: str) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "config"
        and isinstance(node.value, ast.Name)
        and node.value.id == app
        for node in ast.walk(statement)
    )


def _set_up(path: Path, tree: ast.Module) -> ast.stmt | None:
    """Return the statement that sets dd-pa up, if there is one."""
    ours = {*_extensions(tree), *_imported_extensions(path, tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            continue
        if (_is_extension(node.value) and node.value.args) or _calls_init_app(node.value.func, ours):
            return node
    return None


def _extensions(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the extensions that a module makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_extension(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _imported_extensions(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the names of those that it has from a module beside it, or below."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            start = path.parents[max(node.level - 1, 0)]
            file = start.joinpath(*node.module.split(".")).with_suffix(".py")
            beside = path.parent / f"{node.module.rpartition('.')[2]}.py"
            for module in {file, beside}:
                if module.is_file():
                    made = set(_extensions(ast.parse(module.read_text(encoding="utf-8"))))
                    yield from (name.asname or name.name for name in node.names if name.name in made)


def _calls_init_app(function: ast.expr, of: set[str]) -> bool:
    if not isinstance(function, ast.Attribute) or function.attr != "init_app":
        return False
    return isinstance(function.value, ast.Name) and function.value.id in of


def _is_extension(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    return (function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")) == "ProductAnalytics"


def _names(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _end_of_imports(tree: ast.Module) -> int:
    ends = [node.end_lineno for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return int(ends[-1] or 0) if ends else 0
