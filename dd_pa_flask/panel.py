"""A panel of Flask-DebugToolbar: put `dd_pa_flask.panel.ProductAnalyticsPanel` into `DEBUG_TB_PANELS`.

Imported by the toolbar alone, which is no dependency of ours.
"""

from __future__ import annotations

import functools
from typing import Any

from flask import Flask, current_app
from flask_debugtoolbar.panels import DebugPanel
from jinja2 import Environment, PackageLoader, Template
from werkzeug import Request, Response

from dd_pa.gateways.debug_panel import report
from dd_pa.observe.panel_log import PanelLog, follow
from dd_pa_flask.state import AppState


class ProductAnalyticsPanel(DebugPanel):
    """The events of one request: whom each was linked to and by what, and what became of it."""

    name = "Product Analytics"
    has_content = True

    def __init__(self, jinja_env: Environment, context: dict[str, Any] | None = None) -> None:
        super().__init__(jinja_env, context)
        self._panel_log = PanelLog()
        self._report: dict[str, Any] = {}

    @classmethod
    def init_app(cls, app: Flask) -> None:
        """Let go of each request at its end, however it ends: the toolbar tells its panels of some ends only."""
        app.teardown_request(_let_go)

    def nav_title(self) -> str:
        return "Product Analytics"

    def nav_subtitle(self) -> str:
        return str(self._report.get("summary", ""))

    def title(self) -> str:
        return "Product Analytics"

    def url(self) -> str:
        return ""

    def process_request(self, request: Request) -> None:
        """Follow the thread or task that serves the request."""
        follow(self._panel_log)

    def process_response(self, request: Request, response: Response) -> None:
        """Keep what is to be shown. What `@analytics.tracked` fires comes later, so that its names have to do."""
        state = AppState.of(current_app)
        if state is not None:
            self._report = report(self._panel_log, state.emitter.settings, state.expected())

    def content(self) -> str:
        return _template().render(self._report)


def _let_go(error: BaseException | None) -> None:
    follow(None)


@functools.cache
def _template() -> Template:
    """The toolbar's own environment finds templates in its own package only."""
    return Environment(autoescape=True, loader=PackageLoader("dd_pa_flask")).get_template("panel.html")
