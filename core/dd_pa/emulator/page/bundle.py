"""The page's modules as one script: a browser that asks for eighty files one after another shows nothing meanwhile.

There is no build: the script is put together when it is asked for. Each module becomes a function that runs once, in
the order in which they need each other, and returns what it exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath
from typing import NamedTuple

_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "([^"]+)";\n', re.MULTILINE)
_PASSED_ON = re.compile(r'^export (\{[^}]*\}) from "([^"]+)";\n', re.MULTILINE)
_DECLARED = re.compile(r"^export (?=(?:const|(?:async )?function|class) (\w+))", re.MULTILINE)
_LISTED = re.compile(r"\bexport ?\{([^}]*)\};\s*\Z")
_RENAMED = re.compile(r"(\w+) as (\w+)")
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


class BundleError(ValueError):
    """A module imports or exports in a way that is not known here; the text says which."""


def bundle(first: str, read: Callable[[str], str]) -> str:
    """Return the script of a module and all that it leads to; `read` gives the text of a path.

    Raises BundleError, for modules that need each other too.
    """
    parts: dict[str, _Part] = {}
    _add(first, read, parts, ())
    return "\n".join(part.text for part in parts.values())


class _Part(NamedTuple):
    text: str
    exported: frozenset[str]


def _add(path: str, read: Callable[[str], str], parts: dict[str, _Part], above: tuple[str, ...]) -> None:
    if path in parts:
        return
    if path in above:
        raise BundleError(f"modules need each other: {' -> '.join([*above, path])}")
    text, passed = read(path), []

    def taken(found: re.Match[str]) -> str:
        source = normpath(join(dirname(path), found[2]))
        _add(source, read, parts, (*above, path))
        return _taken(found[1], source, parts[source].exported, path)

    for found in _PASSED_ON.finditer(text):
        passed += [name.strip() for name in found[1].strip("{}").split(",")]
    text = _IMPORT.sub(taken, _PASSED_ON.sub(r'import \1 from "\2";\n', text))
    text, exported = _returned(text, passed)
    unknown = _LEFT.search(text)
    if unknown:
        raise BundleError(f"{path} has a line that is not known here: {unknown[0][:100]}")
    members = ", ".join(exported)
    whole = f"// {path}\nconst {_name(path)} = (() => {{\n{text}\nreturn {{ {members} }};\n}})();"
    parts[path] = _Part(whole, frozenset(member.partition(":")[0] for member in exported))


def _returned(text: str, passed: list[str]) -> tuple[str, list[str]]:
    """Return the text without what says that something is exported, and the members of the object that tells it."""
    exported = [*passed, *_DECLARED.findall(text)]
    text = _DECLARED.sub("", text)
    listed = _LISTED.search(text)
    if listed is None:
        return text, exported
    return text[: listed.start()], [
        *exported,
        *(_RENAMED.sub(r"\2: \1", name.strip()) for name in listed[1].split(",")),
    ]


def _taken(wanted: str, source: str, exported: frozenset[str], path: str) -> str:
    """Return the line that takes names from another module, or the whole of it."""
    if wanted.startswith("*"):
        return f"const {wanted.removeprefix('* as ')} = {_name(source)};\n"
    names = {name.strip().partition(" as ")[0] for name in wanted.strip("{}").split(",")}
    if names - exported:
        raise BundleError(f"{path} wants {', '.join(sorted(names - exported))} of {source}, which does not export it")
    members = _RENAMED.sub(r"\1: \2", wanted)
    return f"const {members} = {_name(source)};\n"


def _name(path: str) -> str:
    return "module_" + re.sub(r"\W", "_", path)
