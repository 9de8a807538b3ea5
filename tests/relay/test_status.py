"""What `dd-pa deliver --port` answers, and the lines it writes, beside a broker that comes and goes."""

from __future__ import annotations

import dataclasses
import importlib
import json
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.cli.status_server import SpoolDeliverer, StatusServer
from dd_pa.delivery import pipeline as pipeline_module
from dd_pa.delivery.pipeline import Pipeline
from tests.relay.brokers import OwnRedis, own_server
from tests.relay.test_contract import Running
from tests.relay.test_crashes import Processes, all_arrived
from tests.waiting import PATIENCE, wait_until

parse: Any = importlib.import_module("prometheus_client.openmetrics.parser").text_string_to_metric_families


def samples(url: str) -> dict[str, float]:
    """Return the numbers of one application, by name."""
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return {sample.name: sample.value for family in parse(answer.text) for sample in family.samples}


def test_liveness_readiness_and_metrics_of_a_deliverer(emulator: Running, tmp_path: Path) -> None:
    with ExitStack() as stack:
        folder = tmp_path / "broker"
        folder.mkdir()
        broker = stack.enter_context(own_server("redis", folder))
        assert isinstance(broker, OwnRedis)
        processes = Processes(stack, broker, emulator[1], tmp_path)
        deliverer = processes.deliver("--port", "0", "--log-format", "json")

        def said() -> list[dict[str, str]]:
            return [json.loads(line) for line in processes.log.splitlines()]

        wait_until(lambda: len(said()) >= 2, lambda: processes.log)
        port = said()[0]["message"].rpartition(":")[2]
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, lambda: processes.log)

        broker.kill()
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 503, lambda: processes.log)
        assert "cannot be read or written: ConnectionError" in httpx.get(f"{url}/readyz").text
        assert httpx.get(f"{url}/livez").status_code == 200
        assert samples(url)["dd_pa_delivery_ready"] == 0

        broker.start()
        assert processes.publish(20).wait(120) == 0, processes.log
        wait_until(lambda: all_arrived(processes, emulator), lambda: processes.log)
        wait_until(lambda: samples(url)["dd_pa_events_pending"] == 0)
        found = samples(url)
        assert (found["dd_pa_events_delivered_total"], found["dd_pa_delivery_ready"]) == (20, 1)
        assert httpx.get(f"{url}/").status_code == 404

        deliverer.send_signal(signal.SIGTERM)
        assert deliverer.wait(60) == 0
        first, *_, last = said()
        assert set(first) == {"time", "level", "logger", "message"}
        assert last["message"].startswith("20 events delivered")


def test_a_deliverer_of_a_spool_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes starts it again by that."""
    monkeypatch.setattr(pipeline_module, "STUCK", 4.0)  # it looks every second
    hangs, goes_on = threading.Event(), threading.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        hangs.set()
        goes_on.wait()
        return httpx.Response(202)

    settings = Settings(application_id="shop", api_key="k" * 32, spool_dir=str(tmp_path / "spool"))
    transport = httpx.MockTransport(answer)
    pipeline = Pipeline(None, settings, transport=transport, retry=RetryPolicy(), for_all=True)
    with StatusServer("127.0.0.1", 0, SpoolDeliverer(settings, pipeline)) as server:

        def livez() -> int:
            return httpx.get(f"http://127.0.0.1:{server.port}/livez").status_code

        pipeline.start()
        wait_until(lambda: livez() == 200)
        with Emitter(dataclasses.replace(settings, delivery="process"), transport=transport) as emitter:
            emitter.track("order.placed", usr="u-1")
        assert hangs.wait(PATIENCE)
        wait_until(lambda: livez() == 503)

        goes_on.set()
        wait_until(lambda: livez() == 200)
        pipeline.close(PATIENCE)


def test_a_broker_that_is_away_is_one_line_of_a_single_run(emulator: Running, tmp_path: Path) -> None:
    with ExitStack() as stack:
        processes = Processes(stack, OwnRedis(tmp_path), emulator[1], tmp_path)
        assert processes.deliver("--once").wait(60) == 1
    *_, last = processes.log.splitlines()
    assert last.startswith("Error: redis://localhost:")
    assert "cannot be used" in last


def test_the_deliverer_of_a_spool_answers_too(emulator: Running, tmp_path: Path) -> None:
    with ExitStack() as stack:
        processes = Processes(stack, None, emulator[1], tmp_path)
        processes.deliver_spool("--port", "0")
        wait_until(lambda: "/metrics on" in processes.log, lambda: processes.log)
        (line,) = [line for line in processes.log.splitlines() if "/metrics on" in line]
        url = f"http://{line.rpartition(' ')[2]}"
        assert [httpx.get(f"{url}{path}").status_code for path in ("/livez", "/readyz")] == [200, 200]
        assert samples(url)["dd_pa_events_delivered_total"] == 0
