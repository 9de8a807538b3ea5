"""What the page's reports need besides the queries: the facets there are, saved views and kept segments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.answers import refusal, reply
from dd_pa.emulator.http.connection import read_within
from dd_pa.emulator.http.guard import API
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.parameters import ParameterError, json_object
from dd_pa.emulator.query.kept_segments import MAX_FILE, KeptSegments, SegmentsError
from dd_pa.emulator.warehouse.named_file import NamedFile, NotKeptError
from dd_pa.emulator.warehouse.warehouse import Warehouse

_MAX_BODY = 16 * 1024


class Reports:
    """Routes of the page's reports."""

    def __init__(self, warehouse: Warehouse, saved: NamedFile[str], segments: KeptSegments) -> None:
        self._warehouse = warehouse
        self._saved = saved
        self._segments = segments

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        return [
            Route(f"{API}/facets", explaining(self._facets), methods=["GET"]),
            Route(f"{API}/views", self._views, methods=["GET"]),
            Route(f"{API}/views", explaining(self._save), methods=["POST"]),
            Route(f"{API}/views/{{name:path}}", self._delete, methods=["DELETE"]),
            Route(f"{API}/segments", self._known, methods=["GET"]),
            Route(f"{API}/segments", explaining(self._keep), methods=["POST"]),
            Route(f"{API}/segments/{{name:path}}", self._forget, methods=["DELETE"]),
        ]

    async def _facets(self, request: Request) -> Response:
        catalogue = await asyncio.to_thread(self._warehouse.catalogue)
        return reply({"facets": [f"@{path}" for path in sorted(catalogue.paths())]})

    async def _views(self, request: Request) -> Response:
        return reply(self._shown())

    def _shown(self) -> dict[str, object]:
        return {"views": [{"name": view.name, "address": view.kept} for view in self._saved.all()]}

    async def _save(self, request: Request) -> Response:
        body = await read_within(request, _MAX_BODY)
        if body is None:
            return refusal(413, "a view needs less text than that")
        wanted = json_object(body)
        with _said():
            await asyncio.to_thread(self._saved.keep, wanted.get("name"), wanted.get("address"))
        return reply(self._shown(), 201)

    async def _delete(self, request: Request) -> Response:
        await asyncio.to_thread(self._saved.forget, request.path_params["name"])
        return Response(status_code=204)

    async def _known(self, request: Request) -> Response:
        return reply({"segments": self._segments.all()})

    async def _keep(self, request: Request) -> Response:
        body = await read_within(request, MAX_FILE)
        if body is None:
            return refusal(413, f"a segment has at most {MAX_FILE:,} bytes")
        wanted = json_object(body)
        with _said():
            await asyncio.to_thread(self._segments.keep, wanted.pop("name", None), wanted)
        return reply({"segments": self._segments.all()}, 201)

    async def _forget(self, request: Request) -> Response:
        await asyncio.to_thread(self._segments.forget, request.path_params["name"])
        return Response(status_code=204)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Say why something cannot be kept."""
    try:
        yield
    except (NotKeptError, SegmentsError) as error:
        raise ParameterError(str(error)) from None
