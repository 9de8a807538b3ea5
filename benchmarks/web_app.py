"""The Flask shop whose requests are timed: each one renders a page, and fires one event (or none)."""

from __future__ import annotations

import os

from flask import Flask

from benchmarks import sdks

PAGE = """<!doctype html><title>{{ title }}</title><table>
{% for item in items %}<tr class="{{ loop.cycle('odd', 'even') }}"><td>{{ item.name }}<td>{{ item.price }}</tr>
{% endfor %}</table>"""
NONE = "no events"


def create_app() -> Flask:
    """Make the shop; the environment says which SDK it uses, and where that sends."""
    app, name = Flask(__name__), os.environ["BENCH_SDK"]
    page = app.jinja_env.from_string(PAGE)
    sdk = None
    if name != NONE:
        sdk = sdks.SDKS[name](sdks.Place(url=os.environ["BENCH_URL"], directory=os.environ["BENCH_DIRECTORY"]))

    @app.get("/")
    def checkout() -> str:
        items = [{"name": f"Shoe <{number}>", "price": number * 10} for number in range(100)]
        if sdk is not None:
            sdk.fire(sdk.attributes())
        return page.render(title="Checkout", items=items)

    return app
