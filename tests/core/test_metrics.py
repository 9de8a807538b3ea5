from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakSet

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.delivery.stats import Stats
from dd_pa.emulator import Emulator
from dd_pa.metrics import _make_instruments, observe

Point = tuple[str, str | None, tuple[tuple[str, object], ...], float]
NEVER = RetryPolicy(base=3600.0, cap=3600.0, draw=lambda least, most: most)


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    """Reads what a provider of its own collected."""
    yield (reader := InMemoryMetricReader())
    reader.shutdown()


def make_emitter(emulator: Emulator, application_id: str = "shop") -> Emitter:
    settings = Settings(
        application_id=application_id,
        api_key="0123456789abcdef0123456789abcdef",
        intake_url="http://127.0.0.1:1",
        shutdown_timeout=0.0,
        spool_dir=None,
    )
    return Emitter(settings, transport=httpx.ASGITransport(app=emulator), retry=NEVER)


def points(reader: InMemoryMetricReader) -> list[Point]:
    """Collect, and return name, unit, attributes and value of each point, sorted."""
    data = reader.get_metrics_data()
    assert data is not None
    return sorted(
        (metric.name, metric.unit, tuple(sorted(dict(point.attributes or {}).items())), point.value)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    )


def test_the_numbers_of_an_emitter_are_metrics(reader: InMemoryMetricReader) -> None:
    """Each with its application, drops with their reason."""
    emulator = Emulator()
    emitter = make_emitter(emulator)
    observe(emitter, MeterProvider([reader]))
    emitter.track("order.placed", usr="u-1")
    emitter.track("order.placed")
    assert emitter.flush(60)

    shop = (("application.id", "shop"),)
    assert points(reader) == [
        ("dd_pa.delivery.paused", "1", shop, 0),
        ("dd_pa.delivery.retries", "{event}", shop, 0),
        ("dd_pa.events.delivered", "{event}", shop, 1),
        ("dd_pa.events.dropped", "{event}", (*shop, ("reason", "unlinked")), 1),
        ("dd_pa.events.off_plan", "{event}", shop, 0),
        ("dd_pa.events.oldest_pending_age", "s", shop, 0.0),
        ("dd_pa.events.pending", "{event}", shop, 0),
        ("dd_pa.events.queued", "{event}", shop, 1),
        ("dd_pa.events.rejected", "{event}", shop, 0),
        ("dd_pa.events.repaired", "{event}", shop, 0),
        ("dd_pa.spool.size", "By", shop, 0),
    ]
    emitter.close()


def test_what_waits_and_a_refused_key_are_seen(reader: InMemoryMetricReader) -> None:
    """The two that an alert is made of."""
    emulator = Emulator(api_keys=set())
    emitter = make_emitter(emulator)
    observe(emitter, MeterProvider([reader]))
    emitter.track("order.placed", usr="u-1")
    emitter.flush(0.5)

    values = {name: value for name, _, _, value in points(reader)}
    assert (values["dd_pa.delivery.paused"], values["dd_pa.events.pending"]) == (1, 1)
    assert 0.3 < values["dd_pa.events.oldest_pending_age"] < 30
    emitter.close()


SCRIPT = """
import os, sys
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from dd_pa import Emitter, Settings
from dd_pa.delivery.stats import Stats
from dd_pa.metrics import _make_instruments, observe
settings = Settings(
    application_id="shop", api_key="k" * 32, intake_url="http://127.0.0.1:1", shutdown_timeout=0, spool_dir=None
)
emitters = [Emitter(settings) for _ in range(2)]
for emitter in emitters:
    emitter.track("order.placed")
    observe(emitter)
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
def dropped():
    found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    points = [metric.data.data_points for metric in found if metric.name == "dd_pa.events.dropped"]
    return [point.value for each in points for point in each]
print(dropped())
"""


def test_emitters_are_observed_where_opentelemetry_is_used() -> None:
    """Nobody has to ask for it; two emitters of one application add up, and asking again counts nothing twice."""
    ended = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "[2]\n"), ended.stderr


def test_opentelemetry_is_not_imported_for_those_who_do_not_use_it() -> None:
    """It takes a tenth of a second."""
    script = (
        "import sys\nfrom dd_pa import Emitter, Settings\n"
        'Emitter(Settings(application_id="shop", api_key="k" * 32, spool_dir=None)).track("a.b")\n'
        'print([name for name in sys.modules if name.startswith("opentelemetry")])'
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "[]\n"), ended.stderr


class Asked:
    """An emitter's numbers, and how often they were asked for."""

    def __init__(self, age: float) -> None:
        self._age = age
        self.times = 0
        self.settings = Settings(application_id="shop", api_key="k", spool_dir=None)

    def stats(self) -> Stats:
        """Return numbers of an emitter that is paused."""
        self.times += 1
        return replace(Emitter(self.settings).stats(), oldest_pending_age=self._age, pending=2, state="paused")


def test_an_export_asks_each_emitter_once(reader: InMemoryMetricReader) -> None:
    """However many instruments there are. The oldest age of an application counts, and what waits is added up."""
    young, old = Asked(3.0), Asked(7.0)
    _make_instruments(MeterProvider([reader]), WeakSet([young, old]))

    for export in (1, 2):
        found = {name: value for name, _, _, value in points(reader)}

        assert (found["dd_pa.events.oldest_pending_age"], found["dd_pa.delivery.paused"]) == (7.0, 1)
        assert found["dd_pa.events.pending"] == 4
        assert (young.times, old.times) == (export, export)
