"""`make release-check`: what must hold before a version is tagged. Leaves the checked files in `dist/`."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.14t", "3.15")
MOST_BYTES = 1_100_000
"""The wheel weighs no more; nearly half of it is the emulator, a quarter its page and fonts."""

PACKAGES = ("dd_pa/", "dd_pa_django/", "dd_pa_flask/", "dd_pa_pytest/")
TRY_OUT = """
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="release", api_key="check", intake_url="http://127.0.0.1:9", spool_dir=None))
assert emitter.track("wheel.installed", {"total": 42.5}, usr="u-1")
emitter.close(0)
"""


def main() -> None:
    """Check everything; end with what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="the tag that is released: v1.2.3; then the changes must carry a date")
    tag = parser.parse_args().tag
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    problems = [*_of_version(version, tag), *_of_bill()]
    wheel = _build_twice(problems)
    problems += _of_wheel(wheel, version)
    problems += _of_source(version)
    problems += _of_twine()
    problems += _of_installs(wheel, version)
    if problems:
        sys.exit("\n".join(f"✗ {problem}" for problem in problems))
    print(f"✓ {version} can be released")


def _of_version(version: str, tag: str | None) -> Iterator[str]:
    head = re.search(r"^## (\S+) – (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    if head is None or head[1] != version:
        yield f"CHANGELOG.md does not begin with {version}"
    elif tag is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", head[2]):
        yield f"CHANGELOG.md: {version} has no date"
    if tag is not None and tag != f"v{version}":
        yield f"the tag {tag} is not v{version}"
    if f"version: {version}\n" not in (ROOT / "CITATION.cff").read_text():
        yield f"CITATION.cff is not of {version}"
    if f'VERSION = "{version}"\n' not in (ROOT / "core/dd_pa/network/intake_protocol.py").read_text():
        yield f"what the delivery says of itself is not {version}"


def _of_bill() -> Iterator[str]:
    ended = _run(sys.executable, "release/sbom.py", "--check")
    if ended.returncode:
        yield ended.stderr.strip()


def _build_twice(problems: list[str]) -> Path:
    """Build from two copies in folders of different names; keep one in `dist/`."""
    shutil.rmtree(DIST, ignore_errors=True)
    hashes = []
    for name in ("one", "another"):
        with tempfile.TemporaryDirectory(prefix=name) as folder:
            source, out = Path(folder, "source"), Path(folder, "dist")
            files = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
            for file in filter(lambda file: file and (ROOT / file).is_file(), files):
                (source / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, source / file)
            built = _run(sys.executable, "-m", "build", "--outdir", str(out), str(source))
            if built.returncode:
                sys.exit(built.stdout + built.stderr)
            hashes.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())})
            shutil.copytree(out, DIST, dirs_exist_ok=True)
    for name, digest in hashes[0].items():
        if hashes[1].get(name) == digest:
            print(f"✓ {name}: two builds, one hash, {digest}")
        else:
            problems.append(f"{name}: two builds differ")
    [wheel] = DIST.glob("*.whl")
    return wheel


def _of_wheel(wheel: Path, version: str) -> Iterator[str]:
    info = f"dd_pa-{version}.dist-info/"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in names:
        if not name.startswith((*PACKAGES, info)):
            yield f"the wheel holds {name}"
    needed = [f"{package}py.typed" for package in PACKAGES[:3]]
    needed += [f"{info}licenses/LICENSE", f"{info}sboms/dd-pa-bundled.cdx.json"]
    yield from (f"the wheel lacks {name}" for name in needed if name not in names)
    size = wheel.stat().st_size
    print(f"· the wheel: {size:,} bytes, {len(names)} files")
    if size > MOST_BYTES:
        yield f"the wheel weighs {size:,} bytes, more than {MOST_BYTES:,}"


def _of_source(version: str) -> Iterator[str]:
    """Who packages it for a distribution runs the tests from the source distribution."""
    root = f"dd_pa-{version}/"
    with tarfile.open(DIST / f"dd_pa-{version}.tar.gz") as archive:
        held = set(archive.getnames())
    tracked = _run("git", "ls-files", "tests", "docs", "example_project", "Makefile", "noxfile.py").stdout.split()
    yield from (f"the source distribution lacks {name}" for name in tracked if root + name not in held)


def _of_twine() -> Iterator[str]:
    ended = _run(sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(DIST.iterdir())))
    if ended.returncode:
        yield f"twine: {ended.stdout}{ended.stderr}"


def _of_installs(wheel: Path, version: str) -> Iterator[str]:
    """Install the wheel in a bare environment of each Python that is here, and track an event."""
    for name in PYTHONS:
        python = _python(name)
        if python is None:
            print(f"· Python {name} is not here")
            continue
        with tempfile.TemporaryDirectory() as folder:
            inside = str(Path(folder, "bin", "python"))
            for command in (
                (python, "-m", "venv", folder),
                (inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)),
                (inside, "-X", "dev", "-W", "error", "-c", TRY_OUT),
            ):
                ended = _run(*command, cwd=folder)
                if ended.returncode:
                    yield f"Python {name}: {' '.join(command[1:4])}: {ended.stdout}{ended.stderr}"
                    break
            else:
                print(f"✓ Python {name}: installed in a bare environment, and an event was tracked")


def _python(name: str) -> str | None:
    found = shutil.which(f"python{name}")
    if found is None or _run(found, "-c", "").returncode:  # a shim of a version that is not installed
        return None
    told = _run(found, "-c", "import json, sys; print(json.dumps(sys.executable))").stdout
    return str(json.loads(told))


def _run(*command: str, cwd: str | Path = ROOT) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
