"""Random operations of the ORM, and what triggers and events say of them."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, TypeGuard

from asgiref.sync import async_to_sync
from django.db import IntegrityError, connections, transaction
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dd_pa import identify
from dd_pa.testing import CapturedEvents, capture_events
from dd_pa_django import TrackedQuerySet
from tests.django_app.oracle.log import FIELDS, ChangeLog, Entry
from tests.django_app.oracle.models import KEEPER, SAID, Gift, Item, Meddled, Owner, QuickItem, Shelf, Tag

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

VALUES: dict[str, list[Any]] = {
    "status": ["new", "paid", "sent", "again"],
    "total": [0, "0.00", Decimal("1.5"), 1.504, "2.25", Decimal("2.251")],
    "data": [{}, {"1": ["a"]}, {1: ("a",)}, ["a"]],
    "stock": [3, 4, "5", True],
    "at": [None, NOON, NOON.replace(tzinfo=None), NOON.isoformat(), NOON + dt.timedelta(hours=1)],
}
index = st.integers(0, 3)
values = st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 5), min_size=1, max_size=2).map(
    lambda given: {name: VALUES[name][number % len(VALUES[name])] for name, number in given.items()}
)


def pickled(item: Item) -> Item:
    """Return what comes out of a cache or a queue."""
    found = pickle.loads(pickle.dumps(item))  # noqa: S301 - of this very line
    assert isinstance(found, Item)
    return found


UNSEEN: dict[str, str] = {}
"""What is by design not seen: the words of the docs' list, and the rule that does it."""


def unseen(words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Take a rule for one that brings no event; what was loaded before it says nothing until it is loaded again."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        UNSEEN[words] = function.__name__

        def run(self: Operations, **given: Any) -> None:
            for model in (Item, Owner, Tag):
                self.any_of(model, 0)  # what has to be made for it is seen
            first = self.log.last()
            function(self, **given)
            self.unnoticed.append((first, self.log.last()))
            self.held = [item for item in self.held if self.is_there(item)]
            for item in self.held:
                item.refresh_from_db(using=self.using)

        run.__name__ = function.__name__
        return run

    return mark


class Operations(RuleBasedStateMachine):
    """What an application does; see `agree` for what must be true afterwards. Subclasses name their database."""

    using = "default"
    other = "other"

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Item] = []
        self.blocks: list[Any] = []
        self.log = ChangeLog(self.using)
        self.logs = [self.log, ChangeLog(self.other)]
        self.unnoticed: list[tuple[int, int]] = []
        self.deletions: list[tuple[int, int]] = []
        for log in self.logs:
            connections[log.using].close()
            connections[log.using].connect()  # out of all blocks, however the program before has ended
            empty(log)
            Owner(pk=KEEPER).save(using=log.using, force_insert=True)
        self.capture = capture_events()
        self.events: CapturedEvents = self.capture.__enter__()
        self.acting = identify(usr="u-1")
        self.acting.__enter__()

    def teardown(self) -> None:
        try:
            while self.blocks:
                self.blocks.pop().__exit__(None, None, None)
            agree(self.logs, self.events, self.unnoticed, self.deletions)
        finally:
            self.acting.__exit__(None, None, None)
            self.capture.__exit__(None, None, None)

    # what there is

    @property
    def rows(self) -> QuerySet[Item]:
        return TrackedQuerySet(Item, using=self.using)

    def hold(self, item: Item) -> None:
        self.held = [*self.held[-3:], item]

    def let_go(self, item: Item) -> None:
        """Let go this object, and no other one of the same row."""
        self.held = [other for other in self.held if other is not item]

    def one(self, number: int) -> Item | None:
        return self.held[number % len(self.held)] if self.held else None

    def any_of(self, model: Any, number: int) -> Any:
        found = list(model._base_manager.using(self.using).order_by("pk")[:4])
        return found[number % len(found)] if found else model._base_manager.using(self.using).create()

    @initialize()
    def begins(self) -> None:
        for name in ("a", "b"):
            Owner.objects.using(self.using).create(name=name)
        self.makes(model=0, given={}, owner=0, note="")

    # rows

    @rule(model=index, given=values, owner=index, note=st.sampled_from(["", "", "again", "raise"]))
    def makes(self, model: int, given: dict[str, Any], owner: int, note: str) -> None:
        kind = (Item, Item, QuickItem, Gift)[model]
        whose = self.any_of(Owner, owner)
        item = kind(**given, owner=whose, keeper=whose, shelf=self.any_of(Shelf, owner), note=note)
        with suppress(Meddled):
            item.save(using=self.using)
        self.hold(item)

    @rule(number=index, only=st.sampled_from([(), ("note",), ("status",)]))
    def loads(self, number: int, only: tuple[str, ...]) -> None:
        pk = self.any_of(Item, number).pk
        rows: Any = Item._base_manager.using(self.using)
        self.hold((rows.only(*only) if only else rows).get(pk=pk))

    @rule(number=index, given=values, note=st.sampled_from(["", "", "again", "raise"]))
    def saves(self, number: int, given: dict[str, Any], note: str) -> None:
        self.save(self.assigned(number, given, note))

    @rule(number=index, given=values, name=st.sampled_from(["status", "total", "note", "stock"]))
    def saves_in_part(self, number: int, given: dict[str, Any], name: str) -> None:
        self.save(self.assigned(number, given), update_fields=[name])

    @rule(number=index, given=values)
    def saves_in_async_code(self, number: int, given: dict[str, Any]) -> None:
        item = self.assigned(number, given)
        if self.is_there(item):
            self.forget_what_has_gone(item)
            async_to_sync(item.asave)(using=self.using)

    @rule(number=index, owner=index)
    def hands_over(self, number: int, owner: int) -> None:
        item = self.one(number)
        if item is not None:
            item.owner = self.any_of(Owner, owner)
            self.save(item)

    @rule(number=index)
    def saves_an_expression(self, number: int) -> None:
        item = self.one(number)
        if item is not None:
            item.total = F("total") + 1
            self.save(item)
            if hasattr(item.total, "resolve_expression"):
                item.total = 1  # for whatever is done with it next: only an update can compute

    @rule(number=index, onto=index)
    def saves_onto_another_row(self, number: int, onto: int) -> None:
        item, target = self.one(number), self.any_of(Item, onto)
        if item is not None and not isinstance(item, Gift):
            item.pk = target.pk
            self.save(item)

    @rule(number=index, given=values, how=st.sampled_from([copy.copy, copy.deepcopy, pickled]))
    def saves_a_copy(self, number: int, given: dict[str, Any], how: Callable[[Item], Item]) -> None:
        """Hold one more instance, which came of another."""
        item = self.one(number)
        if self.is_there(item):
            self.hold(how(item))
            self.save(self.assigned(len(self.held) - 1, given))

    @rule(number=index, given=values)
    def saves_as_a_new_row(self, number: int, given: dict[str, Any]) -> None:
        """Make another row of an instance, as Django's documentation says it."""
        item = self.one(number)
        if item is not None and not isinstance(item, Gift) and not item.get_deferred_fields():
            self.assigned(number, given)
            item.pk, item._state.adding = None, True
            self.forget_what_has_gone(item)
            item.save(using=self.using)

    @rule(number=index)
    def saves_what_it_has_deleted(self, number: int) -> None:
        item = self.one(number)
        if self.is_there(item) and not isinstance(item, Gift) and not item.get_deferred_fields():
            with self.deleting():
                item.delete(using=self.using)
            self.forget_what_has_gone(item)
            with suppress(Meddled):
                item.save(using=self.using)

    @rule(number=index, given=values)
    def saves_for_sure(self, number: int, given: dict[str, Any]) -> None:
        """Nothing at first, and then all by an UPDATE."""
        item = self.assigned(number, given)
        self.save(item, update_fields=[])
        self.save(item, force_update=True)

    @rule(number=index, given=values)
    def saves_the_default_of_the_database(self, number: int, given: dict[str, Any]) -> None:
        item = self.assigned(number, {**given, "stock": Item._meta.get_field("stock").get_default()})
        self.save(item)
        if item is not None:
            item.stock = 4  # for whatever is done with it next

    @rule(number=index)
    def saves_an_expression_in_part(self, number: int) -> None:
        item = self.one(number)
        if item is not None:
            item.stock, item.status = F("stock") + 1, "again"
            self.save(item, update_fields=["stock"])
            item.stock = 4

    @rule(number=index, given=values)
    def saves_in_vain(self, number: int, given: dict[str, Any]) -> None:
        """Fail by a key that is taken, in a block of its own."""
        pk = self.any_of(Item, number).pk
        with suppress(IntegrityError), transaction.atomic(using=self.using):
            self.save(self.assigned(number, given))
            Item(pk=pk, owner=None, keeper=None).save(using=self.using, force_insert=True)

    @rule(given=values, tag=index)
    def saves_beside_a_hook_that_fails(self, given: dict[str, Any], tag: int) -> None:
        """Somebody else's hook raises on commit, or perhaps before ours is called."""
        if self.blocks:
            return
        pk = self.any_of(Item, tag).pk

        def fail() -> None:
            raise RuntimeError

        with suppress(RuntimeError), transaction.atomic(using=self.using, durable=True):
            transaction.on_commit(fail, using=self.using)
            self.rows.filter(pk=pk).update(**given)

    @rule(given=values)
    def creates_in_async_code(self, given: dict[str, Any]) -> None:
        self.hold(async_to_sync(self.rows.acreate)(note="", **given))
        self.hold(async_to_sync(self.rows.abulk_create)([Item(**given)])[0])

    @rule(number=index)
    def deletes_in_async_code(self, number: int) -> None:
        item = self.one(number)
        if self.is_there(item):
            with self.deleting():
                async_to_sync(item.adelete)(using=self.using)
            self.let_go(item)

    @rule(number=index)
    def saves_into_another_database(self, number: int) -> None:
        item = self.assigned(number, {"total": 1})
        if self.is_there(item) and not isinstance(item, Gift):
            item.owner = item.keeper = item.shelf = None
            item.save(using=self.other)
            self.let_go(item)

    @rule(number=index, names=st.sampled_from([None, ("status",), ("total", "note")]))
    def refreshes(self, number: int, names: tuple[str, ...] | None) -> None:
        item = self.one(number)
        if self.is_there(item):
            item.refresh_from_db(using=self.using, fields=names)

    def assigned(self, number: int, given: dict[str, Any], note: str = "") -> Item | None:
        item = self.one(number)
        for name, value in ({**given, "note": note} if item is not None else {}).items():
            setattr(item, name, value)
        return item

    def save(self, item: Item | None, **options: Any) -> None:
        """Save a row that is there: what an instance writes that was deleted is a new row, or an error."""
        if self.is_there(item):
            self.forget_what_has_gone(item)
            with suppress(Meddled):
                item.save(using=self.using, **options)

    def forget_what_has_gone(self, item: Item) -> None:
        """Let an item point to nothing that was deleted: no database would take that."""
        for model, name in ((Owner, "owner_id"), (Owner, "keeper_id"), (Shelf, "shelf_id")):
            rows: Any = model._base_manager.using(self.using)
            if not rows.filter(pk=getattr(item, name)).exists():
                setattr(item, name, None)

    def is_there(self, item: Item | None) -> TypeGuard[Item]:
        rows = Item._base_manager.using(self.using)
        return item is not None and rows.filter(pk=item.pk).exists()

    # deletions

    @rule(number=index)
    def deletes(self, number: int) -> None:
        item = self.one(number)
        if item is not None and getattr(item, "pk", None) is not None:
            with self.deleting():
                item.delete(using=self.using)
            self.let_go(item)

    @rule(number=index, model=st.sampled_from([Item, Gift, Owner, Shelf, Tag]))
    def deletes_what_there_is(self, number: int, model: Any) -> None:
        """With its cascades, and what becomes null or the default by it."""
        with self.deleting():
            found = self.any_of(model, number)
            if model is not Owner or found.pk != KEEPER:
                found.delete()

    @rule(status=st.sampled_from(VALUES["status"]))
    def deletes_many(self, status: str) -> None:
        with self.deleting():
            self.rows.filter(status=status).delete()

    @rule()
    def deletes_all_owners(self) -> None:
        """At once, so that a row may point to several of them."""
        with self.deleting():
            Owner._base_manager.using(self.using).exclude(pk=KEEPER).delete()

    @contextmanager
    def deleting(self) -> Iterator[None]:
        first = self.log.last()
        yield
        self.deletions.append((first, self.log.last()))

    # many rows

    @rule(given=values)
    def creates_many(self, given: dict[str, Any]) -> None:
        made = self.rows.bulk_create([Item(**given), Item(status="sent")])
        self.hold(made[0])

    @rule(given=values)
    def updates_many_held(self, given: dict[str, Any]) -> None:
        items = {item.pk: item for item in self.held}
        for item in items.values():
            for name, value in given.items():
                setattr(item, name, value)
        self.rows.bulk_update(list(items.values()), list(given))

    @rule(
        given=values,
        narrow=st.sampled_from(
            [
                lambda rows: rows,
                lambda rows: rows.reverse(),
                lambda rows: rows.order_by("-owner__name"),
                lambda rows: rows.filter(owner__name="a"),
                lambda rows: rows.filter(tags__isnull=False),
                lambda rows: rows.exclude(status="new").select_related("owner"),
                lambda rows: rows.annotate(more=F("total") + 1).filter(more__gt=1).order_by("more"),
                lambda rows: rows.only("note").distinct(),
            ]
        ),
    )
    def updates(self, given: dict[str, Any], narrow: Callable[[Any], Any]) -> None:
        narrow(self.rows).update(**given)

    @rule()
    def updates_by_expressions(self) -> None:
        self.rows.filter(status__in=["new", "paid"]).update(
            total=F("total") + 1, status=Concat(F("status"), Value("!"))
        )

    @rule()
    def updates_values_by_expressions(self) -> None:
        """Of fields alone that no callable is asked about."""
        self.rows.exclude(status="sent").update(stock=F("stock") + 1)

    @rule(status=st.sampled_from(VALUES["status"]), given=values)
    def gets_or_creates(self, status: str, given: dict[str, Any]) -> None:
        if self.rows.filter(status=status).count() < 2:
            item, _ = self.rows.get_or_create(status=status, defaults={"note": "", **given})
            self.hold(item)

    @rule(number=index, given=values)
    def updates_or_creates(self, number: int, given: dict[str, Any]) -> None:
        """Which loads the row, locks it and saves it in part."""
        item, _ = self.rows.update_or_create(pk=self.any_of(Item, number).pk, defaults={"note": "", **given})
        self.hold(item)

    @rule(given=values, tag=index)
    def saves_when_committed(self, given: dict[str, Any], tag: int) -> None:
        """What is done on commit is after the block, or in that of a receiver."""
        pk = self.any_of(Item, tag).pk

        def act() -> None:
            with suppress(RuntimeError), transaction.atomic(using=self.using):
                self.rows.filter(pk=pk).update(**given)
                raise RuntimeError
            self.rows.filter(pk=pk).update(**given)

        with transaction.atomic(using=self.using):
            transaction.on_commit(act, using=self.using)

    @rule(number=index, given=values)
    def saves_what_it_has_locked(self, number: int, given: dict[str, Any]) -> None:
        with transaction.atomic(using=self.using):
            item = self.rows.select_for_update().order_by("pk").get(pk=self.any_of(Item, number).pk)
            item.note = ""
            for name, value in given.items():
                setattr(item, name, value)
            item.save(using=self.using)
        self.hold(item)

    @rule(owner=index, number=index)
    def adds_objects_one_by_one(self, owner: int, number: int) -> None:
        """`bulk=False` saves each."""
        item = self.any_of(Item, number)
        item.note = ""
        self.any_of(Owner, owner).items.add(item, bulk=False)

    @rule(owner=index, number=index)
    def creates_through_an_owner(self, owner: int, number: int) -> None:
        self.hold(self.any_of(Owner, owner).items.create(status="paid"))

    @rule(owner=index)
    def updates_in_async_code(self, owner: int) -> None:
        async_to_sync(self.rows.filter(owner=None).aupdate)(owner=self.any_of(Owner, owner))

    @rule(owner=index)
    def takes_away(self, owner: int) -> None:
        self.any_of(Owner, owner).items.clear()

    # relations

    @rule(number=index, tag=index, action=st.sampled_from(["add", "remove", "set", "clear"]))
    def tags(self, number: int, tag: int, action: str) -> None:
        self.relate(self.any_of(Item, number).tags, self.any_of(Tag, tag), action)

    @rule(number=index, tag=index, action=st.sampled_from(["add", "remove", "set", "clear"]))
    def tags_from_the_other_side(self, number: int, tag: int, action: str) -> None:
        self.relate(self.any_of(Tag, tag).item_set, self.any_of(Item, number), action)

    @rule(number=index, peer=index, action=st.sampled_from(["add", "remove", "set", "clear"]))
    def peers(self, number: int, peer: int, action: str) -> None:
        self.relate(self.any_of(Item, number).peers, self.any_of(Item, peer), action)

    @staticmethod
    def relate(manager: Any, other: Any, action: str) -> None:
        match action:
            case "set":
                manager.set([other])
            case "clear":
                manager.clear()
            case _:
                getattr(manager, action)(other)

    # transactions

    @precondition(lambda self: len(self.blocks) < 3)
    @rule()
    def enters_a_block(self) -> None:
        block = transaction.atomic(using=self.using)
        block.__enter__()
        self.blocks.append(block)

    @precondition(lambda self: self.blocks)
    @rule()
    def leaves_a_block(self) -> None:
        self.blocks.pop().__exit__(None, None, None)

    @precondition(lambda self: self.blocks)
    @rule()
    def fails(self) -> None:
        """Go on with the same instances after a rollback; rows that were made in it have gone."""
        error = RuntimeError()
        self.blocks.pop().__exit__(type(error), error, None)
        last = self.log.last()  # SQLite gives the numbers that were rolled back once more
        for spans in (self.unnoticed, self.deletions):
            spans[:] = [(first, min(until, last)) for first, until in spans]

    # what is not seen

    @unseen("Raw SQL")
    def by_raw_sql(self, status: str) -> None:
        with connections[self.using].cursor() as cursor:
            cursor.execute(f"UPDATE {Item._meta.db_table} SET status = %s", [status])  # noqa: S608 - a table's name

    by_raw_sql = rule(status=st.sampled_from(VALUES["status"]))(by_raw_sql)

    @unseen("Other managers")
    def by_another_manager(self, status: str) -> None:
        Item._base_manager.using(self.using).update(status=status)

    by_another_manager = rule(status=st.sampled_from(VALUES["status"]))(by_another_manager)

    @unseen("Adding to the other side of a foreign key")
    def by_the_other_side(self, owner: int, number: int) -> None:
        self.any_of(Owner, owner).items.add(self.any_of(Item, number))

    by_the_other_side = rule(owner=index, number=index)(by_the_other_side)

    @unseen("Fixtures")
    def by_fixtures(self, number: int, given: dict[str, Any]) -> None:
        item = self.any_of(Item, number)
        item.note = ""  # the row may still say that the receiver of others shall raise
        for name, value in given.items():
            setattr(item, name, value)
        item.save_base(raw=True, using=self.using)

    by_fixtures = rule(number=index, given=values)(by_fixtures)

    @unseen("Instances that were never loaded")
    def by_an_instance_never_loaded(self, number: int, given: dict[str, Any]) -> None:
        Item(pk=self.any_of(Item, number).pk, **given).save(using=self.using)

    by_an_instance_never_loaded = rule(number=index, given=values)(by_an_instance_never_loaded)

    @unseen("Rows of the table between")
    def by_the_table_between(self, number: int, tag: int) -> None:
        through: Any = Item.tags.through
        through._base_manager.using(self.using).get_or_create(item=self.any_of(Item, number), tag=self.any_of(Tag, tag))

    by_the_table_between = rule(number=index, tag=index)(by_the_table_between)

    @unseen("Inserts that may skip rows")
    def by_skipping_inserts(self) -> None:
        self.rows.bulk_create([Item(status="sent")], ignore_conflicts=True)

    by_skipping_inserts = rule()(by_skipping_inserts)

    @unseen("Inserts that may skip rows")
    def by_upserts(self, number: int, status: str) -> None:
        self.rows.bulk_create(
            [Item(pk=self.any_of(Item, number).pk, status=status)],
            update_conflicts=True,
            update_fields=["status"],
            unique_fields=["id"] if connections[self.using].vendor != "mysql" else None,
        )

    by_upserts = rule(number=index, status=st.sampled_from(VALUES["status"]))(by_upserts)

    @unseen("Migrations")
    def by_a_migration(self, number: int, status: str) -> None:
        state = ProjectState()
        for model in (Owner, Shelf, Tag, Item):
            state.add_model(ModelState.from_model(model))
        Historical: Any = state.apps.get_model("oracle", "Item")  # noqa: N806 - a class
        past = Historical._base_manager.using(self.using).get(pk=self.any_of(Item, number).pk)
        past.status = status
        past.save()

    by_a_migration = rule(number=index, status=st.sampled_from(VALUES["status"]))(by_a_migration)


def empty(log: ChangeLog) -> None:
    """Remove all rows, without a word."""
    for model in (Item.tags.through, Item.peers.through, Gift, Item, Owner, Shelf, Tag):
        rows: Any = model._base_manager.using(log.using)
        rows._raw_delete(log.using) if hasattr(rows, "_raw_delete") else rows.all()._raw_delete(log.using)
    log.clear()


def agree(
    logs: list[ChangeLog],
    events: CapturedEvents,
    unnoticed: list[tuple[int, int]],
    deletions: list[tuple[int, int]],
) -> None:
    """Hold what was told against what was written: each change once, in order, with its true old and new value."""
    written = Story()
    for log in logs:
        is_first = log is logs[0]
        written.read(log, unnoticed if is_first else [], deletions if is_first else [])
    told = Story()
    for event in (item for item in events if item.name.startswith("item.")):
        told.hear(event.name, event.attributes, logs[0].using)

    differences = [
        f"{name}: told {told.facts().get(name)}, written {written.facts().get(name)}"
        for name in told.facts().keys() | written.facts().keys()
        if told.facts().get(name) != written.facts().get(name)
    ]
    assert differences == [], "\n".join(sorted(differences))


_OF_ROW = {"INSERT": ("item.made", "item.listed"), "DELETE": ("item.gone", "item.left")}
"""The events of rows that come and go."""

_SAYING = ("item.listed", "item.left")
LISTED = ("data", "at", "keeper", "stock")
"""Fields whose events say what else the row has."""


class Story:
    """What became of rows."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, str, str]] = Counter()
        self.changes: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self.relations: Counter[tuple[str, str, str, str]] = Counter()

    def facts(self) -> dict[Any, Any]:
        """Return all of it."""
        parts: list[Any] = [self.rows, self.changes, self.relations]
        return {name: fact for part in parts for name, fact in part.items()}

    def hear(self, name: str, attributes: dict[str, Any], using: str) -> None:
        item = attributes.get("item", {})
        row = attributes["row"] if "row" in attributes else f"{item['place'] or using}/{item['id']}"
        said = row_said(item) if "status" in item else ""
        if name in ("item.made", "item.listed", "item.gone", "item.left"):
            self.rows[name, row, said] += 1
        for field, change in attributes.get("changed", {}).items():
            if "action" in change:
                action = "added" if change["action"] == "added" else "removed"
                self.relations.update((row, field, action, str(pk)) for pk in change["pks"])
            else:
                self.changes[row, field].append((normal(field, change["old"]), normal(field, change["new"]), said))

    def read(self, log: ChangeLog, unnoticed: list[tuple[int, int]], deletions: list[tuple[int, int]]) -> None:
        entries = list(log.entries())
        gone = {entry.old["id"]: entry.number for entry in entries if "id" in entry.old and entry.kind == "DELETE"}
        for entry in entries:
            if any(first < entry.number <= last for first, last in unnoticed):
                continue
            if "id" in (entry.old or entry.new):
                self._row(log.using, entry)
            elif not _goes_with_its_row(entry, gone, deletions):
                self._relation(log.using, entry)

    def _row(self, using: str, entry: Entry) -> None:
        row = f"{using}/{(entry.old or entry.new)['id']}"
        if entry.kind != "UPDATE":
            said = row_said(entry.new or entry.old)
            self.rows.update((name, row, said if name in _SAYING else "") for name in _OF_ROW[entry.kind])
            return
        for field in FIELDS:
            old, new = normal(field, entry.old[field]), normal(field, entry.new[field])
            if old != new:
                said = row_said(entry.new) if field in LISTED else ""
                self.changes[row, field].append((old, new, said))

    def _relation(self, using: str, entry: Entry) -> None:
        ends = entry.old or entry.new
        field = "tags" if "tags" in entry.table else "peers"
        action = "added" if entry.kind == "INSERT" else "removed"
        self.relations[f"{using}/{ends['item']}", field, action, ends["other"]] += 1


def _goes_with_its_row(entry: Entry, gone: dict[str, int], deletions: list[tuple[int, int]]) -> bool:
    """Tell whether an item that is deleted takes the row of its relation with it: its own deletion says so."""
    number = gone.get(entry.old.get("item", ""), 0)
    return any(first < entry.number <= last and first < number <= last for first, last in deletions)


def row_said(values: dict[str, Any]) -> str:
    """Return what an event says of the columns that it carries, or the row that it tells of."""
    return str({name: normal(name, values[name]) for name in SAID})


def normal(field: str, value: Any) -> Any:
    """Return a value in one form, whether it comes from an event or from a trigger of any database."""
    if value is None:
        return "null" if field == "data" else None
    match field:
        case "total":
            return str(Decimal(str(value)).quantize(Decimal("0.01")))
        case "data":
            return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
        case "at":
            moment = dt.datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()
    return str(value)
