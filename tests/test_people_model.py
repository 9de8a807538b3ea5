"""A model of who acts: random programs of requests, blocks, jobs, late tasks and abandoned generators.

Each event names exactly whom the model names, in every framework; and the application's own user stays who he is.
`MODEL_EXAMPLES` sets how many programs each framework runs.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import tests.django_app.conftest  # noqa: F401 - sets Django up
from dd_pa import Emitter, identify
from dd_pa.gateways import asgi as dd_asgi
from dd_pa.gateways import wsgi as dd_wsgi
from dd_pa.jobs import IdentityCarrier, bind
from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics
from tests.core.wire import settings

from django.http import HttpRequest, HttpResponse  # isort: skip
from django.test import AsyncRequestFactory, RequestFactory, override_settings  # isort: skip

from dd_pa_django import get_emitter, track  # isort: skip
from dd_pa_django.middleware import ProductAnalyticsMiddleware  # isort: skip

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "8"))

Person = tuple[str | None, str | None, str | None]
NOBODY: Person = (None, None, None)
Program = list[tuple[Any, ...]]


@dataclass(eq=False)
class Frame:
    """Something that the program is inside of."""

    person: Person
    is_base: bool
    is_whole: bool = False
    is_open: bool = True


@dataclass(eq=False)
class Later:
    """A task or thread that was started there, to run at any time."""

    frames: list[Frame]
    context: Context | None
    run: Callable[[Callable[[], None]], None]


def completed(inner: Person, outer: Person, *, is_request: bool) -> Person:
    """Put two statements together, if they can be about one person."""
    if inner[0] is not None and outer[0] is not None and inner[0] != outer[0]:
        return inner
    account = None if is_request and inner[0] is not None and outer[0] is None else outer[1]
    return inner[0] or outer[0], inner[1] or account, inner[2] or outer[2]


def in_force(frames: list[Frame]) -> Iterator[Frame]:
    """Yield the open blocks from the innermost, down to the request or job, which ends it, open or not."""
    for frame in reversed(frames):
        if frame.is_open or frame.is_base:
            yield frame
        if frame.is_base:
            return


def named(frames: list[Frame], given: Person) -> Person:
    """Return whom an event names that is tracked here."""
    found, is_innermost = given, True
    for frame in in_force(frames):
        if frame.is_base:
            return completed(found, frame.person, is_request=True) if frame.is_open else found
        if is_innermost:  # what it says of those around it, it has said when it began
            found = completed(found, frame.person, is_request=False)
            if frame.is_whole:
                return found
        is_innermost = False
    return found


def begun(frames: list[Frame], stated: Person, *, whole: bool) -> Frame:
    """Return a block that begins here, with what it has of the block around it."""
    around = next(in_force(frames), None)
    if around is None or around.is_base:
        return Frame(stated, is_base=False, is_whole=whole)
    person = stated if whole else completed(stated, around.person, is_request=False)
    return Frame(person, is_base=False, is_whole=whole or around.is_whole)


def person_of(user: str | None) -> Person:
    return (user, f"account of {user}", f"session of {user}") if user else (None, "account", "session")


class World:
    """One framework: how it serves a request, and how events are tracked in it."""

    def __init__(self, emitter: Emitter, tracks: Callable[..., Any], serve: Callable[[str | None, Any], None]) -> None:
        self.emitter, self.tracks, self.serve = emitter, tracks, serve


@dataclass
class Run:
    """One program that runs in one world."""

    world: World
    expected: list[Person] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)

    def program(self, program: Program, frames: list[Frame]) -> None:
        for name, *arguments in program:
            getattr(self, name)(frames, *arguments)

    def inside(self, frame: Frame, program: Program, frames: list[Frame]) -> None:
        try:
            self.program(program, [*frames, frame])
        finally:
            frame.is_open = False

    def event(self, frames: list[Frame], usr: str | None, session: str | None) -> None:
        self.expected.append(named(frames, (usr, None, session)))
        self.world.tracks("x.y", {"n": len(self.expected)}, usr=usr, session=session)

    def request(self, frames: list[Frame], user: str | None, program: Program) -> None:
        frame = Frame(person_of(user), is_base=True)
        self.world.serve(user, lambda: self.program(program, [*frames, frame]))
        frame.is_open = False

    def block(self, frames: list[Frame], usr: str | None, account: str | None, whole: bool, program: Program) -> None:
        frame = begun(frames, (usr, account, None), whole=whole)
        with identify(usr=usr, account=account, inherit=not whole):
            self.inside(frame, program, frames)

    def job(self, frames: list[Frame], user: str | None, program: Program) -> None:
        carrier = IdentityCarrier(self.world.emitter)
        header: str | None = "1.forged.{}"
        if user is not None:
            usr, account, session = person_of(user)
            with identify(usr=usr, account=account, session=session):
                header = carrier.header("t", "1")
        with carrier.restored(header, "t", "1"):
            self.inside(Frame(NOBODY if user is None else person_of(user), is_base=True), program, frames)

    def start(self, frames: list[Frame], is_bound: bool) -> None:
        if not is_bound:
            context = copy_context()
            self.later.append(Later(frames, context, context.run))
            return
        kept = [Frame(each.person, each.is_base, each.is_whole, each.is_open) for each in frames]
        self.later.append(Later(kept, None, bind(lambda call: call())))

    def go_on(self, frames: list[Frame], index: int) -> None:
        if self.later:
            later = self.later[index % len(self.later)]
            run = lambda: later.run(lambda: self.event(later.frames, None, None))  # noqa: E731
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()

    def abandon(self, frames: list[Frame], usr: str) -> None:
        def rows() -> Iterator[int]:
            with identify(usr=usr):
                yield 1

        def elsewhere() -> None:
            with identify(usr="of another thread"):
                keeper = SimpleNamespace(rows=rows())
                keeper.me = keeper
                next(keeper.rows)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        gc.collect()


def bodies() -> st.SearchStrategy[Program]:
    users = st.sampled_from(["alice", "bob", None])
    event = st.tuples(st.just("event"), users, st.sampled_from([None, "s-1"]))
    small = st.one_of(
        event,
        event,
        st.tuples(st.just("start"), st.booleans()),
        st.tuples(st.just("go_on"), st.integers(0, 3)),
        st.tuples(st.just("abandon"), st.sampled_from(["alice", "carol"])),
    )

    def nested(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
        return st.lists(
            st.one_of(
                small,
                st.tuples(st.just("request"), users, inner),
                st.tuples(st.just("block"), users, st.sampled_from([None, "acme"]), st.booleans(), inner),
                st.tuples(st.just("job"), st.sampled_from(["alice", None]), inner),
            ),
            min_size=1,
            max_size=5,
        )

    return st.recursive(st.lists(small, min_size=1, max_size=3), nested, max_leaves=12)


CONFIG = {
    "USER_ID": lambda request: request.headers.get("X-Who") or None,
    "ACCOUNT_ID": lambda request: person_of(request.headers.get("X-Who") or None)[1],
    "SESSION_ID": lambda request: person_of(request.headers.get("X-Who") or None)[2],
}


def asgi() -> World:
    config: dict[str, Any] = {
        "account_id": lambda scope: person_of(scope["who"])[1],
        "session_id": lambda scope: person_of(scope["who"])[2],
    }
    made = settings(job_secret="s3cret", **config)
    emitter = Emitter(made, identity=dd_asgi.request_identity(made, user_id=lambda scope: scope["who"]))

    def serve(user: str | None, view: Callable[[], None]) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            view()

        coroutine: Any = dd_asgi.ProductAnalyticsMiddleware(app)({"type": "http", "who": user}, None, None)  # type: ignore[arg-type]
        with pytest.raises(StopIteration):
            coroutine.send(None)

    return World(emitter, emitter.track, serve)


def wsgi() -> World:
    config: dict[str, Any] = {
        "account_id": lambda environ: person_of(environ["who"])[1],
        "session_id": lambda environ: person_of(environ["who"])[2],
    }
    made = settings(job_secret="s3cret", **config)
    emitter = Emitter(made, identity=dd_wsgi.request_identity(made, user_id=lambda environ: environ["who"]))

    def serve(user: str | None, view: Callable[[], None]) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            view()
            yield b""

        body: Any = dd_wsgi.ProductAnalyticsMiddleware(app)({"who": user}, lambda *_: None)
        list(body)
        body.close()

    return World(emitter, emitter.track, serve)


def django() -> World:
    def serve(user: str | None, view: Callable[[], None]) -> None:
        def answer(request: HttpRequest) -> HttpResponse:
            request.user = "theirs"  # type: ignore[assignment]
            view()
            assert request.user == "theirs"  # type: ignore[comparison-overlap]
            return HttpResponse()

        ProductAnalyticsMiddleware(answer)(RequestFactory().get("/", headers={"X-Who": user or ""}))

    return World(get_emitter(), track, serve)


def django_async() -> World:
    def serve(user: str | None, view: Callable[[], None]) -> None:
        async def answer(request: HttpRequest) -> HttpResponse:
            view()
            return HttpResponse()

        middleware: Any = ProductAnalyticsMiddleware(answer)
        with pytest.raises(StopIteration):
            middleware(AsyncRequestFactory().get("/", headers={"X-Who": user or ""})).send(None)

    return World(get_emitter(), track, serve)


def flask() -> World:
    app, analytics = Flask("shop"), ProductAnalytics()
    views: list[Callable[[], None]] = []
    app.config.from_mapping(DD_PA_APPLICATION_ID="shop", DD_PA_API_KEY="k", DD_PA_SPOOL_DIR=None, SECRET_KEY="s3cret")
    app.config.update({f"DD_PA_{name}": resolver for name, resolver in CONFIG.items()})
    analytics.init_app(app)

    @app.get("/")
    def view() -> str:
        views.pop()()
        return "ok"

    def serve(user: str | None, view: Callable[[], None]) -> None:
        views.append(view)
        assert app.test_client().get("/", headers={"X-Who": user or ""}).text == "ok"

    emitter: Emitter = app.extensions["dd_pa"].emitter
    return World(emitter, emitter.track, serve)


@pytest.mark.parametrize("make", [asgi, wsgi, django, django_async, flask])
def test_who_acts(make: Callable[[], World]) -> None:
    """Every event of every program names whom the model names, or nobody where it names nobody."""
    given_settings = {"APPLICATION_ID": "shop", "API_KEY": "k", "SPOOL_DIR": None, "STRICT": True, **CONFIG}
    with override_settings(DD_PA=given_settings, SECRET_KEY="s3cret"):
        world = make()

        @given(bodies())
        @hypothesis_settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        def check(program: Program) -> None:
            run = Run(world)
            with capture_events(world.emitter) as events:
                copy_context().run(run.program, program, [])
                for index in range(len(run.later)):
                    run.go_on([], index)
            found = {event.attributes["n"]: (event.usr, event.account, event.session) for event in events}
            assert found == {n: who for n, who in enumerate(run.expected, 1) if who != NOBODY}

        check()
