"""What the deliverers of a stream of Redis remove from it: what everybody is done with, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dd_pa.relay.redis_queue import RedisQueue
from dd_pa.settings.relay_address import address
from tests.relay.brokers import OwnRedis, own_server


def test_what_another_deliverer_takes_meanwhile_stays(tmp_path: Path) -> None:
    """Between two questions about the stream it was taken for settled: it was gone with the deliverer that held it."""
    with own_server("redis", tmp_path) as server:
        assert isinstance(server, OwnRedis)
        with server.client() as client:
            client.config_set("stream-node-max-entries", "1")  # whole nodes are trimmed
            for _ in range(10):
                server.put(b"{}")
            looking, taking = (RedisQueue(address("--from", server.url), ca_file=None) for _ in range(2))
            ask: Any = looking._client.execute_command

            def ask_and_be_overtaken(*arguments: Any, **options: Any) -> Any:
                answer = ask(*arguments, **options)
                if str(arguments[0]).startswith(("XPENDING", "XINFO")):
                    looking._client.execute_command = ask  # type: ignore[method-assign]
                    assert len(taking.claim(5, owner="other", now=0, until=60_000)) == 5
                return answer

            looking._client.execute_command = ask_and_be_overtaken  # type: ignore[method-assign]
            looking.oldest()

            assert looking._client.execute_command == ask, "it was not overtaken"
            assert client.xlen(server.stream) == 10
            looking.close()
            taking.close()
