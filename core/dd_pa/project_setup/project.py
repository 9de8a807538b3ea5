"""Which framework a folder's project is of, and in which file its settings or its app are."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dd_pa.errors import ProductAnalyticsError
from dd_pa.project_setup.source_file import SourceFile

_NOT_OURS = {"venv", "env", "node_modules", "tests", "test", "build", "dist"}
_DEPTH = 3
_NAME_IT = "name the file of the settings: dd-pa init shop/settings.py"


class UnknownProjectError(ProductAnalyticsError):
    """Nobody can tell where dd-pa belongs; the message says what was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoProject:
    """A folder with `manage.py`."""

    root: Path
    settings: Path
    """The file of its settings module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaskProject:
    """A folder in which a `Flask(…)` is made."""

    root: Path
    module: Path
    """The file in which that is."""

    @property
    def app(self) -> str:
        """What `flask --app` is told: a name, or the file where that is not to be imported from the folder itself."""
        package = self.module.parent
        while (package / "__init__.py").is_file() and package != self.root:
            package = package.parent
        if package != self.root:
            return str(self.module)
        parts = self.module.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_project(root: Path, file: Path | None = None) -> DjangoProject | FlaskProject:
    """Return the project in a folder; `file`, where given, is its settings or where its app is made.

    Reads files, imports nothing. Raises `UnknownProjectError`.
    """
    if file is not None:
        return _named(root, file)
    manage = root / "manage.py"
    if manage.is_file():
        return DjangoProject(root=root, settings=_settings_of(root, manage))
    found = [path for path in _sources(root) if _makes_app(path)]
    if len(found) == 1:
        return FlaskProject(root=root, module=found[0])
    if found:
        listed = ", ".join(str(path.relative_to(root)) for path in found)
        raise UnknownProjectError(f"several files make a Flask app: {listed}; name one: dd-pa init {found[0].name}")
    raise UnknownProjectError("there is neither a manage.py here nor a file that makes a Flask app: app = Flask(…)")


def _named(root: Path, file: Path) -> DjangoProject | FlaskProject:
    path = file if file.is_absolute() else root / file
    if not path.is_file():
        raise UnknownProjectError(f"there is no file {file}")
    if _makes_app(path):
        return FlaskProject(root=root, module=path)
    return DjangoProject(root=root, settings=path)


def _settings_of(root: Path, manage: Path) -> Path:
    name = os.environ.get("DJANGO_SETTINGS_MODULE") or _default_of(manage)
    if name is None:
        raise UnknownProjectError(f"manage.py names no DJANGO_SETTINGS_MODULE; {_NAME_IT}")
    place = root.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    raise UnknownProjectError(f"the settings {name} are not in this folder; {_NAME_IT}")


def _default_of(manage: Path) -> str | None:
    for call in (
        node for node in ast.walk(SourceFile(manage).tree) if isinstance(node, ast.Call) and len(node.args) == 2
    ):
        key, value = (argument.value if isinstance(argument, ast.Constant) else None for argument in call.args)
        if key == "DJANGO_SETTINGS_MODULE" and isinstance(value, str):
            return value
    return None


def _sources(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(
            name for name in folders if depth + 1 < _DEPTH and name not in _NOT_OURS and not name.startswith(".")
        )
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _makes_app(path: Path) -> bool:
    try:
        return app_statement(SourceFile(path).tree) is not None
    except (SyntaxError, OSError):  # of another language's templates, of a newer Python, or an editor's lock
        return False


def app_statement(tree: ast.Module) -> tuple[list[ast.stmt], int, str] | None:
    """Return where `name = Flask(…)` is said: the block of statements, its place in that, and the name."""
    for node in ast.walk(tree):
        for block in ("body", "orelse", "finalbody"):
            body = getattr(node, block, None)
            for place, statement in enumerate(body if isinstance(body, list) else []):
                name = _made_app(statement)
                if name is not None and isinstance(body, list):
                    return body, place, name
    return None


def _made_app(statement: ast.stmt) -> str | None:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        return None
    value = getattr(statement, "value", None)
    function = value.func if isinstance(value, ast.Call) else None
    made = function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)
    return targets[0].id if made == "Flask" else None
