"""Streamed bodies are produced after the middleware has left: each chunk is made inside its request again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import cast

from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse

from dd_pa_django.identity import StreamedRequest


def keep_request(request: StreamedRequest, stream: StreamingHttpResponse) -> None:
    """Let the body of a response be produced as work for its request."""
    if getattr(stream, "file_to_stream", None) is not None:
        request.end()  # the server may send the file itself, past any iterator
        return
    # An abandoned generator is closed through these, and may track in its `finally`.
    closers: list[Callable[[], object]] = stream._resource_closers  # type: ignore[attr-defined]  # not in the stubs
    closers[:] = [_as_work_for(request, close) for close in closers]
    if stream.is_async:
        source: AsyncIterator[object] = stream._iterator  # type: ignore[attr-defined]  # not in the stubs
        chunks = AsyncChunks(request, aiter(cast("AsyncIterator[bytes]", stream.streaming_content)), source)
        closers.append(chunks.close)
        stream.streaming_content = chunks
    else:
        stream.streaming_content = Chunks(request, iter(cast("Iterator[bytes]", stream.streaming_content)))
    closers.append(request.end)


def _as_work_for(request: StreamedRequest, close: Callable[[], object]) -> Callable[[], None]:
    def close_as_work() -> None:
        with request.serving():
            close()

    return close_as_work


class Chunks:
    """A sync body. Between two chunks nothing of its request is left in the thread."""

    def __init__(self, request: StreamedRequest, chunks: Iterator[bytes]) -> None:
        self._request = request
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._request.serving():
            return next(self._chunks)


class AsyncChunks:
    """An async body. Between two chunks nothing of its request is left in the task."""

    def __init__(self, request: StreamedRequest, chunks: AsyncIterator[bytes], source: AsyncIterator[object]) -> None:
        self._request = request
        self._chunks = chunks
        self._source = source
        self._is_open = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._is_open = False
        with self._request.serving():
            chunk = await anext(self._chunks)
        self._is_open = True
        return chunk

    def close(self) -> None:
        """End a generator that was left in its middle, as Django does for sync ones but not for these.

        Else it would end whenever it is collected, perhaps inside another request. Django calls this in a thread;
        where an event loop runs, as in its test client, nothing is done.
        """
        aclose = getattr(self._source, "aclose", None)
        if self._is_open and aclose is not None and not _has_running_loop():
            self._is_open = False
            async_to_sync(self._aclose)(aclose)

    async def _aclose(self, aclose: Callable[[], Awaitable[None]]) -> None:
        with self._request.serving():
            await aclose()


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
