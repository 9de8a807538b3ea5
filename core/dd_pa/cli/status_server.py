"""What `dd-pa deliver --port` answers: `/livez`, `/readyz`, and `/metrics` as OpenMetrics."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from dd_pa.delivery.stats import Stats, trouble_of
from dd_pa.metrics import COUNTERS, GAUGES, CountedEmitter
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.delivery.pipeline import Pipeline

PATIENCE = 5.0
"""Seconds for which one who connects may say nothing."""

_UNITS = {"s": "seconds", "By": "bytes"}
_TEXT = "text/plain; charset=utf-8"

Answer = Callable[[str], tuple[int, str, bytes]]
"""Status, content type and body, for a path."""


class ProbedDeliverer(CountedEmitter, Protocol):
    """What is asked. Its methods are called on other threads, and must not block."""

    def is_alive(self) -> bool:
        """Tell whether it goes on; one that does not is to be started again."""
        ...

    def trouble(self) -> str | None:
        """Return why nothing is delivered now, without a secret; None if it is."""
        ...


def missing_library() -> str | None:
    """Return what must be installed first, or None."""
    return None if find_spec("prometheus_client") else "--port needs prometheus-client: pip install 'dd-pa[metrics]'"


class StatusServer:
    """Serves on a thread of its own until the end of the block. Raises OSError if the port is taken."""

    def __init__(self, host: str, port: int, deliverer: ProbedDeliverer) -> None:
        exposition = importlib.import_module("prometheus_client.openmetrics.exposition")
        registry = importlib.import_module("prometheus_client").CollectorRegistry()
        registry.register(_Collector(deliverer))
        self._metrics: Callable[[], bytes] = lambda: exposition.generate_latest(registry)
        self._metrics_type = str(exposition.CONTENT_TYPE_LATEST)
        self._deliverer = deliverer
        self._server = _HttpServer((host, port), _Handler)
        self._server.answer = self.answer
        self._thread = threading.Thread(target=self._server.serve_forever, name="dd-pa-status", daemon=True)
        self.port: int = self._server.server_address[1]
        """Where it listens; another than was asked for if that was 0."""

    def __enter__(self) -> StatusServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body of the answer to a request for a path."""
        match path.partition("?")[0]:
            case "/livez":
                return (200, _TEXT, b"alive\n") if self._deliverer.is_alive() else (503, _TEXT, b"does not go on\n")
            case "/readyz":
                trouble = self._deliverer.trouble()
                return (200, _TEXT, b"ready\n") if trouble is None else (503, _TEXT, f"{trouble}\n".encode())
            case "/metrics":
                return 200, self._metrics_type, self._metrics()
            case _:
                return 404, _TEXT, b"there are /livez, /readyz and /metrics\n"


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE

    def do_GET(self) -> None:
        status, content_type, body = cast("_HttpServer", self.server).answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of probes, which come every few seconds."""


class _Collector:
    """The numbers of a deliverer as metric families."""

    def __init__(self, deliverer: ProbedDeliverer) -> None:
        self._deliverer = deliverer
        self._families: Any = importlib.import_module("prometheus_client.core")

    def describe(self) -> list[object]:
        """Return nothing: the numbers are not to be asked for before somebody wants them."""
        return []

    def collect(self) -> Iterator[object]:
        """Yield one family after the other, all from one look."""
        stats = self._deliverer.stats()
        for name, (description, values) in COUNTERS.items():
            yield self._filled(self._families.CounterMetricFamily, name, description, "", values(stats))
        for name, (unit, description, values, _) in GAUGES.items():
            yield self._filled(self._families.GaugeMetricFamily, name, description, _UNITS.get(unit, ""), values(stats))
        up = self._families.GaugeMetricFamily("dd_pa_delivery_ready", "1 while events are delivered")
        up.add_metric([], float(self._deliverer.trouble() is None))
        yield up

    def _filled(self, make: Callable[..., Any], name: str, description: str, unit: str, values: Any) -> object:
        found = list(values)
        reasons = ["reason"] if name.endswith("dropped") else []
        family = make(name.replace(".", "_"), description, labels=["application_id", *reasons], unit=unit)
        for value, attributes in found:
            family.add_metric([self._deliverer.settings.application_id, *attributes.values()], value)
        return family


class SpoolDeliverer:
    """The delivery of a spool, as it is asked here."""

    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        self.settings, self._pipeline = settings, pipeline

    def stats(self) -> Stats:
        """Return its numbers."""
        return self._pipeline.stats()

    def is_alive(self) -> bool:
        """Tell whether its thread goes on: it hangs in no call."""
        return not self._pipeline.hangs

    def trouble(self) -> str | None:
        """Return why nothing is delivered now."""
        return trouble_of(self.stats())
