"""The wheel as users get it: what is in it, what importing it does, and what it says when an extra is missing."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

from dd_pa.network import intake_protocol

ROOT = Path(__file__).parents[1]
VERSION = distribution("dd-pa").version
INFO = f"dd_pa-{VERSION}.dist-info"
SOURCES = {"dd_pa": ROOT / "core/dd_pa", "dd_pa_django": ROOT / "dd_pa_django", "dd_pa_flask": ROOT / "dd_pa_flask"}
SOURCES["dd_pa_pytest"] = ROOT / "dd_pa_pytest"

REPORT = """
import importlib, json, sys, threading
sys.path[:0] = json.loads(sys.argv[1])
acts = []
def notice(name, arguments):
    if name == "open":
        if not str(arguments[0]).endswith((".py", ".pyc", ".so")):
            acts.append(f"open {arguments[0]}")
    elif name.partition(".")[0] in ("socket", "subprocess", "sqlite3") or name in ("os.fork", "os.mkdir", "os.remove"):
        acts.append(name)
sys.addaudithook(notice)
importlib.import_module(sys.argv[2])
roots = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"__main__"}
found = {"threads": threading.active_count(), "acts": acts, "roots": sorted(roots), "modules": sorted(sys.modules)}
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    built = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return Path(next(iter(built)))


@pytest.fixture(scope="session")
def names(wheel: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def required(requirements: list[str] | None, extras: set[str]) -> Iterator[tuple[Distribution, set[str]]]:
    """Yield what these requirements need of this environment, with the extras that they ask for."""
    for requirement in map(Requirement, requirements or []):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield distribution(requirement.name), requirement.extras


def closure(extras: set[str]) -> dict[str, Distribution]:
    """Return the distributions that `pip install dd-pa[extras]` brings, by name."""
    found: dict[str, Distribution] = {}
    waiting = [(distribution("dd-pa"), extras | {""})]
    while waiting:
        dist, wanted = waiting.pop()
        for dependency, more in required(dist.requires, wanted):
            if dependency.name not in found:
                found[dependency.name] = dependency
                waiting.append((dependency, more | {""}))
    return found


class Site:
    """A site directory with the wheel and just what some extras bring, and a Python that sees nothing else."""

    def __init__(self, installed: Path, folder: Path, *extras: str) -> None:
        self.path = [str(installed), str(folder)]
        for dist in closure(set(extras)).values():
            for name in {file.parts[0] for file in dist.files or [] if file.parts[0] not in ("..", "__pycache__")}:
                (folder / name).symlink_to(Path(str(dist.locate_file(name))))

    def run(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run code without the environment's own site packages (-S) and away from the sources."""
        command = [sys.executable, "-S", "-P", "-c", code, json.dumps(self.path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=self.path[0])

    def importing(self, package: str) -> dict[str, Any]:
        """Return what importing a package does."""
        ran = self.run(REPORT, package)
        assert ran.returncode == 0, ran.stderr
        found: dict[str, Any] = json.loads(ran.stdout)
        return found


@pytest.fixture(scope="session")
def bare(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """`pip install dd-pa`."""
    return Site(installed, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def full(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """`pip install dd-pa[django,flask,cli,emulator,query,sqlalchemy]`."""
    return Site(installed, tmp_path_factory.mktemp("full"), "django", "flask", "cli", "emulator", "query", "sqlalchemy")


@pytest.mark.parametrize(
    "package",
    [*SOURCES, "dd_pa.doctor", "dd_pa.emulator", "dd_pa.query", "dd_pa.sqlalchemy", "dd_pa.testing"],
)
def test_all_is_sorted_complete_and_importable(package: str) -> None:
    """What an `__init__` imports is what it offers: constants, then the rest, in the order of the alphabet."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]

    names = [alias.asname or alias.name for node in imports for alias in node.names]
    assert module.__all__ == sorted(names, key=lambda name: (not name.isupper(), name))
    assert not [name for name in module.__all__ if getattr(module, name, None) is None]


@pytest.mark.parametrize("package", SOURCES)
def test_inits_hold_no_code(package: str) -> None:
    """A docstring, imports and `__all__`."""
    tree = ast.parse((SOURCES[package] / "__init__.py").read_text())

    assert {type(node) for node in tree.body} <= {ast.Expr, ast.ImportFrom, ast.Assign}


def test_the_wheel_holds_the_packages_and_nothing_else(names: list[str]) -> None:
    """Each source file, static file and licence of the three packages, and no test, tool, example or `core`."""
    sources = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in names if ".dist-info/" not in name} == sources
    assert {name.partition("/")[0] for name in names} == {*SOURCES, INFO}


@pytest.mark.parametrize(
    "name",
    [
        "dd_pa/.agents/skills/dd-pa/SKILL.md",
        "dd_pa/py.typed",
        "dd_pa_django/py.typed",
        "dd_pa_flask/py.typed",
        "dd_pa_pytest/py.typed",
        "dd_pa/emulator/static/index.html",
        "dd_pa/emulator/static/app.js",
        "dd_pa/emulator/static/vendor/vendor.js",
        "dd_pa/emulator/static/vendor/LICENSES.txt",
        "dd_pa/emulator/static/fonts/inter-OFL.txt",
        "dd_pa/emulator/static/fonts/jetbrains-mono-OFL.txt",
        f"{INFO}/licenses/LICENSE",
        f"{INFO}/licenses/core/dd_pa/emulator/static/vendor/LICENSES.txt",
    ],
)
def test_the_wheel_holds_what_code_cannot_miss_but_users_would(name: str, names: list[str]) -> None:
    """Type markers, the page, and the licences of what others wrote."""
    assert name in names


def test_the_metadata(installed: Path) -> None:
    """What pip goes by."""
    text = (installed / INFO / "METADATA").read_text()
    metadata = Parser().parsestr(text)

    assert (metadata["Name"], metadata["Requires-Python"], metadata["License-Expression"]) == (
        "dd-pa",
        ">=3.11",
        "Apache-2.0",
    )
    assert sorted(metadata.get_all("Provides-Extra", [])) == [
        "cli",
        "django",
        "emulator",
        "flask",
        "kafka",
        "mcp",
        "metrics",
        "nats",
        "query",
        "rabbitmq",
        "redis",
        "sqlalchemy",
    ]
    assert sorted(
        Requirement(line).name for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line
    ) == ["blinker", "certifi", "hpack", "httpx", "msgspec", "platformdirs"]
    entry_points = (installed / INFO / "entry_points.txt").read_text()
    assert "dd-pa = dd_pa.cli.program:main" in entry_points
    assert "[hypothesis]\ndd_pa = dd_pa_pytest.hypothesis_types:register" in entry_points
    assert "[pytest11]\ndd_pa = dd_pa_pytest.plugin" in entry_points


def test_the_page_on_pypi(installed: Path) -> None:
    """It is the README, whose links lead somewhere although no repository lies beside it."""
    page = Parser().parsestr((installed / INFO / "METADATA").read_text()).get_payload()

    assert isinstance(page, str)
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) == len(re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text()))
    assert [link for link in links if not link.startswith("https://")] == []
    assert "<!--" not in page


def test_core_cannot_be_imported(bare: Site) -> None:
    """Users have a `core` of their own."""
    ran = bare.run("import json, sys; sys.path[:0] = json.loads(sys.argv[1]); import core")

    assert "No module named 'core'" in ran.stderr


FRAMEWORKS = {
    "django",
    "flask",
    "werkzeug",
    "starlette",
    "uvicorn",
    "lark",
    "rest_framework",
    "flask_login",
    "sqlalchemy",
    "tenacity",
    "pandas",
    "polars",
}


@pytest.mark.parametrize(
    ("package", "wanted"),
    [
        pytest.param("dd_pa", set(), id="core"),
        pytest.param("dd_pa_django", {"django"}, id="django"),
        pytest.param("dd_pa_flask", {"flask", "werkzeug"}, id="flask"),
        pytest.param("dd_pa.sqlalchemy", {"sqlalchemy"}, id="sqlalchemy"),
        pytest.param("dd_pa.emulator", {"starlette", "lark"}, id="emulator"),
        pytest.param("dd_pa.query", set(), id="query"),
    ],
)
def test_importing_does_nothing_but_define(package: str, wanted: set[str], full: Site) -> None:
    """With everything installed: no thread, no file, no socket, no process, and no framework that is not asked for."""
    found = full.importing(package)

    assert (found["threads"], found["acts"]) == (1, [])
    assert FRAMEWORKS & set(found["roots"]) == wanted
    glue = {"dd_pa_django", "dd_pa_flask"} - {package}
    assert not glue & set(found["roots"])
    assert package == "dd_pa.emulator" or not [name for name in found["modules"] if name.startswith("dd_pa.emulator")]


def test_the_core_needs_only_its_dependencies(bare: Site) -> None:
    """Without any extra it imports; no module of a command line, a page or a framework is asked for."""
    found = bare.importing("dd_pa")

    assert found["acts"] == []
    assert {"blinker", "dd_pa", "msgspec"} <= set(found["roots"])
    assert not set(found["roots"]) & {"click", "rich", "pygments"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param([], "dd-pa: not installed. Install it with: pip install 'dd-pa[cli]'", id="none"),
        pytest.param(
            ["emulator"], "dd-pa emulator: not installed. Install it with: pip install 'dd-pa[emulator]'", id="emulator"
        ),
    ],
)
def test_the_command_names_the_missing_extra(arguments: list[str], problem: str, bare: Site) -> None:
    """Instead of a traceback."""
    code = "import json, sys; sys.path[:0] = json.loads(sys.argv.pop(1)); from dd_pa.cli.program import main; main()"
    ran = bare.run(code, *arguments)

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", problem + "\n")


def test_the_delivery_knows_its_version() -> None:
    """It is written down once more, as to read the distribution's takes longer than to deliver an event."""
    assert intake_protocol.VERSION == VERSION


def test_the_command_works_with_its_extras(full: Site) -> None:
    """The version is the distribution's."""
    code = "import json, sys; sys.path[:0] = json.loads(sys.argv.pop(1)); from dd_pa.cli.program import main; main()"

    assert full.run(code, "--version").stdout == f"dd-pa, version {VERSION}\n"
