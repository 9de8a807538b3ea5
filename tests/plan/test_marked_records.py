"""Whatever a class marks as personal data is treated, wherever a value of it is, and however its library writes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, computed_field, model_serializer

from dd_pa import Emitter, Event, Personal, PlanError
from dd_pa.capture.pseudonym import pseudonym
from tests.plan.test_tracking import attributes_of

Make = Callable[..., Emitter]

ADA = "ada@example.com"


class Mail(RootModel[Personal[str]]):
    """A model of one value."""


class Mails(RootModel[list[Personal[str]]]):
    """A model of one list."""


class Aliased(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    mail: Personal[str] = Field(serialization_alias="eMail")


class Computed(BaseModel):
    age: int = 3

    @computed_field  # type: ignore[prop-decorator]
    @property
    def mail(self) -> Personal[str]:
        return ADA


class Model(BaseModel):
    age: int = 3


class MarkedModel(Model):
    mail: Personal[str] = ADA


class Tree(BaseModel):
    """No plan has a class that holds itself."""

    mail: Personal[str] = ADA
    leaves: list[Tree] = []


class Holder(BaseModel):
    inner: tuple[MarkedModel, ...] = (MarkedModel(),)


@dataclasses.dataclass
class Data:
    age: int = 3


@dataclasses.dataclass
class MarkedData(Data):
    mail: Personal[str] = ADA


class Plain(msgspec.Struct):
    age: int = 3


class MarkedPlain(Plain):
    mail: Personal[str] = ADA
    more: dict[str, Personal[str]] = msgspec.field(default_factory=lambda: {"x": ADA})


class Seen(Event, name="test.marked.seen"):
    one: Mail | None = None
    several: Mails | None = None
    aliased: Aliased | None = None
    computed: Computed | None = None
    model: Model | None = None
    data: Data | None = None
    plain: Plain | None = None
    listed: list[Plain] = msgspec.field(default_factory=list)
    either: Data | Plain | None = None
    anything: Any = None


KINDS = [
    pytest.param("one", Mail(ADA), None, id="RootModel"),
    pytest.param("several", Mails([ADA]), None, id="RootModel of a list"),
    pytest.param("aliased", Aliased(mail=ADA), {}, id="alias"),
    pytest.param("computed", Computed(), {"age": 3}, id="computed field"),
    pytest.param("model", MarkedModel(), {"age": 3}, id="model of a subclass"),
    pytest.param("data", MarkedData(), {"age": 3}, id="dataclass of a subclass"),
    pytest.param("plain", MarkedPlain(), {"age": 3}, id="struct of a subclass"),
    pytest.param("listed", [MarkedPlain(), Plain()], [{"age": 3}, {"age": 3}], id="in a list"),
    pytest.param("listed", MarkedPlain(), {"age": 3}, id="where a list should be"),
    pytest.param("either", MarkedData(), {"age": 3}, id="one of two classes"),
    pytest.param("anything", {"x": [MarkedPlain()]}, {"x": [{"age": 3}]}, id="in anything"),
    pytest.param("anything", Holder(), {"inner": [{"age": 3}]}, id="in a model in anything"),
    pytest.param("anything", Tree(leaves=[Tree()]), {}, id="a tree"),
    pytest.param("anything", Mail(ADA), None, id="RootModel in anything"),
]


@pytest.mark.parametrize(("field", "value", "left"), KINDS)
def test_marks_are_heeded_everywhere(make: Make, field: str, value: Any, left: Any) -> None:
    """The rest is sent."""
    attributes = attributes_of(make(strict=False), Seen(**{field: value}))

    assert (attributes.get(field), "ada" in repr(attributes)) == (left, False)


@pytest.mark.parametrize(("field", "value", "left"), KINDS)
def test_hashes_are_those_of_the_values(make: Make, field: str, value: Any, left: Any) -> None:
    """Once, as in every other event; or nothing, where one hash could not say what was marked."""
    hashing = make(strict=False, personal_data="hash", personal_data_key="k")
    shown = repr(attributes_of(hashing, Seen(**{field: value})))

    assert "ada" not in shown
    assert pseudonym("k", ADA) in shown or field == "anything"


@pytest.mark.parametrize(("field", "value", "left"), KINDS)
def test_they_are_sent_where_the_setting_says_so(make: Make, field: str, value: Any, left: Any) -> None:
    """As they are."""
    assert ADA in repr(attributes_of(make(strict=False, personal_data="send"), Seen(**{field: value})))


def test_a_model_that_writes_itself_is_refused() -> None:
    """What it writes of a mark nobody can tell."""

    class Written(BaseModel):
        mail: Personal[str]

        @model_serializer
        def written(self) -> dict[str, str]:
            return {"m": self.mail}

    with pytest.raises(PlanError, match="serializer of its own"):

        class Sent(Event, name="test.marked.sent"):
            value: Written


@pytest.mark.parametrize(
    ("field", "value"), [("model", MarkedModel()), ("data", MarkedData()), ("plain", MarkedPlain())]
)
def test_what_is_not_declared_is_off_the_plan(make: Make, field: str, value: Any) -> None:
    """As the emulator says, whichever library encodes it; nothing is lost of what may be sent."""
    emitter = make(strict=False, personal_data="send")

    assert attributes_of(emitter, Seen(**{field: value}))[field]["mail"] == ADA
    assert emitter.stats().off_plan == 1
