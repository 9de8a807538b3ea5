from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tried: hypothesis would fail an example of 200 ms, or examples made too slowly.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# In development mode asyncio warns of each callback over 100 ms: on a busy machine that says nothing about a test.
logging.getLogger("asyncio").setLevel(logging.ERROR)


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine that runs the tests gets into them, and no event into its spool."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for variable in [name for name in os.environ if name.startswith("DD_")]:
        monkeypatch.delenv(variable)
