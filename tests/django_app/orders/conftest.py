from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connections
from django.test.utils import CaptureQueriesContext

from tests.django_app.conftest import Events
from tests.django_app.orders.models import Customer, Order

Told = Callable[[], list[tuple[str, Any]]]


@pytest.fixture
def told(events: Events) -> Told:
    """The names of the events since it was called last, and what they say of changes."""
    seen = 0

    def since() -> list[tuple[str, Any]]:
        nonlocal seen
        found = events()[seen:]
        seen += len(found)
        return [(event["event"]["name"], event.get("changed")) for event in found]

    return since


@pytest.fixture
def customer(_configured: None) -> Customer:
    """Whose orders they are."""
    return Customer.objects.create(name="Ada")


@pytest.fixture
def order(customer: Customer, told: Told) -> Order:
    """An order whose event was seen."""
    order = Order.objects.create(customer=customer)
    assert told() == [("order.placed", None)]
    return order


@contextmanager
def queries(count: int, using: str = DEFAULT_DB_ALIAS) -> Iterator[list[str]]:
    """Fail if the block takes another number of queries, the limits of its transactions not counted."""
    found: list[str] = []
    with CaptureQueriesContext(connections[using]) as captured:
        yield found
    found += [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(found) == count, found
