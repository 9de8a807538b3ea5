from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import uuid
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dd_pa import Emitter, EventError, Identity, bound_identity, identify
from dd_pa.capture.id_text import ID_LIMIT, NO_IDS, as_id
from dd_pa.capture.work import uninherited_work
from tests.core.attribute_values import HostileText, HostileUUID, Subtext
from tests.core.wire import parsed

Make = Callable[..., Emitter]


def ids(emitter: Emitter, **given_ids: Any) -> dict[str, str]:
    """Return the ids of an event that is built now."""
    built = emitter.integration.build("x.y", **given_ids)
    body = parsed(built.body) if built else {}
    return {name: body[name]["id"] for name in ("usr", "account", "session") if name in body}


class Source:
    """An identity source that notes what is read; what is given as an error is raised."""

    def __init__(self, **found: Any) -> None:
        self.read: list[str] = []
        self._found = found

    def __getattr__(self, name: str) -> Any:
        self.read.append(name)
        found = self._found.get(name)
        if isinstance(found, BaseException):
            raise found
        return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("user-1", "user-1", id="text"),
        pytest.param("x" * ID_LIMIT, "x" * ID_LIMIT, id="longest"),
        pytest.param("zoë@example.com", "zoë@example.com", id="unicode"),
        pytest.param(5, "5", id="number"),
        pytest.param(0, "0", id="zero"),
        pytest.param(-(2**63), "-9223372036854775808", id="smallest"),
        pytest.param(2**64 - 1, "18446744073709551615", id="largest"),
        pytest.param(uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
        pytest.param(Subtext("sub"), "sub", id="subclass-of-text"),
        pytest.param(HostileText("real"), "real", id="text-with-a-mind-of-its-own"),
        pytest.param(HostileUUID(int=1), "x", id="subclass-of-uuid"),
    ],
)
def test_ids_become_plain_texts(value: Any, text: str) -> None:
    """The API takes texts only; primary keys are numbers and UUIDs too."""
    found = as_id("usr", value)

    assert (type(found), found) == (str, text)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("marked" * 100, id="long"),
        pytest.param("marked\nforged", id="newline"),
        pytest.param("marked\x00", id="nul"),
        pytest.param("marked\ud800", id="surrogate"),
        pytest.param("marked\u202e", id="direction"),
        pytest.param(True, id="flag"),
        pytest.param(1.5, id="float"),
        pytest.param(2**64, id="65-bits"),
        pytest.param(10**10000, id="huge"),
        pytest.param(b"marked", id="bytes"),
        pytest.param(["marked"], id="list"),
        pytest.param(object(), id="object"),
    ],
)
def test_what_is_no_id(value: Any, make: Make) -> None:
    """Named by its path and never by its value; lenient mode goes on without it, and counts it as a repair."""
    with pytest.raises(EventError, match=r"^account: must ") as caught, identify(account=value):
        pytest.fail("the block must not begin")
    assert "marked" not in str(caught.value)
    with pytest.raises(EventError, match=r"^account: must "):
        make(strict=True).integration.build("x.y", usr="u-1", account=value)

    emitter = make()
    assert ids(emitter, usr="u-1", account=value, session="s-1") == {"usr": "u-1", "session": "s-1"}
    assert emitter.stats().repaired == 1


@pytest.mark.parametrize("text", sorted(NO_IDS))
def test_the_text_of_no_id_is_none(text: str, make: Make) -> None:
    """`str(request.user.pk)` of everybody who is not logged in would be one user; whoever is named alike is not."""
    with pytest.raises(EventError, match=rf"^usr: .*'{text}'"):
        make(strict=True).track("x.y", usr=text)

    emitter = make()
    assert ids(emitter, usr=text, account=f"{text}-1", session="s-1") == {"account": f"{text}-1", "session": "s-1"}
    assert emitter.stats().repaired == 1


def test_all_ids_may_be_bad(make: Make) -> None:
    """Then there is nobody to link to; that is no error."""
    emitter = make()

    assert ids(emitter, usr="", account=b"", session=True) == {}
    assert (emitter.stats().repaired, emitter.stats().dropped) == (3, {"unlinked": 1})


@given(st.text() | st.integers() | st.uuids() | st.binary() | st.floats() | st.none())
def test_no_id_fails_in_another_way(value: Any) -> None:
    """Whatever is given: a printable text within the limit, or an `EventError`."""
    try:
        found = as_id("usr", value)
    except EventError as error:
        found = error.path
    assert found.isprintable()
    assert 0 < len(found) <= ID_LIMIT


def test_the_nearest_id_wins(make: Make) -> None:
    """Explicit, then the innermost block, then the outer ones, then the identity callable; of one user only."""
    emitter = make(identity=lambda: Source(usr="login", account="tenant", session="browser"))

    assert ids(emitter) == {"usr": "login", "account": "tenant", "session": "browser"}
    with identify(usr="outer", account="outer"):
        with identify(usr="inner") as inner:
            assert inner == bound_identity() == Identity(usr="inner")
            assert ids(emitter, session="s") == {"usr": "inner", "session": "s"}
            assert ids(emitter, usr="explicit") == {"usr": "explicit"}
        assert ids(emitter) == {"usr": "outer", "account": "outer"}
        with identify(session="inner"):
            assert ids(emitter) == {"usr": "outer", "account": "outer", "session": "inner"}
    assert bound_identity() is None


def test_a_block_ends_with_an_error() -> None:
    """What it bound does not leak into the next request of the thread."""
    with pytest.raises(ZeroDivisionError), identify(usr="u-1"):
        _ = 1 / 0

    assert bound_identity() is None


def test_a_block_that_fails_to_begin_leaves_the_outer_one() -> None:
    """An id is checked before anything is bound."""
    with identify(usr="outer"):
        with pytest.raises(EventError), identify(usr=""):
            pytest.fail("the block must not begin")
        assert bound_identity() == Identity(usr="outer")


def test_threads_do_not_share_blocks() -> None:
    """A block is of one thread; a context can be taken along."""
    found: list[Identity | None] = []
    with identify(usr="u-1"):
        context = contextvars.copy_context()
        for target in (
            lambda: found.append(bound_identity()),
            lambda: context.run(lambda: found.append(bound_identity())),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert found == [None, Identity(usr="u-1")]


class InheritingThread(threading.Thread):
    """A thread as one is without a GIL: it begins in a copy of its starter's context."""

    def __init__(self, target: Callable[[], object]) -> None:
        super().__init__(target=target)
        self._context = contextvars.copy_context()

    def run(self) -> None:
        if sys.version_info >= (3, 14):  # it is begun in its context there
            super().run()
        else:
            self._context.run(super().run)


def test_a_thread_inherits_no_work() -> None:
    """One of a pool would work for the request that started it; it works for whom it is told to, as any other does."""
    found: list[Identity | bool | None] = []

    def work_on() -> None:
        seen = uninherited_work()
        found.append(seen is not None and seen.is_over)
        found.append(bound_identity())
        context.run(lambda: found.append(bound_identity()))
        context.run(lambda: found.append(uninherited_work() is begun))
        with identify(usr="u-2"):
            found.append(bound_identity())
        found.append(bound_identity())

    with identify(usr="u-1"):
        begun = uninherited_work()
        context = contextvars.copy_context()
        thread = InheritingThread(work_on)
        thread.start()
        thread.join()

    assert found == [True, None, Identity(usr="u-1"), True, Identity(usr="u-2"), None]


def test_tasks_do_not_share_blocks() -> None:
    """Each task of an event loop has its own, also when they take turns."""

    async def one(name: str, here: asyncio.Event, there: asyncio.Event) -> Identity | None:
        with identify(usr=name):
            here.set()
            await there.wait()
            return bound_identity()

    async def both() -> list[Identity | None]:
        first, second = asyncio.Event(), asyncio.Event()
        return list(await asyncio.gather(one("a", first, second), one("b", second, first)))

    assert asyncio.run(both()) == [Identity(usr="a"), Identity(usr="b")]


def test_a_generator_may_be_finished_elsewhere() -> None:
    """A streamed body that is closed in another context ends its block without an error of its own."""

    def body() -> Generator[str]:
        with identify(usr="u-1"):
            yield "chunk"

    chunks = body()
    contextvars.copy_context().run(next, chunks)
    contextvars.copy_context().run(chunks.close)

    assert bound_identity() is None


@pytest.mark.parametrize(
    ("explicit", "read"),
    [
        pytest.param({}, ["usr", "account", "session"], id="nothing"),
        pytest.param({"usr": "u"}, ["session", "account"], id="usr"),
        pytest.param({"usr": "u", "session": "s"}, ["account"], id="usr-and-session"),
        pytest.param({"usr": "u", "account": "a"}, ["session"], id="usr-and-account"),
    ],
)
def test_only_open_ids_are_pulled(explicit: dict[str, str], read: list[str], make: Make) -> None:
    """Reading `usr` may load a session and ask the database."""
    source = Source(usr="login")
    ids(make(identity=lambda: source), **explicit)

    assert source.read == read


def test_nothing_is_pulled_for_nothing(make: Make) -> None:
    """Not when every id is known, by argument or by block, not before an event is tracked, not when disabled."""

    def never() -> Source:
        pytest.fail("the identity was pulled")

    emitter = make(identity=never)
    with identify(account="a", session="s"):
        assert ids(emitter, usr="u") == {"usr": "u", "account": "a", "session": "s"}
    assert make(identity=never, enabled=False).integration.build("x.y") is None


def test_identity_is_of_the_moment_of_the_call(make: Make) -> None:
    """Each event asks anew: a login in the middle of a request counts from then on."""
    login: list[str | None] = [None]
    emitter = make(identity=lambda: Identity(usr=login[0], session="s"))

    assert ids(emitter) == {"session": "s"}
    login[0] = "u-1"
    assert ids(emitter) == {"usr": "u-1", "session": "s"}


@pytest.mark.parametrize(
    ("identity", "found", "repaired"),
    [
        pytest.param(lambda: None, {}, 0, id="nobody"),
        pytest.param(lambda: Source(usr=RuntimeError("marked"), account="a"), {"account": "a"}, 1, id="one-fails"),
        pytest.param(lambda: 1 / 0, {}, 1, id="callable-fails"),
        pytest.param(object, {}, 2, id="no-attributes"),
        pytest.param(lambda: Source(usr=b"marked", account=5), {"account": "5"}, 1, id="no-id"),
    ],
)
def test_a_failing_identity_gives_no_id(
    identity: Any, found: dict[str, str], repaired: int, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The event goes on without it where another id is known; the failure is counted, and logged by class only."""
    emitter = make(identity=identity)

    assert ids(emitter, session="s") == found | {"session": "s"}
    assert emitter.stats().repaired == repaired
    assert "marked" not in caplog.text


def test_a_failing_identity_is_shown_in_strict_mode(make: Make) -> None:
    """As it is, for its traceback."""
    with pytest.raises(ZeroDivisionError):
        make(identity=lambda: 1 / 0, strict=True).integration.build("x.y")
    with pytest.raises(LookupError):
        make(identity=lambda: Source(usr=LookupError()), strict=True).integration.build("x.y")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_the_end_of_the_process_is_not_held_up(error: type[BaseException], make: Make) -> None:
    """What is no `Exception` goes through, in lenient mode too."""
    with pytest.raises(error):
        make(identity=lambda: Source(usr=error())).integration.build("x.y")
