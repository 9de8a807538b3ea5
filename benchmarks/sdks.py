"""One event, sent with each SDK the way its documentation says.

`SDKS` maps a name, which begins with the distribution's, to a maker. Importing this imports no SDK.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

NAME = "checkout.completed"
USER, ACCOUNT, SESSION = "user-12345", "acme", "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
WHO: dict[str, Any] = {"usr": USER, "account": ACCOUNT, "session": SESSION}
NESTED = {
    "order": {"id": "o-4711", "total": 89.5, "currency": "EUR", "items": 3},
    "customer": {"tier": "premium"},
}
FLAT = {
    "order.id": "o-4711",
    "order.total": 89.5,
    "order.currency": "EUR",
    "order.items": 3,
    "customer.tier": "premium",
    "user.id": USER,
    "account.id": ACCOUNT,
    "session.id": SESSION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the events of one run go."""

    url: str
    """Origin of the server."""

    directory: str
    """An empty directory, for SDKs that keep events on disk."""

    ca_file: str | None = None
    """Certificate of the server's authority, over TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """An SDK, ready to send."""

    fire: Callable[[dict[str, Any]], object]
    """Send one event with these attributes."""

    flush: Callable[[], object]
    """Wait until what was fired is out."""

    flat: bool = False
    """Its documentation gives attributes as one level of dotted keys."""

    def attributes(self, ticket: str | None = None) -> dict[str, Any]:
        """Return new attributes of an event; a ticket is what the sink knows it by."""
        base = FLAT if self.flat else NESTED
        return dict(base) if ticket is None else {**base, "ticket": ticket}


def dd_pa(place: Place, *, spool: bool = False, httpx: bool = False, **settings: Any) -> Sdk:
    from dd_pa import Emitter, Settings

    settings["spool_dir"] = place.directory if spool else None
    if httpx:
        settings["transport"] = "httpx"
    configured = Settings(
        application_id="bench", api_key="bench", intake_url=place.url, ca_file=place.ca_file, **settings
    )
    emitter = Emitter(configured)
    return Sdk(
        fire=lambda attributes: emitter.track(NAME, attributes, usr=USER, account=ACCOUNT, session=SESSION),
        flush=lambda: emitter.flush(60),
    )


def posthog(place: Place) -> Sdk:
    from posthog import Posthog

    client = Posthog("phc_bench", host=place.url)
    groups = {"company": ACCOUNT}
    return Sdk(
        fire=lambda attributes: client.capture(
            NAME, distinct_id=USER, properties={**attributes, "$session_id": SESSION}, groups=groups
        ),
        flush=client.flush,
    )


def segment(place: Place) -> Sdk:
    from segment.analytics import Client

    client = Client("bench", host=place.url)
    context = {"groupId": ACCOUNT, "sessionId": SESSION}
    return Sdk(fire=lambda attributes: client.track(USER, NAME, attributes, context=context), flush=client.flush)


def rudder(place: Place) -> Sdk:
    from rudderstack.analytics import Client

    client = Client("bench", host=place.url)
    context = {"groupId": ACCOUNT, "sessionId": SESSION}
    return Sdk(fire=lambda attributes: client.track(USER, NAME, attributes, context=context), flush=client.flush)


def amplitude(place: Place) -> Sdk:
    from amplitude import Amplitude, BaseEvent, Config

    fired, answered = 0, list[int]()
    config = Config(
        server_url=f"{place.url}/2/httpapi", callback=lambda event, code, message=None: answered.append(code)
    )
    client = Amplitude("bench", config)
    groups = {"company": ACCOUNT}

    def fire(attributes: dict[str, Any]) -> None:
        nonlocal fired
        fired += 1
        client.track(BaseEvent(event_type=NAME, user_id=USER, groups=groups, session_id=1, event_properties=attributes))

    def flush() -> None:
        client.flush()  # its futures leave out what is being sent already
        while len(answered) < fired:
            time.sleep(0.001)

    return Sdk(fire=fire, flush=flush)


def mixpanel(place: Place) -> Sdk:
    from mixpanel import BufferedConsumer, Mixpanel

    consumer = BufferedConsumer(events_url=f"{place.url}/track")
    client = Mixpanel("bench", consumer=consumer)
    return Sdk(
        fire=lambda attributes: client.track(USER, NAME, {**attributes, "company": ACCOUNT, "session": SESSION}),
        flush=consumer.flush,
    )


def sentry(place: Place) -> Sdk:
    import sentry_sdk
    from sentry_sdk import logger

    sentry_sdk.init(dsn=place.url.replace("http://", "http://key@") + "/1", enable_logs=True)
    return Sdk(
        fire=lambda attributes: logger.info(NAME, attributes=attributes),
        flush=lambda: sentry_sdk.flush(timeout=60),
        flat=True,
    )


def snowplow(place: Place) -> Sdk:
    from snowplow_tracker import AsyncEmitter, SelfDescribing, SelfDescribingJson, Subject, Tracker

    who = Subject().set_user_id(USER).set_domain_session_id(SESSION)
    tracker = Tracker("bench", emitters=AsyncEmitter(place.url), subject=who)
    schema = "iglu:com.example/checkout_completed/jsonschema/1-0-0"
    return Sdk(
        fire=lambda attributes: tracker.track(SelfDescribing(SelfDescribingJson(schema, attributes))),
        flush=tracker.flush,
    )


def datadog(place: Place) -> Sdk:
    from datadog_api_client import Configuration, ThreadedApiClient
    from datadog_api_client.v2.api.product_analytics_api import ProductAnalyticsApi
    from datadog_api_client.v2.model import product_analytics_server_side_event_item as item
    from datadog_api_client.v2.model import product_analytics_server_side_event_item_account as account
    from datadog_api_client.v2.model import product_analytics_server_side_event_item_application as application
    from datadog_api_client.v2.model import product_analytics_server_side_event_item_event as event
    from datadog_api_client.v2.model import product_analytics_server_side_event_item_session as session
    from datadog_api_client.v2.model import product_analytics_server_side_event_item_type as kind
    from datadog_api_client.v2.model import product_analytics_server_side_event_item_usr as usr

    configuration = Configuration(host=place.url, api_key={"apiKeyAuth": "bench"})
    configuration.server_index = None
    client = ThreadedApiClient(configuration)
    api = ProductAnalyticsApi(client)

    def fire(attributes: dict[str, Any]) -> None:
        api.submit_product_analytics_event(
            body=item.ProductAnalyticsServerSideEventItem(
                application=application.ProductAnalyticsServerSideEventItemApplication(id="bench"),
                event=event.ProductAnalyticsServerSideEventItemEvent(name=NAME, **attributes),
                type=kind.ProductAnalyticsServerSideEventItemType.SERVER,
                usr=usr.ProductAnalyticsServerSideEventItemUsr(id=USER),
                account=account.ProductAnalyticsServerSideEventItemAccount(id=ACCOUNT),
                session=session.ProductAnalyticsServerSideEventItemSession(id=SESSION),
            )
        )

    # Its one thread works in the order of the calls.
    return Sdk(fire=fire, flush=lambda: client.pool.apply(int))


def opentelemetry(place: Place) -> Sdk:
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{place.url}/v1/logs")))
    logger = provider.get_logger("bench")
    return Sdk(
        fire=lambda attributes: logger.emit(
            LogRecord(event_name=NAME, severity_number=SeverityNumber.INFO, attributes=attributes)
        ),
        flush=provider.force_flush,
        flat=True,
    )


Maker = Callable[[Place], Sdk]
SPOOLED: dict[str, Maker] = {
    "dd-pa (spool)": partial(dd_pa, spool=True),
    "dd-pa (spool, own process)": partial(dd_pa, spool=True, delivery="process"),
}
OURS: dict[str, Maker] = {
    "dd-pa (memory)": dd_pa,
    "dd-pa (memory, httpx)": partial(dd_pa, httpx=True),
    **SPOOLED,
}
PEERS: dict[str, Maker] = {
    "posthog": posthog,
    "segment-analytics-python": segment,
    "rudder-sdk-python": rudder,
    "amplitude-analytics": amplitude,
    "mixpanel (buffered)": mixpanel,
    "sentry-sdk (logs)": sentry,
    "snowplow-tracker (async)": snowplow,
    "datadog-api-client (threads)": datadog,
    "opentelemetry-sdk (logs)": opentelemetry,
}
SDKS: dict[str, Maker] = {**OURS, **PEERS}
