"""Messages of other releases on a stream: those of before are delivered, those of later ones are kept for them."""

from __future__ import annotations

from dd_pa import Settings
from dd_pa.outbox import OutboxDeliverer
from dd_pa.relay.brokers import RelayQueue
from tests.relay.brokers import Broker
from tests.relay.conftest import APPLICATION, SOON
from tests.relay.test_contract import Running, ids

ID = "3baabd1f11ef09a541b8f274b9448c13"
BODY = (
    b'{"type":"server","application":{"id":"shop"},"event":{"name":"order.paid"},"dd_pa":{"event_id":'
    b'"3baabd1f11ef09a541b8f274b9448c13","occurred_at":1795780726595},"usr":{"id":"u-1"},"number":0}'
)
SAID = {
    "specversion": "1.0",
    "id": ID,
    "type": "order.paid",
    "source": "/dd-pa/applications/shop",
    "time": "2026-11-27T11:58:46.595Z",
    "ddpaformat": "1",
}
"""What 0.1 writes: frozen, so that nothing here changes with the code."""

PREFIXES = {"redis": "ce-", "nats": "ce-", "rabbitmq": "cloudEvents:", "kafka": "ce_"}


def headers(kind: str, **changes: str) -> dict[str, str]:
    """Return what stands beside the body on such a broker."""
    told = {f"{PREFIXES[kind]}{name}": value for name, value in {**SAID, **changes}.items()}
    return {"content-type": "application/json", **told}


def test_what_an_earlier_release_wrote_is_delivered_and_what_a_later_one_wrote_is_kept(
    broker: Broker, queue: RelayQueue, emulator: Running
) -> None:
    queue.claim(1, owner="nobody", now=0, until=1000)  # makes the stream
    broker.put(BODY, headers(broker.kind))
    broker.put(BODY, headers(broker.kind, id="later", ddpaformat="2"))
    settings = Settings(
        application_id=APPLICATION, api_key="k" * 32, intake_url=emulator[1], spool_dir=None, max_age=10**9
    )
    assert OutboxDeliverer(settings, queue, retry=SOON, lease=5.0, poll=0.05).run(once=True)
    assert ids(emulator[0]) == [ID]
    (letter,) = queue.letters()
    assert (letter.id, letter.reason, letter.body) == ("later", "damaged", BODY)
