"""The connection that is remembered is the one that Django has."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from django.db import connections

from dd_pa_django.database_connection import connection_of
from tests.django_app.orders.databases import alias_of

pytestmark = pytest.mark.usefixtures("_configured")


def test_each_thread_has_its_own(tmp_path: Path) -> None:
    """As in Django."""
    found = []

    def look() -> None:
        found.append((connection_of(alias), connections[alias]))
        connections[alias].close()

    with alias_of("sqlite", tmp_path) as alias:
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert [mine is djangos for mine, djangos in found] == [True, True]
    assert found[0][0] is not found[1][0]


def test_one_that_takes_its_place(tmp_path: Path) -> None:
    """Whether the former was closed or not, as soon as the new one is open."""
    with alias_of("sqlite", tmp_path) as alias:
        before = connection_of(alias)
        before.ensure_connection()
        del connections[alias]
        connections[alias].ensure_connection()

        assert connection_of(alias) is connections[alias] is not before
        before.close()


def test_one_that_was_closed(tmp_path: Path) -> None:
    """It may have been put aside."""
    with alias_of("sqlite", tmp_path) as alias:
        before = connection_of(alias)
        before.close()
        del connections[alias]

        assert connection_of(alias) is connections[alias] is not before


def test_a_copy_of_it_is_another(tmp_path: Path) -> None:
    """As one that listens for notifications is."""
    with alias_of("sqlite", tmp_path) as alias:
        own = connection_of(alias)
        own.ensure_connection()
        copy = own.copy()
        copy.ensure_connection()

        assert connection_of(alias) is own is connections[alias]
        copy.close()


def test_each_task_has_its_own(tmp_path: Path) -> None:
    """Where a loop runs, Django keeps connections by context; nothing of that is remembered for the thread."""

    async def look() -> bool:
        return connection_of(alias) is connections[alias]

    async def main() -> list[bool]:
        return list(await asyncio.gather(look(), look()))

    with alias_of("sqlite", tmp_path) as alias:
        own = connection_of(alias)

        assert asyncio.run(main()) == [True, True]
        assert connection_of(alias) is own
