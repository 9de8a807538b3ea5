from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum

DOCS = (Path(__file__).parents[2] / "docs" / "flask.md").read_text()


def test_quart_app_is_refused(analytics: ProductAnalytics) -> None:
    """Rather than set up without a chance to find a request."""
    with pytest.raises(TypeError, match=r"Quart is no Flask app; on Quart use dd_pa\.Emitter"):
        analytics.init_app(Quart(__name__))  # type: ignore[arg-type] # the mistake


def test_what_the_docs_say_of_quart(
    served: tuple[Emulator, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block is an app whose events are linked to the browser's session."""
    for name, value in {"DD_API_KEY": "k", "DD_PA_APPLICATION_ID": "quart", "DD_PA_INTAKE_URL": served[1]}.items():
        monkeypatch.setenv(name, value)
    block = re.search(r"<!-- test: quart -->\n```python\n(.*?)```", DOCS, flags=re.DOTALL)
    assert block is not None
    module: dict[str, Any] = {"__name__": __name__}
    exec(block[1], module)  # noqa: S102 - our own docs

    async def visit() -> None:
        async with module["app"].test_app() as running:
            answer = await running.test_client().post("/checkout", headers={"Baggage": rum.baggage()})
            assert answer.status_code == 200

    asyncio.run(visit())

    [event] = emulator.wait_for(1, 30)
    assert (event["event"], event["session"]) == ({"name": "checkout.completed"}, {"id": rum.SESSION})
