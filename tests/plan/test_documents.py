"""The catalogue and the exports: what people and other tools read of a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator, Draft202012Validator
from msgspec import Meta, Struct

from dd_pa import Deprecated, Emitter, Event, Money, Personal
from dd_pa.plan.catalogue import markdown
from dd_pa.plan.catalogue_page import page
from dd_pa.plan.model import Field, Plan, PlannedEvent, Type
from dd_pa.plan.schema_export import asyncapi, json_schema
from dd_pa.testing import events_of
from tests.core import wire

Make = Callable[..., Emitter]


class Line(Struct):
    sku: Annotated[str, Meta(pattern="^[a-z]+$")]
    price: Money | None = None


@dataclass
class Address:
    city: Personal[str]


class Placed(Event, name="docs.order placed/~%", owner="shop", deprecated=Deprecated("2027-01-31", use="docs.paid")):
    """A customer has `placed` an order.

    Paid or not.
    """

    lines: list[Line]
    state: Literal["new", "paid"]
    email: Personal[str]
    friends: list[Personal[str]] | None
    address: Address
    counts: dict[str, int]
    note: Annotated[str, Deprecated("2027-02-28"), Meta(description="As typed.")] = ""
    total: Annotated[Decimal, Meta(ge=0)] | None = None


class Seen(Event, name="docs.seen"):
    pass


PLAN = Plan({str(kind.__schema__.name): kind.__schema__.planned for kind in (Placed, Seen)})
SCHEMA = json_schema(PLAN)
VALIDATOR = Draft202012Validator(SCHEMA)
HOSTILE = "<script>alert(1)</script> | `x` [a](javascript:b) *c*\n\n# d"


@pytest.mark.parametrize("personal", ["omit", "hash", "send"])
def test_each_event_on_the_wire_is_as_the_schema_says(personal: str) -> None:
    """Whatever becomes of personal data. Another name or value is not."""
    key = {"personal_data_key": "k" * 32} if personal == "hash" else {}
    emitter = Emitter(wire.settings(strict=True, personal_data=personal, **key))

    @given(events_of(Placed))
    @settings(max_examples=40, deadline=None)
    def is_valid(event: Placed) -> None:
        built = emitter.integration.build(event, usr="u-1")
        assert built is not None
        body = json.loads(built.body)
        assert list(VALIDATOR.iter_errors(body)) == []
        assert [error.json_path for error in VALIDATOR.iter_errors(body | {"state": "lost"})] == ["$.state"]
        assert not VALIDATOR.is_valid(body | {"event": {"name": "docs.other"}})

    is_valid()


def test_the_schema_is_one() -> None:
    """Of the draft that it names; each definition by itself too."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"].keys() == {"docs.order placed/~%", "docs.seen"}
    placed = SCHEMA["$defs"]["docs.order placed/~%"]
    assert placed["required"] == ["event", "lines", "state", "address", "counts"]
    assert placed["deprecated"] is True
    assert placed["x-owner"] == "shop"
    assert placed["properties"]["email"]["x-personal-data"] is True
    assert placed["properties"]["note"]["description"] == "As typed.\n\nDeprecated until 2027-02-28."


def test_asyncapi() -> None:
    """Each reference leads somewhere, and schemas are of the draft that AsyncAPI takes where none is named.

    Its own JSON Schema is in no package for Python; its parser for JavaScript found nothing in this document.
    """
    document = asyncapi(PLAN)
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))

    assert document["asyncapi"] == "3.0.0"
    assert document.keys() == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    assert len(references) == 5
    for reference in references:
        found: Any = document
        for part in reference.split("/"):
            found = found[part]
    for schema in document["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
    assert all(re.fullmatch("[a-zA-Z0-9._-]+", key) for key in document["components"]["messages"])
    message = document["components"]["messages"]["docs.order_placed___"]
    assert (message["name"], message["summary"]) == ("docs.order placed/~%", "A customer has `placed` an order.")
    assert asyncapi(PLAN)["info"] == document["info"] != asyncapi(Plan({}))["info"]


def test_markdown() -> None:
    """Overview, personal data, deprecations, and each event with its fields."""
    text = markdown(PLAN)

    assert "| `docs.order placed/~%` | A customer has `placed` an order. | shop |" in text
    assert "| `docs.order placed/~%` | `address.city` |" in text
    assert "| `docs.order placed/~%` | the event | 2027-01-31 | `docs.paid` |" in text
    assert "**Deprecated until 2027-01-31, use docs.paid.**" in text
    assert "| `lines[].sku` | a text; pattern ^\\[a-z\\]+$ | always |  |" in text
    assert "| `note` | a text; deprecated until 2027-02-28 | may be left out | As typed. |" in text
    assert "| `state` | one of 'new', 'paid' | always |  |" in text
    assert text.index("## shop") < text.index("## no owner")


class Tags(HTMLParser):
    """Holds the names of tags, and of the attributes in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_what_is_declared_is_text() -> None:
    """And no markup, wherever it stands."""
    values = Type(kind="text", values=(HOSTILE,))
    fields = {HOSTILE: Field(types=(values,), description=HOSTILE, personal=True)}
    gone = Deprecated("2027-01-31", use=HOSTILE)
    odd = PlannedEvent(name=HOSTILE, fields=fields, description=HOSTILE, owner=HOSTILE, source=HOSTILE, deprecated=gone)
    plan = Plan({HOSTILE: odd})
    text, found = markdown(plan), Tags(page(plan))

    assert found.names == Tags(page(PLAN)).names
    assert found.attributes == Tags(page(PLAN)).attributes
    assert not re.search(r"^# d", text, re.MULTILINE)
    assert not re.search(r"(?<![\\`])<script", re.sub(r"`[^`\n]+`", "", text))


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the terminal or a file; of modules or of a lock file."""
    from click.testing import CliRunner  # noqa: PLC0415

    from dd_pa.cli.events import command  # noqa: PLC0415
    from dd_pa.plan import lock_file  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    lock_file.write(tmp_path / "plan.json", PLAN)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(command, arguments)
        return done.exit_code, done.output

    assert run("catalogue", "--lock", "plan.json") == (0, markdown(PLAN))
    assert run("catalogue", "--lock", "plan.json", "--output", "plan.html") == (0, "")
    assert (tmp_path / "plan.html").read_text() == page(PLAN)
    assert json.loads(run("export", "--lock", "plan.json")[1]) == SCHEMA
    assert json.loads(run("export", "--lock", "plan.json", "--format", "asyncapi")[1]) == asyncapi(PLAN)
    assert "docs.seen" in run("catalogue", __name__)[1]
    assert run("catalogue", "--lock", "none.json") == (
        1, "Error: none.json: is not there; write it with dd-pa events check --update\n"
    )  # fmt: skip
    assert "cannot be written" in run("export", "--lock", "plan.json", "--output", "no/plan.json")[1]
