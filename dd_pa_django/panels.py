"""A panel of django-debug-toolbar: put `dd_pa_django.panels.ProductAnalyticsPanel` into `DEBUG_TOOLBAR_PANELS`.

Imported by the toolbar alone, which is no dependency of ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from debug_toolbar.panels import Panel
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from dd_pa.gateways.debug_panel import report
from dd_pa.observe.panel_log import PanelLog, follow
from dd_pa_django.emitter import slot

_Panel: Any = Panel  # typed by the values of its own attributes, which panels are made to replace


class ProductAnalyticsPanel(_Panel):  # type: ignore[misc]
    """The events of one request: whom each was linked to and by what, and what became of it."""

    title = nav_title = "Product Analytics"
    template = "dd_pa/panel.html"
    is_async = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._panel_log = PanelLog()
        self._before: PanelLog | None = None
        self._follows = False

    @property
    def nav_subtitle(self) -> str:
        return str(self.get_stats().get("summary", ""))

    def enable_instrumentation(self) -> None:
        """Follow the thread or task that serves the request."""
        if not self._follows:
            self._before, self._follows = follow(self._panel_log), True

    def disable_instrumentation(self) -> None:
        """Follow what was followed before."""
        if self._follows:
            follow(self._before)
            self._follows = False

    def generate_stats(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """Keep what is to be shown, and once more at the end of a streamed body, for the toolbar's history."""
        self._record()
        if response.streaming and getattr(response, "file_to_stream", None) is None:
            stream = cast("StreamingHttpResponse", response)
            if stream.is_async:
                stream.streaming_content = FollowedAsync(stream.streaming_content, self._panel_log, self._record)
            else:
                stream.streaming_content = FollowedBody(stream.streaming_content, self._panel_log, self._record)

    def _record(self) -> None:
        emitter = slot.find()
        if emitter is not None:
            self.record_stats(report(self._panel_log, emitter.settings))


class FollowedBody:
    """A sync body whose events come into the log, too; between two chunks nothing is followed."""

    def __init__(self, chunks: Any, panel_log: PanelLog, at_end: Callable[[], None]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._panel_log = panel_log
        self._at_end = at_end

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        before = follow(self._panel_log)
        try:
            return next(self._chunks)
        except BaseException:
            self._at_end()
            raise
        finally:
            follow(before)


class FollowedAsync:
    """The same for an async body."""

    def __init__(self, chunks: Any, panel_log: PanelLog, at_end: Callable[[], None]) -> None:
        self._chunks: AsyncIterator[bytes] = aiter(chunks)
        self._panel_log = panel_log
        self._at_end = at_end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        before = follow(self._panel_log)
        try:
            return await anext(self._chunks)
        except BaseException:
            self._at_end()
            raise
        finally:
            follow(before)
