"""Messages of other releases on a stream: those of before are delivered, those of later ones are kept for them."""

from __future__ import annotations

from pathlib import Path

from dd_pa import Settings
from dd_pa.outbox import OutboxDeliverer
from dd_pa.relay.brokers import open_queue
from dd_pa.settings.relay import address
from tests.relay.brokers import OwnRedis, own_server
from tests.relay.conftest import APPLICATION, SOON
from tests.relay.test_contract import Running, ids

ID = "3baabd1f11ef09a541b8f274b9448c13"
BODY = (
    b'{"type":"server","application":{"id":"shop"},"event":{"name":"order.paid"},"dd_pa":{"event_id":'
    b'"3baabd1f11ef09a541b8f274b9448c13","occurred_at":1795780726595},"usr":{"id":"u-1"},"number":0}'
)
FIRST = {
    "ce-specversion": "1.0",
    "ce-id": ID,
    "ce-type": "order.paid",
    "ce-source": "/dd-pa/applications/shop",
    "ce-time": "2026-11-27T11:58:46.595Z",
    "content-type": "application/json",
    "ce-ddpaformat": "1",
}
"""What 0.1 writes: frozen, so that nothing here changes with the code."""


def test_what_an_earlier_release_wrote_is_delivered_and_what_a_later_one_wrote_is_kept(
    emulator: Running, tmp_path: Path
) -> None:
    with own_server("redis", tmp_path) as server:
        assert isinstance(server, OwnRedis)
        later = {**FIRST, "ce-id": "later", "ce-ddpaformat": "2"}
        with server.client() as client:
            for headers in (FIRST, later):
                client.xadd(server.stream, {**headers, "data": BODY})
        queue = open_queue(address("--from", server.url))
        settings = Settings(
            application_id=APPLICATION, api_key="k" * 32, intake_url=emulator[1], spool_dir=None, max_age=10**9
        )
        assert OutboxDeliverer(settings, queue, retry=SOON, lease=5.0, poll=0.05).run(once=True)
        assert ids(emulator[0]) == [ID]
        (letter,) = queue.letters()
        queue.close()
    assert (letter.id, letter.reason, letter.body) == ("later", "damaged", BODY)
