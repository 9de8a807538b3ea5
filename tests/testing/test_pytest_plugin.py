"""The plugin: cheap to load, easy to leave out, and a fixture that shows each test its own events."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TRACKING = """
from dd_pa import Emitter, Settings

emitter = Emitter(Settings(application_id="a", api_key="0123456789abcdef0123456789abcdef", spool_dir=None))
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project of its own, run in a process of its own."""
    pytester.makepyfile(tracking=TRACKING)
    return pytester


def of(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    others = ("asyncio", "django", "cacheprovider", "randomly", "cov", "playwright", "hypothesispytest", "celery")
    ours = (*(part for name in others for part in ("-p", f"no:{name}")), "-W", "error", *arguments)
    return pytester.runpytest_subprocess(*ours, timeout=100)


def test_each_test_has_its_own_events(run: pytest.Pytester) -> None:
    """In any order, on any number of processes; a failing assertion says what differs."""
    run.makepyfile(
        """
        import pytest
        from tracking import emitter

        @pytest.mark.parametrize("total", range(6))
        def test_order(dd_pa_events, total):
            dd_pa_events.assert_nothing_tracked()
            emitter.track("order.placed", {"order": {"total": total}}, usr=1)
            dd_pa_events.assert_tracked("order.placed", {"order": {"total": total}}, usr=1, count=1)

        def test_failure(dd_pa_events):
            emitter.track("order.placed", {"order": {"total": 41}}, usr=1)
            dd_pa_events.assert_tracked("order.placed", {"order": {"total": 42}})
        """
    )

    result = of(run, "-n", "2")

    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: 'order.placed' *", "E *order.total: expected 42, was 41"])
    result.stdout.no_fnmatch_line("*def assert_tracked*")  # the failure is the test's line, not ours


def test_loading_it_costs_next_to_nothing(run: pytest.Pytester) -> None:
    """A project that has dd-pa installed but no test of it imports nothing of it."""
    run.makepyfile(
        """
        import sys

        def test_modules():
            assert "dd_pa_pytest.plugin" in sys.modules
            heavy = {"dd_pa", "dd_pa_django", "dd_pa_flask", "httpx", "msgspec", "django", "flask"}
            assert not heavy & set(sys.modules)
        """
    )

    of(run, "-p", "no:anyio").assert_outcomes(passed=1)


def test_it_can_be_left_out(run: pytest.Pytester) -> None:
    """`-p no:dd_pa`: no fixture; plain functions work all the same."""
    run.makepyfile(
        """
        from dd_pa.testing import capture_events
        from tracking import emitter

        def test_plain():
            with capture_events() as events:
                emitter.track("a.b", usr=1)
            events.assert_tracked("a.b")

        def test_fixture(dd_pa_events):
            pass
        """
    )

    of(run, "-p", "no:dd_pa").assert_outcomes(passed=1, errors=1)


def test_the_fixture_is_listed(run: pytest.Pytester) -> None:
    """With what it is for."""
    of(run, "--fixtures").stdout.fnmatch_lines(["dd_pa_events -- *", "    The events that this test tracks*"])
