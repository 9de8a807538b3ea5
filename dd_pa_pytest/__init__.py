"""Pytest's plugin, in a package of its own: pytest imports it in every run, and `dd_pa` is too much for that."""

from __future__ import annotations

from dd_pa_pytest.plugin import dd_pa_events

__all__ = ["dd_pa_events"]
