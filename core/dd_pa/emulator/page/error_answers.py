"""Say what was wrong with a request of the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from dd_pa.emulator.http.answers import refusal, reply, title_of
from dd_pa.emulator.live.selection import SearchTimeoutError
from dd_pa.emulator.page.parameters import ParameterError
from dd_pa.emulator.search.search import SearchError
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.query_deadline import QueryTimeoutError

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def explaining(handler: Handler) -> Handler:
    """Answer 400 with the reason, and the place in the search, where a handler does not understand the request."""

    async def explained(request: Request) -> Response:
        try:
            return await handler(request)
        except SearchError as error:
            problem = {"status": "400", "title": title_of(400), "detail": error.reason, "column": error.column}
            return reply({"errors": [problem]}, 400)
        except SearchTimeoutError:
            return refusal(400, "the search took too long; ask again to go on")
        except ParameterError as error:
            return refusal(400, str(error))
        except WarehouseError as error:
            return refusal(503, str(error))
        except QueryTimeoutError:
            return refusal(400, "the search of older events took too long: ask for a shorter time range")

    return explained
