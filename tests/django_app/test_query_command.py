"""`manage.py dd_pa_query` asks with the project's settings."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.query.api import counted, serving


def answered(*arguments: str, **options: Any) -> tuple[str, dict[str, Any], bytes]:
    """Return the output, what was asked, and the request's head."""
    api, out = serving(counted(42).content), io.StringIO()
    with api.running() as url, override_settings(DD_PA={**settings.DD_PA, "APP_KEY": "app-key-1", "API_URL": url}):
        call_command("dd_pa_query", *arguments, stdout=out, **options)
    [post] = api.posts
    return out.getvalue(), json.loads(post.body)["data"]["attributes"], post.head


def test_what_is_typed() -> None:
    """The options are those of `dd-pa query`, with their defaults."""
    out, asked, head = answered("order.placed", "--by", "@plan", "--by", "@country", "--limit", "3", "--last", "12h")

    assert "42" in out
    assert b"app-key-1" in head
    assert asked["to"] - asked["from"] == 12 * 3_600_000
    assert asked["query"]["group_by"] == [{"facet": "@plan", "limit": 3}, {"facet": "@country", "limit": 3}]


def test_what_a_program_passes() -> None:
    """By keyword."""
    out, asked, _ = answered("order.placed", compute="sum:@order.total", json=True)

    assert json.loads(out) == [{"value": 42}]
    assert asked["query"]["compute"] == {"aggregation": "sum", "metric": "@order.total"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["a", "--last", "soon"], "--last soon"), (["a"], "APP_KEY: is missing")],
)
def test_a_wrong_command(arguments: list[str], problem: str) -> None:
    """Ends with 2, and says why."""
    err = io.StringIO()

    with (
        pytest.raises(SystemExit) as caught,
        override_settings(DD_PA={**settings.DD_PA, "INTAKE_URL": "https://relay.example.com"}),
    ):
        call_command("dd_pa_query", *arguments, stderr=err)

    assert (caught.value.code, problem in err.getvalue()) == (2, True)


def test_an_unknown_option() -> None:
    """As with any command."""
    with pytest.raises(CommandError, match="unrecognized arguments: --frobnicate"):
        call_command("dd_pa_query", "a", "--frobnicate")
