from __future__ import annotations

from tests.core.conftest import emulator, make

__all__ = ["emulator", "make"]
