"""The page's catalogue of the plan, and how an application tells its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.answers import refusal, reply
from dd_pa.emulator.http.connection import read_within
from dd_pa.emulator.http.guard import API
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.parameters import ParameterError, integer, json_object
from dd_pa.emulator.plan.document import MAX_BYTES, DeclaredEvent, Field, PlanFileError, Type, read, words
from dd_pa.emulator.plan.plans import Plans
from dd_pa.emulator.plan.tally import OffPlan, OffPlanTally
from dd_pa.emulator.query.sightings import Sighting, bodies, sightings
from dd_pa.emulator.warehouse.warehouse import Warehouse

_LONGEST = 200
_MOST_BODIES = 20_000
_NOTHING = OffPlan()


class PlanRoutes:
    """Tells the page what is declared, what was seen of it, and what was seen besides."""

    def __init__(self, plans: Plans, tally: OffPlanTally, warehouse: Warehouse) -> None:
        self._plans, self._tally, self._warehouse = plans, tally, warehouse

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        path = f"{API}/plan"
        return [
            Route(path, explaining(self._show), methods=["GET"]),
            Route(path, explaining(self._take), methods=["POST"]),
            Route(f"{API}/bodies", explaining(self._bodies), methods=["GET"]),
        ]

    async def _bodies(self, request: Request) -> Response:
        """Answer with the events themselves, one on each line: what a plan can be inferred from."""
        limit = integer(request.query_params, "limit", 1, _MOST_BODIES) or _MOST_BODIES
        found = await asyncio.to_thread(bodies, self._warehouse, limit)
        return Response("".join(f"{body}\n" for body in found), media_type="application/x-ndjson")

    async def _take(self, request: Request) -> Response:
        body = await read_within(request, MAX_BYTES)
        if body is None:
            return refusal(413, "a plan needs less text than that")
        told = json_object(body)
        key, service = _short(told, "key"), _short(told, "service")
        try:
            events = await asyncio.to_thread(read, told.get("plan"))
        except (PlanFileError, RecursionError) as error:
            raise ParameterError(f"the plan cannot be read: {error}") from None
        self._plans.tell(key, service, events)
        return reply({"revision": self._plans.revision})

    async def _show(self, request: Request) -> Response:
        return reply(await asyncio.to_thread(self._catalogue))

    def _catalogue(self) -> dict[str, object]:
        declared = self._plans.declared
        if not declared:
            return {"revision": 0, "events": [], "undeclared": []}
        seen, off = sightings(self._warehouse), self._tally.found()
        return {
            "revision": self._plans.revision,
            "events": [
                {**_said(declared[name]), **_seen(seen.get(name)), **_off(off.get(name, _NOTHING))}
                for name in sorted(declared)
            ],
            "undeclared": [
                {"name": name, "nearest": self._plans.nearest(name), **_seen(sighting)}
                for name, sighting in seen.items()
                if name not in declared
            ],
        }


def _short(told: Mapping[str, object], name: str) -> str:
    found = told.get(name)
    if not isinstance(found, str) or len(found) > _LONGEST:
        raise ParameterError('a plan is told as {"key": …, "service": …, "plan": the content of its lock file}')
    return found


def _said(versions: Sequence[DeclaredEvent]) -> dict[str, object]:
    """Return what is declared of one name; where applications differ, what each of them says."""
    return {
        "name": versions[0].name,
        "description": "\n\n".join(_distinct(version.description for version in versions)),
        "owner": ", ".join(_distinct(version.owner for version in versions)),
        "deprecated": next((version.deprecated for version in versions if version.deprecated), None),
        "source": ", ".join(_distinct(version.source for version in versions)),
        "fields": _together([list(_fields(version.fields, "")) for version in versions]),
    }


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))


def _together(versions: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the fields of all versions; one that is not the same everywhere has each one's types."""
    found: dict[str, list[dict[str, Any]]] = {}
    for field in (field for fields in versions for field in fields):
        found.setdefault(field["path"], []).append(field)
    everywhere = set[str](found).intersection(*({field["path"] for field in fields} for fields in versions))
    return [
        {
            **same[-1],
            "types": " or ".join(_distinct(field["types"] for field in same)),
            "required": path in everywhere and all(field["required"] for field in same),
            "personal": any(field["personal"] for field in same),
        }
        for path, same in found.items()
    ]


def _fields(fields: Mapping[str, Field], path: str) -> Iterator[dict[str, Any]]:
    for name, field in fields.items():
        where = f"{path}.{name}" if path else name
        yield {
            "path": where,
            "types": words(field.types),
            "required": field.required,
            "description": field.description,
            "personal": field.personal,
            "deprecated": field.deprecated,
        }
        for kind in field.types:
            yield from _inside(kind, where)


def _inside(kind: Type, path: str) -> Iterator[dict[str, Any]]:
    yield from _fields(kind.fields, path)
    for item in kind.items:
        yield from _inside(item, f"{path}[]" if kind.kind == "list" else f"{path}.*")


def _seen(sighting: Sighting | None) -> dict[str, object]:
    if sighting is None:
        return {"count": 0, "last_ms": None, "services": []}
    return {"count": sighting.times, "last_ms": sighting.last_ms, "services": sighting.services}


def _off(off: OffPlan) -> dict[str, object]:
    problems = sorted(off.problems.items(), key=lambda pair: -pair[1])
    return {"off_plan": off.count, "problems": [list(pair) for pair in problems], "last_off": off.last or None}
