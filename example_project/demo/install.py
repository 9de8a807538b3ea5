"""Make `.demo/venv` and start the demo in it. Needs Python 3.11 or newer and nothing else; run by `make demo`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".demo" / "venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "example_project" / "requirements.txt"
PATIENCE = 15.0


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - people do start this with an older one
        sys.exit(f"dd-pa needs Python 3.11 or newer, and this is {sys.version.split()[0]}: make demo PYTHON=python3.12")
    os.chdir(ROOT)
    if not is_up_to_date():
        install()
    os.execv(PYTHON, [str(PYTHON), "-m", "example_project.demo", *sys.argv[1:]])  # noqa: S606 - no shell, on purpose


def is_up_to_date() -> bool:
    stamp = VENV / "stamp"
    return PYTHON.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == fingerprint()


def fingerprint() -> str:
    """Name what the environment depends on: a change of any of it means a new one."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for path in (ROOT / "pyproject.toml", REQUIREMENTS):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install() -> None:
    say(f"Setting up {VENV.relative_to(ROOT)} with Python {sys.version.split()[0]} (once, about a minute)")
    run("making the virtual environment", [sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    run("installing Django, Flask, the servers and dd-pa", [*pip, "--requirement", str(REQUIREMENTS)])
    (VENV / "stamp").write_text(fingerprint(), encoding="ascii")


def run(what: str, command: list[str]) -> None:
    """Run a command, with a sign of life now and then; show what it said only if it fails."""
    say(f"  {what} …")
    done = threading.Event()
    threading.Thread(target=reassure, args=(done,), daemon=True).start()
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603 - ours
    done.set()
    if answer.returncode:
        say(answer.stdout.strip())
        hint = " (on Debian and Ubuntu: apt install python3-venv)" if "ensurepip" in answer.stdout else ""
        sys.exit(f"{what} failed{hint}")


def reassure(done: threading.Event) -> None:
    while not done.wait(PATIENCE):
        say("  still at it …")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
