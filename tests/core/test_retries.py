from __future__ import annotations

from dd_pa import Event
from dd_pa.delivery.retries import Retries


def event(name: str) -> Event:
    """Return an event whose id is its name."""
    return Event(id=name, name=name, occurred_at=0, body=b"{}")


def test_the_longest_due_comes_first() -> None:
    """Whatever the order in which attempts failed."""
    retries = Retries()
    for name, due in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        retries.add(event(name), due)

    popped = [retries.pop(10.0) for _ in range(4)]

    assert [found and found.id for found in popped] == ["a", "b", "c", None]


def test_what_is_not_due_stays() -> None:
    """An event is not tried again before its time."""
    retries = Retries()
    retries.add(event("a"), 5.0)

    assert (retries.pop(4.99), len(retries)) == (None, 1)
    assert retries.pop(5.0) == event("a")
    assert not retries


def test_events_due_together_keep_their_order() -> None:
    """Events themselves are never compared."""
    retries = Retries()
    for name in ("b", "a", "c"):
        retries.add(event(name), 1.0)

    assert [retries.pop(1.0) for _ in range(3)] == [event("b"), event("a"), event("c")]


def test_failures_are_counted_until_forgotten() -> None:
    """The count of an event lasts as long as the event."""
    retries = Retries()
    counts = [retries.failed(event("a"), 0)[0] for _ in range(3)]
    retries.forget(event("a"))

    assert (counts, retries.failed(event("a"), 0)[0]) == ([1, 2, 3], 1)


def test_an_event_fails_alone_when_others_arrived_since() -> None:
    """The first failure never counts as one of its own; the next does if something was delivered in between."""
    retries = Retries()

    assert [retries.failed(event("a"), delivered) for delivered in (7, 7, 8, 8, 20)] == [
        (1, False),
        (2, False),
        (3, True),
        (4, False),
        (5, True),
    ]


def test_all_can_be_made_due_in_order() -> None:
    """For the last attempt before the end."""
    retries = Retries()
    for number, due in enumerate((900.0, 5.0, 60.0, 7.0, 1.0)):
        retries.add(event(str(number)), due)
    retries.all_due_now()
    retries.add(event("later"), 50.0)

    popped = [retries.pop(1.0) for _ in range(6)]

    assert [found and found.id for found in popped] == ["0", "1", "2", "3", "4", None]
    assert len(retries) == 1
