"""What was seen or told in a transaction block, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test import TestCase

from dd_pa import identify
from dd_pa.testing import capture_events
from dd_pa_django import track
from dd_pa_django.transaction_block import blocks_of
from tests.django_app.orders.conftest import Told
from tests.django_app.orders.models import Article, Customer, Message, Order
from tests.django_app.orders.test_declaration import declared
from tests.django_app.views import ViewError


def moved(old: str, new: str) -> tuple[str, object]:
    return ("order.status_changed", {"status": {"old": old, "new": new}})


@pytest.mark.parametrize("then", ["paid", "sent"])
@pytest.mark.parametrize("how", ["refreshes", "loads"])
def test_what_was_read_in_a_block_that_fails(order: Order, told: Told, how: str, then: str) -> None:
    """Is forgotten: the next save is compared with the row."""
    seen = order
    with suppress(ViewError), transaction.atomic():
        Order._base_manager.filter(pk=order.pk).update(status="paid")
        if how == "loads":
            seen = Order.objects.get(pk=order.pk)
        else:
            order.refresh_from_db()
        raise ViewError
    seen.status = then
    seen.save()

    assert told() == [moved("new", then)]


def test_what_was_read_in_a_savepoint_that_fails(order: Order, told: Told) -> None:
    """The same in the middle of a block."""
    with transaction.atomic():
        with suppress(ViewError), transaction.atomic():
            Order.objects.update(status="paid")
            seen = Order.objects.get(pk=order.pk)
            raise ViewError
        seen.save()

    assert told() == [moved("new", "paid")]


def test_another_instance_has_written_the_row(order: Order, told: Told) -> None:
    """The old value is what the row has, not what this instance has loaded."""
    other = Order.objects.get(pk=order.pk)
    other.status = "paid"
    other.save()
    order.status = "sent"
    order.save()

    assert told() == [moved("new", "paid"), moved("paid", "sent")]


def test_deleted_through_two_instances(order: Order, told: Told) -> None:
    """It goes once."""
    other = Order.objects.get(pk=order.pk)
    order.delete()
    other.delete()

    assert told() == [("order.cancelled", None)]


def test_one_hook_for_all(customer: Customer, told: Told) -> None:
    """Tests that count the hooks of a block count one more, however much is written in it."""
    with transaction.atomic():
        orders = [Order.objects.create(customer=customer) for _ in range(5)]
        with transaction.atomic():
            for order in orders:
                order.status = "paid"
                order.save()

        assert len(connection.run_on_commit) == 1
    assert len(told()) == 10


def test_cost_of_many_saves_in_one_block(customer: Customer, told: Told) -> None:
    """The tenth save of each of many rows does what the first did: no search among all that waits."""
    with transaction.atomic():
        orders = Order.objects.bulk_create([Order(customer=customer) for _ in range(50)])
        track("block.began", usr="u-1")
        for status in "abc":
            for order in orders:
                order.status = status
                order.save()

        [hook] = blocks_of(connection)
        assert len(list(hook.waiting)) == 152  # what `bulk_create` fires is one of them
    assert len(told()) == 201


def fail_on_commit() -> None:
    raise ViewError


@pytest.mark.parametrize("is_first", [True, False])
def test_hook_of_somebody_else_that_raises(told: Told, is_first: bool) -> None:
    """Loses no event of a transaction that has committed."""
    with suppress(ViewError), transaction.atomic():
        if is_first:
            transaction.on_commit(fail_on_commit)
        track("order.placed", usr="u-1")
        if not is_first:
            transaction.on_commit(fail_on_commit)

    assert told() == [("order.placed", None)]


class InTestCase(TestCase):
    """A project's own test, whose transaction never commits."""

    databases = "__all__"
    order: Order

    @classmethod
    def setUpTestData(cls) -> None:
        cls.order = Order.objects.create(customer=Customer.objects.create(name="Ada"))

    def change(self, status: str) -> None:
        with transaction.atomic():
            self.order.status = status
            self.order.save()
            self.order.note += "!"
            self.order.save()

    def test_blocks(self) -> None:
        """No events are lost there, no queries are added, and one hook for each block."""
        with capture_events() as events:
            for status in ("paid", "sent"):
                with self.captureOnCommitCallbacks(execute=True) as callbacks, self.assertNumQueries(4):
                    self.change(status)
                assert len(callbacks) == 1
            with suppress(ViewError), transaction.atomic():
                self.order.status = "lost"
                self.order.save()
                raise ViewError
            self.change("back")

        changes = [event.attributes["changed"]["status"] for event in events]
        assert [(change["old"], change["new"]) for change in changes] == [
            ("new", "paid"),
            ("paid", "sent"),
            ("sent", "back"),
        ]


@pytest.fixture
def _meddled() -> Iterator[None]:
    """Somebody else's receiver, connected before the model was declared."""

    def meddle(sender: object, instance: Message, created: bool, **kwargs: object) -> None:
        if created:
            instance.text = "numbered"
            instance.save()
            raise ViewError

    post_save.connect(meddle, sender=Message)
    yield
    post_save.disconnect(meddle, sender=Message)


@pytest.mark.usefixtures("_meddled")
def test_receiver_of_somebody_else(told: Told) -> None:
    """Is heard after ours, and loses nothing when it raises."""
    with declared(Message, created="message.sent", updated={"text": "message.edited"}), identify(usr="u-1"):
        with suppress(ViewError):
            Message.objects.create()

        assert told() == [
            ("message.sent", None),
            ("message.edited", {"text": {"old": "", "new": "numbered"}}),
        ]


def test_saved_onto_another_row(order: Order, told: Told) -> None:
    """And into another database: it is compared with what is there."""
    other = Order.objects.create(customer=order.customer, status="paid")
    copied = Order.objects.get(pk=other.pk)
    told()
    copied.pk = order.pk
    copied.save()
    Customer.objects.using("other").create(pk=order.customer_id)
    Order.objects.using("other").create(pk=order.pk, customer_id=order.customer_id, status="draft")
    told()
    order.refresh_from_db()
    order.save(using="other")

    assert told() == [moved("draft", "paid")]


def test_the_other_side_is_deleted(order: Order, told: Told) -> None:
    """Rows of a many-to-many table go without a signal of their own."""
    with identify(usr="u-1"):
        article = Article.objects.create()
        tag = article.tags.create(name="red")
        told()
        pk = tag.pk
        tag.delete()

    assert told() == [("article.tagged", {"tags": {"action": "removed", "count": 1, "pks": [pk]}})]
