"""The lock file at another revision of the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dd_pa.errors import PlanError
from dd_pa.plan.lock_file import parsed
from dd_pa.plan.model import Plan


def read_at(path: Path, revision: str) -> Plan:
    """Return the plan that the lock file held at a revision of git; an empty one if it was not there yet.

    Raises `PlanError` for a revision that is not known here.
    """
    directory = path.absolute().parent
    git = ["git", "-C", str(directory)]
    try:
        known = subprocess.run(  # noqa: S603 - no shell, and the revision is one argument that begins with no dash
            [*git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"],
            capture_output=True,
            check=False,
        )
        if known.returncode:
            raise PlanError(revision, "is no revision of git here; in CI fetch it first: git fetch origin main")
        shown = [*git, "show", f"{known.stdout.decode().strip()}:./{path.name}"]
        found = subprocess.run(shown, capture_output=True, check=False)  # noqa: S603 - as above
    except OSError as error:
        raise PlanError("git", f"cannot be run: {error.strerror}") from None
    return Plan({}) if found.returncode else parsed(Path(f"{revision}:{path}"), found.stdout)
