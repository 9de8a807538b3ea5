"""Classes that are written: of events that were seen, and of other tools' plans."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa import Deprecated, PlanError
from dd_pa.capture.attributes import RESERVED
from dd_pa.cli.events import command
from dd_pa.emulator import Emulator
from dd_pa.emulator.plan.document import read
from dd_pa.emulator.plan.judge import differences
from dd_pa.plan import lock_file, registry, wire
from dd_pa.plan.class_source import classes
from dd_pa.plan.foreign_plans import foreign_plan
from dd_pa.plan.inference import infer
from dd_pa.plan.model import Field, Plan, PlannedEvent, Type
from dd_pa.plan.schema_export import json_schema
from tests.emulator.test_plan import event
from tests.plan.test_oracle import EVENTS

GOLDEN = Path(__file__).parents[1] / "typing" / "written_events.py"
TEXT, NULL, NUMBER = Type(kind="text"), Type(kind="null"), Type(kind="number")


@contextmanager
def written(plan: Plan) -> Iterator[Mapping[str, PlannedEvent]]:
    """Run the classes of a plan as a module; yields what they declare."""
    module = ModuleType("written_classes")
    sys.modules[module.__name__] = module
    try:
        exec(compile(classes(plan, "a test"), "<written>", "exec"), module.__dict__)  # noqa: S102 - what is tested
        yield {name: found.planned for name in plan.events if (found := registry.find(name))}
    finally:
        del sys.modules[module.__name__]
        module.__dict__.clear()


NAMES = st.sampled_from(
    ["x", "id", "list", "class", "a-b", "a_b", "A b", "_x", "1", "dt", "Struct", "self", "é", "name"]
)


@given(EVENTS, st.lists(NAMES, min_size=2, max_size=2, unique=True))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_classes_declare_their_plan(fields: dict[str, Field], names: list[str]) -> None:
    """Whatever it is, and whatever its fields are called."""
    plan = Plan({"written.x": PlannedEvent(name="written.x", fields=dict(zip(names, fields.values(), strict=True)))})

    with written(plan) as found:
        assert found["written.x"].fields == plan.events["written.x"].fields


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9)
    | st.sampled_from(["a", "EUR", "2026-11-27", "2026-11-27T10:00:00Z"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abc"), inside, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "currency"]), JSON, max_size=3), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_seen_is_on_the_plan(bodies: list[dict[str, Any]]) -> None:
    """Of what is inferred, say both our check and the emulator's, which share nothing."""
    plan = infer({"event": {"name": "written.seen"}, **body} for body in bodies)
    check = wire.decoder("seen", plan.events["written.seen"].fields).decode
    [theirs] = read(json.loads(lock_file.encoded(plan)))

    for body in bodies:
        check(json.dumps(body).encode())
        assert differences(body, theirs.fields) == []


def test_what_is_inferred() -> None:
    """Presence, formats, enumerations, money, mappings; structure and other tools' own properties are left out."""
    prices = [{"amount": 1.5, "currency": "EUR"}, {"amount": 2, "currency": "CHF"}]
    many = [
        {
            "type": "server", "usr": {"id": "u"}, "event": {"name": "written.bought"}, "price": prices[number % 2],
            "at": "2026-11-27T10:00:00+01:00", "day": "2026-11-27", "state": ("new", "paid")[number % 2],
            "stock": {f"sku-{number}-{i}": i for i in range(9)}, **({"coupon": "X"} if number else {}),
        }
        for number in range(40)
    ]  # fmt: skip
    other = {"event": "written.other", "properties": {"$lib": "web", "plan": None}}
    plan = infer([*many, other, 1, {}, {"event": {}}])
    fields = plan.events["written.bought"].fields

    assert list(plan.events) == ["written.bought", "written.other"]
    assert plan.events["written.other"].fields == {"plan": Field(types=(NULL,))}
    assert fields["coupon"] == Field(types=(TEXT,), required=False)
    assert fields["day"].types == (Type(kind="text", format="date"),)
    assert fields["at"].types == (Type(kind="text", format="date-time"),)
    assert fields["state"].types == (Type(kind="text", values=("new", "paid")),)
    assert fields["stock"].types == (Type(kind="map", items=(Type(kind="integer"),)),)
    assert "price: Money" in classes(plan, "a test")


def whole_plan() -> Plan:
    """Return a plan that has one of each thing that can be written."""
    line = Type(kind="object", fields={"sku": Field(types=(TEXT,)), "count": Field(types=(Type(kind="integer"),))})
    currency = Type(kind="text", limits={"pattern": "^[A-Z]{3}$"})
    money = Type(kind="object", fields={"amount": Field(types=(NUMBER,)), "currency": Field(types=(currency,))})
    fields = {
        "order": Field(
            types=(Type(kind="object", fields={"lines": Field(types=(Type(kind="list", items=(line,)),))}),)
        ),
        "lines": Field(types=(Type(kind="list", items=(line,)),), required=False),
        "price": Field(types=(money,), description='What is "paid".'),
        "state": Field(types=(NULL, Type(kind="text", values=("new", "paid"))), required=False),
        "day": Field(types=(Type(kind="text", format="date"),)),
        "id": Field(types=(Type(kind="text", format="uuid"),)),
        "count": Field(types=(Type(kind="integer", limits={"minimum": 1, "maximum": 9}),)),
        "email": Field(types=(TEXT,), personal=True),
        "class": Field(types=(Type(kind="any"),), required=False),
        "stock": Field(types=(Type(kind="map", items=(NUMBER,)),), deprecated=Deprecated("2027-01-31", use="count")),
    }
    paid = PlannedEvent(
        name="written.order_paid",
        fields=fields,
        description='A customer has paid.\n\nWith "money".',
        owner="payments",
        deprecated=Deprecated("2027-01-31", use="written.settled"),
    )
    return Plan({paid.name: paid, "written.settled": PlannedEvent(name="written.settled")})


def test_what_is_written() -> None:
    """As it stands in a module that mypy and pyright check with the others; and it declares what it was written of."""
    plan = whole_plan()
    text = classes(plan, "`dd-pa events import`")

    assert text == GOLDEN.read_text()
    with written(plan) as found:
        for name, expected in plan.events.items():
            assert found[name].fields == expected.fields
            assert (found[name].description, found[name].owner) == (expected.description, expected.owner)
            assert found[name].deprecated == expected.deprecated


def test_reserved_names() -> None:
    """They are said, and not written."""
    assert "version" in RESERVED
    text = classes(Plan({"written.r": PlannedEvent(name="written.r", fields={"version": Field(types=(TEXT,))})}), "x")

    assert text.endswith(
        "class WrittenR(Event, name=\"written.r\"):\n    # 'version' is a reserved name: choose another\n    pass\n"
    )


SCHEMA: dict[str, Any] = {
    "title": "written.schema",
    "description": "As a schema.",
    "required": ["total"],
    "properties": {
        "total": {"type": ["number", "null"], "minimum": 0, "maxLength": 5},
        "state": {"enum": ["new", "paid", None]},
        "line": {"$ref": "#/definitions/line"},
        "at": {"type": "string", "format": "date-time"},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "definitions": {
        "line": {"allOf": [{"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}]},
    },
}  # fmt: skip
TRACK = {
    "type": "object",
    "properties": {"properties": {"type": "object", "required": ["plan"], "properties": {"plan": {"type": "string"}}}},
}
SEGMENT = {
    "data": {
        "rules": [
            {"type": "TRACK", "key": "Plan Chosen", "version": 1, "jsonSchema": TRACK},
            {"type": "PAGE", "key": "x"},
        ]
    }
}
OLD_SEGMENT = {"rules": {"events": [{"name": "Plan Chosen", "description": "Chosen.", "version": 1, "rules": TRACK}]}}
GROUPS = {"results": [{"name": "Plans", "properties": [
    {"name": "plan", "property_type": "String", "is_required": True, "description": "Which."},
    {"name": "price", "property_type": "Numeric"},
], "events": [{"id": "1", "name": "Plan Chosen"}]}]}  # fmt: skip
DEFINITIONS = {"results": [{"name": "Plan Chosen", "description": "Chosen."}, {"name": "$pageview"}]}


def test_json_schema_is_imported() -> None:
    """Types, formats, enumerations, references; and what we export ourselves."""
    fields = foreign_plan(SCHEMA).events["written.schema"].fields
    sku = Type(kind="object", fields={"sku": Field(types=(TEXT,))})

    assert fields == {
        "total": Field(types=(NULL, Type(kind="number", limits={"minimum": 0}))),
        "state": Field(types=(NULL, Type(kind="text", values=("new", "paid"))), required=False),
        "line": Field(types=(sku,), required=False),
        "at": Field(types=(Type(kind="text", format="date-time"),), required=False),
        "counts": Field(types=(Type(kind="map", items=(Type(kind="integer"),)),), required=False),
    }
    again = foreign_plan(json_schema(whole_plan()))
    assert list(again.events) == list(whole_plan().events)
    assert (
        again.events["written.order_paid"].fields["count"] == whole_plan().events["written.order_paid"].fields["count"]
    )
    with written(again) as found:
        assert found["written.order_paid"].owner == "payments"


@pytest.mark.parametrize(
    ("document", "fields", "description"),
    [
        (SEGMENT, {"plan": Field(types=(TEXT,))}, ""),
        (OLD_SEGMENT, {"plan": Field(types=(TEXT,))}, "Chosen."),
        (
            GROUPS,
            {"plan": Field(types=(TEXT,), description="Which."), "price": Field(types=(NUMBER,), required=False)},
            "",
        ),
        (DEFINITIONS, {}, "Chosen."),
    ],
    ids=["segment", "segment-before", "posthog-groups", "posthog-definitions"],
)
def test_other_tools(document: dict[str, Any], fields: dict[str, Field], description: str) -> None:
    """Their events with their properties; what is no event of a server is left out."""
    plan = foreign_plan(document)

    assert plan.events == {"Plan Chosen": PlannedEvent(name="Plan Chosen", fields=fields, description=description)}
    assert 'class PlanChosen(Event, name="Plan Chosen"):' in classes(plan, "x")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "this is no plan that is known"),
        ({"rules": []}, "this is no plan that is known"),
        ({"title": "a", "properties": {"b": {"$ref": "other.json"}}}, "other.json: leads out of the document"),
        ({"title": "a", "properties": {"b": {"$ref": "#/no"}}}, "#/no: leads nowhere"),
        ({"title": "a", "properties": {"b": {"$ref": "#/properties/b"}}}, "refers to itself"),
    ],
    ids=str,
)
def test_what_is_no_plan(document: object, problem: str) -> None:
    """It says why."""
    with pytest.raises(PlanError) as error:
        foreign_plan(document)

    assert problem in str(error.value)


def test_commands(tmp_path: Path) -> None:
    """From the emulator, from files, from other tools' plans; and what is wrong."""

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(command, arguments)
        return done.exit_code, done.output

    line = json.dumps(event("written.line", x=1))
    (tmp_path / "events.ndjson").write_text(f"{line}\n\n{line}\n")
    (tmp_path / "bad.ndjson").write_text("{}\n{\n")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    emulator = Emulator()
    with emulator.running() as url:
        nothing = run("infer", "--emulator", url)
        httpx.post(
            f"{url}/api/v2/prodlytics", json=json.loads(line), headers={"dd-api-key": "a" * 32}
        ).raise_for_status()
        asked = run("infer", "--emulator", url)
    expected = 'class WrittenLine(Event, name="written.line"):\n    x: int\n'

    assert nothing[0] == 1
    assert "there is no event: send some to the emulator" in nothing[1]
    assert asked[1].endswith(expected)
    assert run("infer", str(tmp_path / "events.ndjson"), "--output", str(tmp_path / "events.py")) == (0, "")
    assert (tmp_path / "events.py").read_text() == asked[1]
    assert "line 2 is no JSON" in run("infer", str(tmp_path / "bad.ndjson"))[1]
    assert (
        "does not answer (ConnectError): start it with dd-pa emulator"
        in run("infer", "--emulator", "http://127.0.0.1:9")[1]
    )
    assert 'class WrittenSchema(Event, name="written.schema"):' in run("import", str(tmp_path / "schema.json"))[1]
    assert "trailing characters" in run("import", str(tmp_path / "events.ndjson"))[1]


def test_a_pattern_beside_a_list_does_no_damage() -> None:
    """A decoder of msgspec of such a union breaks the process when it is freed, so there must be none."""
    program = """
import gc
from dd_pa.plan import wire
from dd_pa.plan.model import Field, Type
code, more = Type(kind="text", limits={"pattern": "^[A-Z]+$"}), Type(kind="list", items=(Type(kind="any"),))
for _ in range(60):
    wire.decoder("x", {"code": Field(types=(code, more))}).decode(b'{"code": []}')
    gc.collect()
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
