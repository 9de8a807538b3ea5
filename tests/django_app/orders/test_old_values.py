"""The old value is the one that the row had, whatever way the instance came by it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from dd_pa import identify
from tests.django_app.orders.conftest import Told, queries
from tests.django_app.orders.models import Article, Customer, Order
from tests.django_app.views import ViewError

NEW_TO_PAID = ("order.status_changed", {"status": {"old": "new", "new": "paid"}})


def test_refreshed(order: Order, told: Told) -> None:
    """What somebody else wrote meanwhile is no change of ours."""
    stale = Order.objects.get(pk=order.pk)
    order.status = "paid"
    order.save()
    stale.refresh_from_db()
    stale.save()

    assert told() == [NEW_TO_PAID]


def test_refreshed_in_part(order: Order, told: Told) -> None:
    """Fields that were not read again are as they were, from a generator of names as well."""
    order.total, order.status = Decimal(5), "paid"
    order.refresh_from_db(fields=(name for name in ["total"]))
    order.refresh_from_db(None, (name for name in ["note"]))
    order.save()

    assert told() == [NEW_TO_PAID]


def test_refreshed_in_a_transaction_that_fails(order: Order, told: Told) -> None:
    """What was read there was never true."""
    with suppress(ViewError), transaction.atomic():
        order.status = "paid"
        order.save()
        order.refresh_from_db()
        raise ViewError
    order.save()

    assert told() == [NEW_TO_PAID]


def test_deferred_and_assigned(order: Order, told: Told) -> None:
    """The old value is read, in the one query that such an event needs."""
    deferred = Order.objects.defer("status").get(pk=order.pk)
    deferred.status = "paid"
    with queries(2):
        deferred.save()
    deferred.status = "sent"
    with queries(1):
        deferred.save()

    assert told() == [NEW_TO_PAID, ("order.status_changed", {"status": {"old": "paid", "new": "sent"}})]


def test_deferred_and_loaded(order: Order, told: Told) -> None:
    """A deferred field that is looked at is known from then on."""
    deferred = Order.objects.only("customer").get(pk=order.pk)
    assert deferred.status == "new"
    deferred.status = "paid"
    with queries(1):
        deferred.save()

    assert told() == [NEW_TO_PAID]


def test_deferred_and_not_written(order: Order, told: Told) -> None:
    """Nothing is read for what is not written."""
    deferred = Order.objects.only("note").get(pk=order.pk)
    deferred.note = "to be called"
    with queries(1):
        deferred.save()

    assert told() == []


def test_computed_by_the_database(order: Order, told: Told) -> None:
    """The new value of an expression is read after it was written."""
    order.total = F("total") + Decimal("2.50")
    order.save()

    assert told() == [("order.repriced", {"total": {"old": 0, "new": 2.5}})]
    order.refresh_from_db()
    order.save()
    assert told() == []


def test_computed_at_creation(customer: Customer, told: Told) -> None:
    """What only the database knows is no old value."""
    order = Order.objects.create(customer=customer, status=Concat(Value("ne"), Value("w")))
    order.refresh_from_db()
    order.status = "paid"
    order.save()

    assert told() == [("order.placed", None), NEW_TO_PAID]


def test_overwritten_row_has_no_known_old_value(order: Order, told: Told) -> None:
    """An instance that was never loaded cannot tell a change; from then on it can."""
    other = Order(pk=order.pk, customer=order.customer, status="paid")
    other.save()
    before = told()
    other.status = "sent"
    other.save()

    assert before == []
    assert told() == [("order.status_changed", {"status": {"old": "paid", "new": "sent"}})]


@pytest.mark.parametrize(
    ("copied", "count"),
    [
        pytest.param(copy.copy, 1, id="copy"),
        pytest.param(copy.deepcopy, 1, id="as-setUpTestData-makes-it"),
        pytest.param(lambda order: pickle.loads(pickle.dumps(order)), 2, id="from-a-cache"),  # noqa: S301 - our own
    ],
)
def test_copies(order: Order, told: Told, copied: Callable[[Order], Order], count: int) -> None:
    """They know what the original knew; what was pickled asks the database, as its row may be another by now."""
    with transaction.atomic():
        order.status = "paid"
        order.save()
        one = copied(order)
    one.status = "sent"
    with queries(count):
        one.save()
    order.status = "back"
    with queries(2):
        order.save()

    assert [changed["status"] for _, changed in told()] == [
        {"old": "new", "new": "paid"},
        {"old": "paid", "new": "sent"},
        {"old": "sent", "new": "back"},
    ]


def test_pickles_have_nothing_of_ours(order: Order) -> None:
    """They can be read where this is not installed."""
    assert b"dd_pa" not in pickle.dumps(Order.objects.get(pk=order.pk)).replace(b"tests.django_app", b"")


def test_copy_saved_as_a_new_row(order: Order, told: Told) -> None:
    """Django's way to clone an instance."""
    order.pk = None
    order._state.adding = True
    order.status = "draft"
    order.save()

    assert told() == [("order.placed", None)]


def test_value_that_is_changed_in_place(told: Told) -> None:
    """A dict of a JSON field is compared by what was in it."""
    with identify(usr="u-1"):
        article = Article.objects.create(fields={"colour": ["red"]})
        article.fields["colour"].append("green")
        article.save()

    assert told() == [("article.edited", {"fields": {"old": {"colour": ["red"]}, "new": {"colour": ["red", "green"]}}})]


def test_fields_with_one_event(told: Told) -> None:
    """They share it."""
    with identify(usr="u-1"):
        article = Article.objects.create()
        article.body, article.fields = "text", {"a": 1}
        article.save()

    assert told() == [
        ("article.edited", {"body": {"old": "", "new": "text"}, "fields": {"old": {}, "new": {"a": 1}}}),
    ]


def test_file_is_told_by_its_name(told: Told) -> None:
    """Never its content, and the instance is not copied with it."""
    storage = InMemoryStorage()
    field = Article._meta.get_field("upload")
    field.storage = storage
    with identify(usr="u-1"):
        article = Article.objects.create()
        article.upload.save("a.txt", ContentFile(b"x"))
        article.upload.save("b.txt", ContentFile(b"x"))

    assert told() == [
        ("article.illustrated", {"upload": {"old": None, "new": "a.txt"}}),
        ("article.illustrated", {"upload": {"old": "a.txt", "new": "b.txt"}}),
    ]
