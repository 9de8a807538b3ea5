from __future__ import annotations

import pytest

from dd_pa.emulator import Emulator


@pytest.fixture
def emulator() -> Emulator:
    """An intake that runs where a test lets it."""
    return Emulator()
