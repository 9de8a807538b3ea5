from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.product_analytics_api import ProductAnalyticsApi
from datadog_api_client.v2.model.product_analytics_server_side_event_error import ProductAnalyticsServerSideEventError
from datadog_api_client.v2.model.product_analytics_server_side_event_item import ProductAnalyticsServerSideEventItem
from datadog_api_client.v2.model.product_analytics_server_side_event_item_account import (
    ProductAnalyticsServerSideEventItemAccount as Account,
)
from datadog_api_client.v2.model.product_analytics_server_side_event_item_application import (
    ProductAnalyticsServerSideEventItemApplication,
)
from datadog_api_client.v2.model.product_analytics_server_side_event_item_event import (
    ProductAnalyticsServerSideEventItemEvent,
)
from datadog_api_client.v2.model.product_analytics_server_side_event_item_session import (
    ProductAnalyticsServerSideEventItemSession as Session,
)
from datadog_api_client.v2.model.product_analytics_server_side_event_item_type import (
    ProductAnalyticsServerSideEventItemType,
)
from datadog_api_client.v2.model.product_analytics_server_side_event_item_usr import (
    ProductAnalyticsServerSideEventItemUsr as Usr,
)

from dd_pa.emulator import Emulator
from tests.emulator.client import KEY, event, without


def submit(url: str, item: ProductAnalyticsServerSideEventItem, key: str = KEY, **headers: str) -> Any:
    """Submit with Datadog's own client, its intake pointed here."""
    configuration = Configuration(
        server_index=1,
        server_variables={"protocol": "http", "name": urlsplit(url).netloc},
        api_key={"apiKeyAuth": key} if key else {},
        compress=True,
    )
    with ApiClient(configuration) as api_client:
        api_client.default_headers.update(headers)
        api = ProductAnalyticsApi(api_client)
        return api.submit_product_analytics_event(item)


def item(**changes: Any) -> ProductAnalyticsServerSideEventItem:
    """A complete event, as its model; keyword arguments add members."""
    return ProductAnalyticsServerSideEventItem(
        application=ProductAnalyticsServerSideEventItemApplication(id=event()["application"]["id"]),
        event=ProductAnalyticsServerSideEventItemEvent(name="payment.processed"),
        type=ProductAnalyticsServerSideEventItemType.SERVER,
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        pytest.param({"usr": Usr(id="123")}, {"usr": {"id": "123"}}, id="usr"),
        pytest.param({"account": Account(id="a")}, {"account": {"id": "a"}}, id="account"),
        pytest.param({"session": Session(id="s")}, {"session": {"id": "s"}}, id="session"),
        pytest.param(
            {"usr": Usr(id="123"), "customer": {"tier": "premium"}},
            {"usr": {"id": "123"}, "customer": {"tier": "premium"}},
            id="custom-attributes",
        ),
    ],
)
def test_documented_examples(emulator: Emulator, url: str, changes: dict[str, Any], sent: dict[str, Any]) -> None:
    """Datadog's own client submits each documented example and understands the answer."""
    answer = submit(url, item(**changes))

    assert answer == {}
    assert emulator.events == [without("usr") | sent]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed(emulator: Emulator, url: str, encoding: str) -> None:
    """What Datadog's own client compresses is read."""
    submit(url, item(usr=Usr(id="123")), **{"Content-Encoding": encoding})

    assert emulator.events == [event()]


@pytest.mark.parametrize(
    ("status", "title"),
    [
        pytest.param(400, "Bad Request", id="400"),
        pytest.param(401, "Unauthorized", id="401"),
        pytest.param(403, "Forbidden", id="403"),
        pytest.param(408, "Request Timeout", id="408"),
        pytest.param(413, "Request Entity Too Large", id="413"),
        pytest.param(429, "Too Many Requests", id="429"),
        pytest.param(500, "Internal Server Error", id="500"),
        pytest.param(503, "Service Unavailable", id="503"),
    ],
)
def test_every_documented_error(emulator: Emulator, url: str, status: int, title: str) -> None:
    """Each documented error reaches the caller of Datadog's own client as its model."""
    emulator.fail(status)

    with pytest.raises(ApiException) as caught:
        submit(url, item())

    [problem] = caught.value.body["errors"]
    assert (caught.value.status, problem) == (
        status,
        {"status": str(status), "title": title, "detail": "fault on demand"},
    )
    model = ProductAnalyticsServerSideEventError(**problem)
    assert (model.status, model.title, model.detail) == tuple(problem.values())


def test_checks(emulator: Emulator, url: str) -> None:
    """The checks answer as documented, too."""
    emulator.api_keys = {KEY}

    with pytest.raises(ApiException) as nobody:
        submit(url, item())
    with pytest.raises(ApiException) as unknown:
        submit(url, item(), key="f" * 32)

    assert (nobody.value.status, unknown.value.status) == (400, 403)
    assert [row.status for row in emulator.rejected] == [400, 403]
