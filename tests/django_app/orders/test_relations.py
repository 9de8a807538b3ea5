"""What comes into a many-to-many field and what leaves it, from either side."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from dd_pa import identify
from tests.django_app.conftest import Events
from tests.django_app.orders import models
from tests.django_app.orders.conftest import Told
from tests.django_app.orders.models import Article, Tag
from tests.django_app.views import ViewError


@pytest.fixture(autouse=True)
def _identified() -> object:
    with identify(usr="u-1"):
        yield


@pytest.fixture
def article(told: Told) -> Article:
    """An article with two tags."""
    article = Article.objects.create()
    article.tags.set([Tag.objects.create(name="red"), Tag.objects.create(name="green")])
    return article


def keys(article: Article) -> list[int]:
    return sorted(article.tags.values_list("pk", flat=True))


def tagged(action: str, pks: list[int]) -> tuple[str, Any]:
    return ("article.tagged", {"tags": {"action": action, "count": len(pks), "pks": pks}})


def test_forward(article: Article, told: Told) -> None:
    """Only what really came or went is told."""
    red, green = keys(article)
    blue = Tag.objects.create(name="blue")
    article.tags.add(red, blue)
    article.tags.remove(red)
    article.tags.remove(red)
    article.tags.set([green])
    article.tags.clear()
    article.tags.clear()

    assert told() == [
        tagged("added", [red, green]),
        tagged("added", [blue.pk]),
        tagged("removed", [red]),
        tagged("removed", [blue.pk]),
        tagged("cleared", [green]),
    ]


@pytest.mark.parametrize(
    ("change", "action"),
    [
        pytest.param(lambda manager, articles: manager.remove(*articles), "removed", id="remove"),
        pytest.param(lambda manager, articles: manager.clear(), "cleared", id="clear"),
    ],
)
def test_reverse(article: Article, events: Events, change: Callable[[Any, Any], None], action: str) -> None:
    """The articles tell it, each for itself."""
    other, tag = Article.objects.create(), Tag.objects.create(name="blue")
    before = len(events())
    tag.article_set.add(article, other)
    change(tag.article_set, [article, other])

    assert [(event["article"]["id"], event["changed"]["tags"]) for event in events()[before:]] == [
        (number, {"action": said, "count": 1, "pks": [tag.pk]})
        for said in ("added", action)
        for number in (article.pk, other.pk)
    ]


def test_rolled_back(article: Article, told: Told) -> None:
    """Nothing has changed."""
    told()
    with suppress(ViewError), transaction.atomic():
        article.tags.clear()
        raise ViewError

    assert told() == []


def test_many(article: Article, told: Told) -> None:
    """An event lists a hundred keys and counts the rest."""
    told()
    article.tags.clear()
    article.tags.set(Tag.objects.bulk_create(Tag(name=str(number)) for number in range(120)))

    [_, (_, changed)] = told()
    assert changed["tags"] == {"action": "added", "count": 120, "pks": keys(article)[:100]}


def test_fixtures_tell_nothing(article: Article, told: Told, tmp_path: Any) -> None:
    """`loaddata` sets relations with a signal that does not say so."""
    path = tmp_path / "articles.json"
    call_command("dumpdata", models.__name__.split(".")[-2], output=str(path), verbosity=0)
    Article.objects.all().delete()
    told()
    call_command("loaddata", str(path), verbosity=0)

    assert len(keys(Article.objects.get())) == 2
    assert told() == []
