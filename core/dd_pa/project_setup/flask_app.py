"""What the module lacks in which a Flask app is made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from dd_pa.project_setup.change import EMULATOR, PRODUCTION, Change
from dd_pa.project_setup.project import UnknownProjectError, app_statement
from dd_pa.project_setup.source_file import SourceFile


def flask_changes(path: Path) -> list[Change]:
    """Return what would set dd-pa up on the app that a file makes; none if it is. What is there already stays.

    Raises `UnknownProjectError` if the file makes none.
    """
    source = SourceFile(path)
    tree = source.tree
    found = app_statement(tree)
    if found is None:
        raise UnknownProjectError(f"{path.name} makes no Flask app: app = Flask(…)")
    body, place, app = found
    insertions: dict[int, list[str]] = {}
    line, indent = _after_configuration(body, place, app), " " * body[place].col_offset
    set_up = _set_up(path, tree)
    if "DD_PA_" not in source.text:
        at = set_up.lineno - 1 if set_up is not None else line
        where = " " * set_up.col_offset if set_up is not None else indent
        insertions.setdefault(at, []).extend(_configuration(app, where))
    if set_up is None:
        name = "analytics" if "analytics" not in _names(tree) else "product_analytics"
        insertions.setdefault(line, []).append(f"{indent}{name}.init_app({app})")
        imports = _end_of_imports(tree, body[place])
        insertions.setdefault(imports, [])[:0] = [
            "from dd_pa_flask import ProductAnalytics",
            "",
            f"{name} = ProductAnalytics()",
        ]
    if not insertions:
        return []
    after = source.with_lines(insertions)
    return [Change(path=path, before=source.text, after=after, encoding=source.encoding)]


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
        if not isinstance(statement, _NOT_RUN) and not _serves(statement) and _is_about_config(statement, app):
            line = statement.end_lineno
    return int(line or 0)


_NOT_RUN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Return)
_SERVERS = ("run", "serve", "run_simple", "serve_forever")


def _serves(statement: ast.stmt) -> bool:
    """Tell what serves the app, such as `app.run(…)`: nothing that stands behind it is done before the end."""
    calls = (node.func for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any((getattr(call, "attr", None) or getattr(call, "id", None)) in _SERVERS for call in calls)


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
                    made = set(_extensions(SourceFile(module).tree))
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


def _end_of_imports(tree: ast.Module, app: ast.stmt) -> int:
    """Return the line after the imports above the app; those below it may be there because they need the app."""
    above = [node for node in tree.body if node.lineno <= app.lineno]
    ends = [node.end_lineno for node in above if isinstance(node, ast.Import | ast.ImportFrom)]
    if ends:
        return int(ends[-1] or 0)
    first = above[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return int(first.end_lineno or 0)
    decorators: list[ast.expr] = getattr(first, "decorator_list", [])
    return min([first.lineno, *(each.lineno for each in decorators)]) - 1
