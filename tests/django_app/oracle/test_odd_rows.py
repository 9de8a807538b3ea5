"""Events of rows with keys, fields and tables of other kinds, one fault of a fuzz in each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction

from dd_pa import identify
from dd_pa.testing import CapturedEvents, capture_events
from dd_pa_django.model_events import row_memory
from tests.django_app.conftest import Configure
from tests.django_app.oracle.odd_models import Bar, Parcel, ParcelLine, Place, QuickPlace
from tests.django_app.orders.databases import alias_of

KEY = UUID(int=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def using(request: pytest.FixtureRequest, tmp_path: Path, _configured: None, configure: Configure) -> Iterator[str]:
    configure(STRICT=True)
    with alias_of(request.param, tmp_path, "oracle") as alias:
        yield alias


@pytest.fixture
def events(using: str) -> Iterator[CapturedEvents]:
    with capture_events() as events, identify(usr="u-1"):
        yield events


def changes(events: CapturedEvents, field: str) -> list[tuple[Any, Any]]:
    """Return the old and new values that were told of a field."""
    found = (event.attributes.get("changed", {}).get(field) for event in events)
    return [(item["old"], item["new"]) for item in found if item]


def names(events: CapturedEvents) -> list[str]:
    return [event.name for event in events]


def test_a_key_that_is_given_as_a_text(using: str, events: CapturedEvents) -> None:
    """It is the row of the key that it stands for: what was read of it, and what others have written to it."""
    rows = Parcel.objects.using(using)
    Parcel(pk=str(KEY)).save(using=using, force_insert=True)
    one, two = rows.get(), rows.get()
    one.pk, one.status = str(KEY), "paid"
    one.save()
    two.status = "sent"
    two.save()
    one.delete()

    assert changes(events, "status") == [("new", "paid"), ("paid", "sent")]
    assert names(events).count("parcel.gone") == 1


def test_a_key_of_several_columns(using: str, events: CapturedEvents) -> None:
    parcel = Parcel.objects.using(using).create(id=KEY)
    lines = ParcelLine.objects.using(using)
    lines.bulk_create([ParcelLine(parcel=parcel, number=number) for number in (1, 2)])
    one, two = lines.get(number=1), lines.get(number=1)
    one.count = 5
    one.save()
    two.number = "1"
    two.count = 6
    two.save()
    lines.filter(number=2).update(count=7)
    parcel.delete()

    assert changes(events, "count") == [(1, 5), (5, 6), (1, 7)]
    assert [name for name in names(events) if "gone" in name] == ["line.gone", "line.gone", "parcel.gone"]


def test_a_field_that_changes_what_it_writes(using: str, events: CapturedEvents) -> None:
    parcel = Parcel.objects.using(using).create(code="A")
    parcel.code = "a"
    parcel.save()
    parcel.code = "B"
    parcel.save()

    assert changes(events, "code") == [("a", "b")]


def test_true_in_json_is_not_1(using: str, events: CapturedEvents) -> None:
    parcel = Parcel.objects.using(using).create(data={"a": [1]})
    parcel.data = {"a": [True]}
    parcel.save()
    parcel.data = {"a": (True,)}
    parcel.save()

    assert changes(events, "data") == [({"a": [1]}, {"a": [True]})]


def test_an_instance_made_by_hand_and_refreshed(using: str, events: CapturedEvents) -> None:
    Parcel.objects.using(using).create(id=KEY)
    parcel = Parcel(pk=KEY)
    parcel.refresh_from_db(using=using)
    parcel.status = "paid"
    parcel.save(using=using, force_update=True)

    assert changes(events, "status") == [("new", "paid")]


def test_an_instance_made_by_hand_and_refreshed_in_a_block_that_failed(using: str, events: CapturedEvents) -> None:
    Parcel.objects.using(using).create(id=KEY)
    parcel = Parcel(pk=KEY)
    with suppress(RuntimeError), transaction.atomic(using=using):
        parcel.refresh_from_db(using=using)
        raise RuntimeError
    parcel.status = "paid"
    parcel.save(using=using, force_update=True)

    assert changes(events, "status") == [("new", "paid")]


def test_a_row_that_points_to_itself_and_goes(using: str, events: CapturedEvents) -> None:
    """Its key is emptied first; what a generated column had cannot be read any more."""
    parcel = Parcel.objects.using(using).create(id=KEY)
    parcel.within = parcel
    parcel.save()
    parcel.delete()

    assert changes(events, "within") == [(None, str(KEY)), (str(KEY), None)]
    assert [event.attributes["parcel"]["double"] for event in events] == [2, 2, 2, 2]


def test_rows_that_point_to_each_other_and_go_at_once(using: str, events: CapturedEvents) -> None:
    """Whichever of them Django names first."""
    rows = Parcel.objects.using(using)
    one, two = rows.create(id=UUID(int=1)), rows.create(id=UUID(int=2))
    rows.filter(pk=one.pk).update(within=two)
    rows.filter(pk=two.pk).update(within=one)
    rows.all().delete()

    emptied = [change for change in changes(events, "within") if change[1] is None]
    assert sorted(emptied) == [(str(UUID(int=1)), None), (str(UUID(int=2)), None)]


def test_an_object_with_several_tables_that_comes_back(using: str, events: CapturedEvents) -> None:
    """Django says of one that is a proxy's and a child's twice that it goes."""
    bar = Bar(name="a")
    bar.save(using=using)
    key = bar.pk
    QuickPlace._base_manager.using(using).get(pk=key).delete()
    bar.save(using=using)
    QuickPlace._base_manager.using(using).get(pk=key).delete()

    assert names(events) == ["place.made", "place.gone"] * 2


def test_the_keys_of_an_object_with_several_tables(using: str, events: CapturedEvents) -> None:
    """Django writes the rows of the first table's key, whatever was assigned to the others."""
    one, two = Bar(name="a"), Bar(name="b")
    one.save(using=using)
    two.save(using=using)
    one.pk, one.name = two.pk, "c"
    one.save(using=using)

    assert changes(events, "name") == [("a", "c")]
    assert Place._base_manager.using(using).get(pk=two.pk).name == "b"


def test_a_savepoint_that_django_does_not_keep(using: str, events: CapturedEvents) -> None:
    """Made by hand, outside of `atomic()`: Django's own hooks are called though it is rolled back."""
    parcel = Parcel.objects.using(using).create()
    with transaction.atomic(using=using):
        parcel.status = "paid"
        parcel.save()
        for value in ("sent", "lost"):
            savepoint = connections[using].savepoint()
            parcel.status = value
            parcel.save()
            connections[using].savepoint_rollback(str(savepoint))
        parcel.status = "done"
        parcel.save()
        with suppress(RuntimeError), transaction.atomic(using=using):
            parcel.status = "gone"
            parcel.save()
            raise RuntimeError
        parcel.status = "late"
        parcel.save()

    assert changes(events, "status") == [("new", "paid"), ("paid", "done"), ("done", "late")]


def test_columns_that_events_carry_and_nobody_follows(using: str, events: CapturedEvents) -> None:
    """A statement writes them, and an instance that was loaded before is saved in part."""
    rows = Parcel.objects.using(using)
    rows.create(id=KEY)
    one = rows.get()
    rows.filter(pk=KEY).update(weight=2)
    one.status = "paid"
    one.save(update_fields=["status"])
    two = rows.get()
    two.weight = 3
    rows.bulk_update([two], ["weight"])
    two.status = "sent"
    two.save(update_fields=["status"])

    assert [event.attributes["parcel"] for event in events] == [
        {"weight": weight, "double": 2 * weight} for weight in (1, 2, 3)
    ]


def test_what_is_written_without_a_word(using: str, events: CapturedEvents) -> None:
    """Fixtures and upserts have no events; what comes after them has the true old value."""
    rows = Parcel.objects.using(using)
    rows.create(id=KEY)
    one = rows.get()
    Parcel(id=KEY, status="raw").save_base(raw=True, using=using)
    one.status = "paid"
    one.save()
    rows.bulk_create(
        [Parcel(id=KEY, status="up")], update_conflicts=True, update_fields=["status"], unique_fields=["id"]
    )
    one.status = "sent"
    one.save()

    assert changes(events, "status") == [("raw", "paid"), ("up", "sent")]


@pytest.mark.parametrize("size", [None, 1])
def test_two_instances_of_one_row_in_one_bulk_update(using: str, events: CapturedEvents, size: int | None) -> None:
    """Of one statement the first counts, of two the second, too."""
    rows = Parcel.objects.using(using)
    rows.create(id=KEY)
    one, two = rows.get(), rows.get()
    one.status, two.status = "one", "two"
    rows.bulk_update([one, two], ["status"], batch_size=size)
    two.status = "three"
    two.save()

    written = [("new", "one"), ("one", "three")] if size is None else [("new", "one"), ("one", "two"), ("two", "three")]
    assert changes(events, "status") == written


def test_more_rows_than_are_remembered(using: str, events: CapturedEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written first is not taken for untouched."""
    monkeypatch.setattr(row_memory, "MAX_ROWS", 2)
    rows = Parcel.objects.using(using)
    rows.create(id=KEY)
    one, two = rows.get(), rows.get()
    one.status = "paid"
    one.save()
    for _ in range(3):
        other = rows.create()
        other.status = "other"
        other.save()
    two.status = "sent"
    two.save()

    assert changes(events, "status")[-1] == ("paid", "sent")
