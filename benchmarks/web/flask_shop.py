"""The shop in Flask: each request renders a page, and fires one event (or none)."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from flask import Flask

from benchmarks import sdks
from benchmarks.web import kinds

PAGE = """<!doctype html><title>{{ title }}</title><table>
{% for item in items %}<tr class="{{ loop.cycle('odd', 'even') }}"><td>{{ item.name }}<td>{{ item.price }}</tr>
{% endfor %}</table>"""


def create_app() -> Flask:
    app = Flask(__name__)
    page = app.jinja_env.from_string(PAGE)
    work = _work(app, kinds.kind())

    @app.get("/")
    def checkout() -> str:
        work()
        return page.render(title="Checkout", items=kinds.ITEMS)

    @app.get(kinds.PLAIN)
    def plain() -> str:
        return page.render(title="Checkout", items=kinds.ITEMS)

    return app


def _work(app: Flask, kind: str) -> Callable[[], object]:
    """Return what a request does besides."""
    from dd_pa_flask import ProductAnalytics

    if kind == kinds.NONE:
        return lambda: None
    if kind in kinds.PEERS:
        sdk = sdks.PEERS[kind](kinds.place())
        return lambda: sdk.fire(sdk.attributes())
    if kind in (kinds.ROW, kinds.OUTBOX):
        return _row(app, with_event=kind == kinds.OUTBOX)
    app.config.update({f"DD_PA_{name}": value for name, value in kinds.settings().items()})
    analytics = ProductAnalytics(app)
    return lambda: analytics.track(sdks.NAME, dict(sdks.NESTED), **sdks.WHO)


def _row(app: Flask, *, with_event: bool) -> Callable[[], object]:
    from dd_pa import Emitter, Settings
    from dd_pa.outbox.sqlalchemy import add, outbox_table

    place, metadata = kinds.place(), sa.MetaData()
    outbox = outbox_table(metadata)
    orders = sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("total", sa.Integer))
    engine = sa.create_engine(f"sqlite:///{place.directory}/shop.sqlite", connect_args={"timeout": 30})
    sa.event.listen(engine, "connect", lambda connection, _: connection.executescript(PRAGMAS))
    metadata.create_all(engine)
    emitter = Emitter(Settings(application_id="bench", api_key="bench", intake_url=place.url, ca_file=place.ca_file))

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(sa.insert(orders).values(total=1))
            if with_event:
                event = emitter.integration.build(sdks.NAME, dict(sdks.NESTED), **sdks.WHO)
                assert event is not None
                add(connection, event, outbox)

    return work


PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
"""Waiting for the disk is no part of what is measured."""
