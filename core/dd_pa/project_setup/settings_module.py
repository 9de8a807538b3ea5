"""One module of Django's settings: what it says, and the lines to add to it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from dd_pa.project_setup.change import Change
from dd_pa.project_setup.source_file import SourceFile

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_Sequence = ast.List | ast.Tuple


class SettingsModule:
    """A file of settings. Raises what `SourceFile` does."""

    def __init__(self, path: Path) -> None:
        self._source = SourceFile(path)
        self.tree = self._source.tree
        nodes = list(ast.walk(self.tree))
        own = list(_own(self.tree.body))
        self.texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        self.names = set(_bound(own))
        """What the module may assign or import, at its own level."""

        self.certain_names = set(_bound(_without_blocks(self.tree.body)))
        """Of those, what it does in any case."""

        self.names_of_classes = {
            name for node in nodes if isinstance(node, ast.ClassDef) for name in _bound(_own(node.body))
        }
        self.stars = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
        self.is_certain = True
        """It is imported in any case, too."""

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
        source = self._source
        if self.end:
            self._insertions.setdefault(len(source.lines), []).extend(["", *self.end])
        after = source.with_lines(self._insertions) if self._insertions else source.text
        return Change(path=source.path, before=source.text, after=after, encoding=source.encoding)

    def list_of(self, name: str) -> _Sequence | None:
        """Return the list or tuple that is a setting's first value, if it is written as one element a line.

        None where the setting gets another value later, which has nothing of it.
        """
        found: _Sequence | None = None
        for node in _own(self.tree.body):
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None or name not in _bound([node]):
                continue
            if found is not None and not _mentions(node.value, name):
                return None
            if found is None and isinstance(node.value, _Sequence) and node in self.tree.body:
                found = node.value if _is_on_lines(node.value) else None
        return found

    def start_of_list(self, name: str) -> tuple[int, str] | None:
        """Return the line after which its first element would be, and how far it is indented."""
        found = self.list_of(name)
        return None if found is None else (found.lineno, self._indent(found.elts[0]))

    def end_of_list(self, name: str) -> tuple[int, str] | None:
        """Return the line after which one more element would be, and how far it is indented."""
        found = self.list_of(name)
        if found is None:
            return None
        last = found.elts[-1]
        line = self._source.lines[int(last.end_lineno or 0) - 1]
        if not line.encode()[int(last.end_col_offset or 0) :].lstrip().startswith(b","):
            return None
        return int(last.end_lineno or 0), self._indent(last)

    def _indent(self, element: ast.expr) -> str:
        line = self._source.lines[element.lineno - 1]
        return line[: len(line) - len(line.lstrip(" \t"))]


def _is_on_lines(value: _Sequence) -> bool:
    if not value.elts:
        return False
    return value.lineno < value.elts[0].lineno and value.elts[-1].end_lineno != value.end_lineno


def _own(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what is in a block, in order, but nothing of functions and classes: their names are their own."""
    for node in body:
        yield node
        if not isinstance(node, _SCOPES):
            yield from _own(ast.iter_child_nodes(node))


def _without_blocks(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for statement in body:
        if not isinstance(statement, (ast.If, ast.Try, ast.For, ast.While, ast.With, ast.Match, *_SCOPES)):
            yield from _own([statement])


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that nodes assign or import."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            yield node.target.id


def _mentions(value: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))
