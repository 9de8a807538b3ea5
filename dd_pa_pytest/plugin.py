"""Holds events back in test runs, and offers the fixture `dd_pa_events`. Imports `dd_pa` when a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dd_pa.testing import CapturedEvents


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the report on declared events that no test tracks."""
    group = parser.getgroup("dd-pa", "events of the tracking plan")
    group.addoption("--dd-pa-coverage", action="store_true", help="report declared events that no test tracks")
    group.addoption("--dd-pa-coverage-required", action="store_true", help="the same, and fail if there are any")


def pytest_configure(config: pytest.Config) -> None:
    """Tell `dd_pa`, here and in processes that tests start, what older versions of pytest do not tell by themselves."""
    if "DD_PA_TEST_RUN" not in os.environ:
        os.environ["DD_PA_TEST_RUN"] = "1"
        config.add_cleanup(_forget)
    is_required = bool(config.getoption("--dd-pa-coverage-required"))
    if is_required or config.getoption("--dd-pa-coverage"):
        from dd_pa_pytest.coverage import EventCoverage  # noqa: PLC0415 - who does not ask pays nothing

        config.pluginmanager.register(EventCoverage(is_required=is_required), "dd_pa_coverage")


def _forget() -> None:
    os.environ.pop("DD_PA_TEST_RUN", None)


@pytest.fixture
def dd_pa_events() -> Iterator[CapturedEvents]:
    """The events that this test tracks; none of them leaves the process."""
    from dd_pa.testing import capture_events  # noqa: PLC0415 - heavy, and not every test needs it

    with capture_events() as events:
        yield events
