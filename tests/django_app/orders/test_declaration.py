"""What may be declared, and what becomes of callables that fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models.signals import post_init, post_save, pre_delete, pre_save
from django.test import Client, RequestFactory

from dd_pa import EventError, Identity, identify
from dd_pa_django import get_emitter, track_model
from dd_pa_django.identity import serving
from dd_pa_django.model_events import registry
from tests.django_app.conftest import Configure, Events
from tests.django_app.orders.models import Article, Message, Order

WRONG: list[Any] = [
    pytest.param({}, TypeError, "needs the name of an event", id="nothing"),
    pytest.param({"created": 1}, TypeError, "are texts", id="name"),
    pytest.param({"created": "a.b", "attributes": "text"}, TypeError, "give a list", id="attributes"),
    pytest.param({"updated": {"txet": "a.b"}}, ValueError, "Message has no field 'txet'", id="field"),
    pytest.param({"created": "a.b", "attributes": ["txet"]}, ValueError, "Message has no field 'txet'", id="attribute"),
]


@contextmanager
def declared(model: Any, **options: Any) -> Iterator[None]:
    """Track a model until the end of the block; applications do so for good."""
    track_model(model, **options)
    try:
        yield
    finally:
        del registry._declared[model]
        for heir in (model, *model.__subclasses__()):
            for signal in (post_init, pre_save, post_save, pre_delete):
                signal.disconnect(sender=heir, dispatch_uid="dd_pa_django.model_events")
            registry._follow(registry._watch(heir))


@pytest.mark.parametrize(("options", "error", "text"), WRONG)
def test_wrong_declaration(options: dict[str, Any], error: type[Exception], text: str) -> None:
    """Fails where it stands, with the name and the fix, and leaves nothing behind."""
    with pytest.raises(error, match=text):
        track_model(Message, **options)

    assert not registry._declared[Message]


@pytest.mark.parametrize(
    ("model", "options", "text"),
    [
        pytest.param(Session, {"attributes": ["pk"]}, "'session', which is reserved; give a callable", id="reserved"),
        pytest.param(Article, {"attributes": ["tags"]}, "is no column; give a callable", id="relation"),
        pytest.param(Order, {"updated": {"giftorder": "a.b"}}, "no value that could be followed", id="reverse"),
    ],
)
def test_declaration_that_cannot_be_sent(model: Any, options: dict[str, Any], text: str) -> None:
    """Found when the site starts, not when the first row is written."""
    before = list(registry._declared[model])
    with pytest.raises(ValueError, match=text):
        track_model(model, **{"created": "a.b", **options})

    assert registry._declared[model] == before


def test_only_models_can_be_declared() -> None:
    """A manager, or a class that is none."""
    with pytest.raises(TypeError, match="is for model classes"):
        track_model(created="a.b")(str)  # type: ignore[type-var]  # what a checker refuses too


def test_declaration_in_ready(events: Events) -> None:
    """For a model of another app, as a call."""
    with (
        declared(Message, created="message.sent", attributes={"channel": "mail"}, identity=lambda _: {"usr": "u-1"}),
        identify(account="acme"),
    ):
        Message.objects.create()

    assert events() == [
        {
            "event": {"name": "message.sent"},
            "usr": {"id": "u-1"},
            "account": {"id": "acme"},
            "channel": "mail",
        }
    ]


def test_when_decides(events: Events) -> None:
    """By the instance as it was written."""
    with (
        declared(Message, created="message.sent", updated={"text": "message.edited"}, when=lambda item: item.text),
        identify(usr="u-1"),
    ):
        message = Message.objects.create()
        message.text = "hello"
        message.save()

    assert [event["event"]["name"] for event in events()] == ["message.edited"]


def test_callable_of_the_instance(events: Events) -> None:
    """Its `changed` cannot hide the real one."""
    with (
        declared(
            Message, updated={"text": "message.edited"}, attributes=lambda item: {"size": len(item.text), "changed": 1}
        ),
        identify(usr="u-1"),
    ):
        message = Message.objects.create()
        message.text = "hello"
        message.save()

    [event] = events()
    assert (event["size"], event["changed"]) == (5, {"text": {"old": "", "new": "hello"}})


def test_transitions_and_callables_that_see_the_change(events: Events) -> None:
    """An event for a new value; its callables know the event and what was before."""
    with declared(
        Message,
        updated={"text": {"hello": "message.greeted", "bye": "message.ended"}},
        when=lambda item, name, change: change["text"]["old"] != "bye",
        attributes=lambda item, name: {"ends": name == "message.ended"},
        label="mail",
    ):
        message = Message.objects.create()
        with identify(usr="u-1"):
            for text in ("hello", "else", "bye", "hello"):
                message.text = text
                message.save()

    assert [(event["event"]["name"], event["ends"]) for event in events()] == [
        ("message.greeted", False),
        ("message.ended", True),
    ]


def fail(item: Any) -> Any:
    raise LookupError(item)


@pytest.mark.parametrize("name", ["attributes", "when", "identity"])
def test_failing_callable(configure: Configure, name: str) -> None:
    """Strict mode raises out of the save; otherwise the row is written and the event counted."""
    with declared(Message, created="message.sent", **{name: fail}), identify(usr="u-1"):
        with pytest.raises(LookupError):
            Message.objects.create()
        configure(STRICT=False)
        message = Message.objects.create()

    assert Message.objects.filter(pk=message.pk).exists()
    assert get_emitter().stats().dropped == {"invalid": 1}


def test_attributes_of_a_wrong_shape(configure: Configure) -> None:
    """Break no save, for an event with changes either."""
    configure(STRICT=False)
    with declared(Message, updated={"text": "message.edited"}, attributes=lambda _: ["text"]), identify(usr="u-1"):
        message = Message.objects.create()
        message.text = "hello"
        message.save()

    assert Message.objects.get(pk=message.pk).text == "hello"
    assert get_emitter().stats().dropped == {"invalid": 1}


@pytest.mark.parametrize("given", [{"user": "u-1"}, ["usr"], "u-1"])
def test_identity_of_a_wrong_shape(given: Any) -> None:
    """Is a mistake, not nobody."""
    with declared(Message, created="message.sent", identity=lambda _: given), pytest.raises(TypeError, match="usr"):
        Message.objects.create()


def test_wrong_id() -> None:
    """As in `track()`."""
    with (
        declared(Message, created="message.sent", identity=lambda _: {"usr": ""}),
        pytest.raises(EventError, match="usr: must have"),
    ):
        Message.objects.create()


@pytest.mark.parametrize("consent", [False, True])
def test_consent_of_the_owner(events: Events, consent: bool) -> None:
    """`identity` may say that this person does not want events."""
    with declared(Message, created="message.sent", identity=lambda _: Identity(usr="u-1", consent=consent)):
        Message.objects.create()

    assert len(events()) == consent


@pytest.mark.parametrize(("consent", "count"), [(False, 0), (True, 1)])
def test_consent_of_who_acts(configure: Configure, events: Events, consent: bool, count: int) -> None:
    """Somebody else's row does not get around the visitor's no."""
    configure(CONSENT=lambda request: consent)
    request = RequestFactory().get("/")
    request.user = User(pk=7)
    with declared(Message, created="message.sent", identity=lambda _: {"usr": "u-1"}), serving(request):
        Message.objects.create()

    assert len(events()) == count


@pytest.mark.parametrize("logged_in", [True, False])
def test_session_of_a_request(ada: User, configure: Configure, events: Events, logged_in: bool) -> None:
    """The visitor's own row, or that of a customer whom an administrator serves."""
    session = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
    configure(SESSION_ID=lambda request: session)
    request = RequestFactory().get("/")
    request.user = ada
    owner = str(ada.pk) if logged_in else "somebody else"
    with declared(Message, created="message.sent", identity=lambda _: {"usr": owner}), serving(request):
        Message.objects.create()

    [event] = events()
    assert (event["usr"]["id"], event.get("session")) == (owner, {"id": session} if logged_in else None)


def test_identity_is_that_of_the_request(ada_client: Client, ada: User, events: Events) -> None:
    """Through the real handler: a view that writes a row, in a transaction."""
    with declared(User, updated={"first_name": "user.renamed"}):
        assert ada_client.get("/renames_me/").status_code == 200

    assert [(event["event"]["name"], event["usr"]["id"]) for event in events()] == [("user.renamed", str(ada.pk))]
