"""Where both shops keep their database and their secret key: outside the source, thrown away with the directory."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path


def run_directory() -> Path:
    """Return the directory (`SHOP_RUN_DIR`, or `.demo/run` of this checkout), made if need be."""
    directory = Path(os.environ.get("SHOP_RUN_DIR") or Path(__file__).parent.parent / ".demo" / "run")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def secret_key() -> str:
    """Return the key that signs sessions: one for all workers, made on the first call, readable by its owner only."""
    path = run_directory() / "secret_key"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii")


def _write_once(path: Path, text: str) -> None:
    """Let the file appear complete or not at all: workers that start together must agree on the key."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as draft:
        draft.write(text)
        draft.flush()
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)
