"""users/query, users/event_filtered_query, accounts/query and facet_info."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from dd_pa.emulator.query.grouping import ordered
from dd_pa.emulator.query.people import Person, matching, passing, people
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.request_fields import Fields, facet_path
from dd_pa.emulator.search.predicates import anywhere_term, anywhere_words

MAX_HITS = 10_000
_DEFAULT_HITS = 50
_MAX_VALUES = 1_000


def users(request: Request) -> dict[str, Any]:
    """Return the users that a search finds."""
    return _found(request, "usr")


def accounts(request: Request) -> dict[str, Any]:
    """Return the accounts that a search finds."""
    return _found(request, "account")


def active_users(request: Request) -> dict[str, Any]:
    """Return the users that a search finds, of those who did something in a time range (given in seconds)."""
    attributes = request.attributes
    query = attributes.optional("event_query")
    condition = request.statement.search(query.search("query"))
    frame = query.optional("time_frame")
    start = frame.integer("start", 0, default=0) * 1000
    end = frame.integer("end", 0, default=request.now_ms // 1000 + 1) * 1000
    found = matching(
        request.statement,
        people(request.statement, "usr", f"{condition} AND {request.statement.between((start, end))}"),
        attributes.search("query"),
    )
    answer = _answer(attributes, found)
    if not attributes.flag("include_row_count"):
        del answer["total"]
    return answer


def _found(request: Request, kind: str) -> dict[str, Any]:
    attributes = request.attributes
    found = matching(request.statement, people(request.statement, kind), attributes.search("query"))
    term = attributes.text("wildcard_search_term", "").strip()
    if term:
        test = anywhere_term(f"*{term}*") if " " not in term else anywhere_words(term)
        found = passing(request.statement, found, test)
    return _answer(attributes, _sorted(found, attributes.optional("sort")))


def _sorted(found: list[Person], sort: Fields) -> list[Person]:
    field = sort.text("field", "")
    if not field:
        return found
    descending = sort.choice("order", ("ASC", "DESC", "asc", "desc"), "DESC").upper() == "DESC"
    return ordered(found, lambda person: person.body.get(field), descending=descending)


def _answer(attributes: Fields, found: list[Person]) -> dict[str, Any]:
    limit = attributes.integer("limit", 0, MAX_HITS, _DEFAULT_HITS)
    wanted = attributes.texts("select_columns")
    hits = [_hit(person, wanted) for person in found[:limit]]
    return {"hits": hits, "total": len(found)}


def _hit(person: Person, wanted: list[str]) -> dict[str, Any]:
    if not wanted:
        return {name: value for name, value in person.body.items() if "." not in name}
    return {name: person.body.get(facet_path(name)) for name in wanted}


def facets_of(kind: str) -> Callable[[Request], dict[str, Any]]:
    """Return the endpoint that says which values an attribute of users or accounts has."""

    def facet_info(request: Request) -> dict[str, Any]:
        attributes = request.attributes
        name = attributes.facet("facet_id")
        limit = attributes.integer("limit", 0, _MAX_VALUES)
        searched = attributes.optional("search").search("query")
        found = matching(request.statement, people(request.statement, kind), searched)
        values = [person.body[name] for person in found if person.body.get(name) is not None]
        if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            return {"result": {"range": {"min": min(values), "max": max(values)}}}
        term = attributes.optional("term_search").text("value", "").lower()
        counts = Counter(text for value in values if term in (text := str(value)).lower())
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return {"result": {"values": [{"value": value, "count": count} for value, count in ordered]}}

    return facet_info
