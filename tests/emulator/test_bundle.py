"""The page's modules as one script."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from dd_pa.emulator.page.bundle import BundleError, bundle

STATIC = Path(str(files("dd_pa.emulator"))) / "static"


def test_the_script_holds_every_module_once(url: str) -> None:
    """No module is asked for by itself, and none that app.js leads to is missing."""
    script = httpx.get(f"{url}/static/page.js")
    modules = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")} - {"early.js"}

    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert sorted(modules) == sorted(
        line.removeprefix("// ") for line in script.text.splitlines() if line.removeprefix("// ") in modules
    )
    assert 'src="/static/page.js"' in (STATIC / "index.html").read_text()
    assert httpx.get(f"{url}/static/page.js", headers={"if-none-match": script.headers["etag"]}).status_code == 304


def made(**modules: str) -> str:
    """The script of modules, of which the first is a.js."""
    return bundle("a.js", lambda path: modules[path.removesuffix(".js").replace("/", "_")])


def test_names_are_handed_on() -> None:
    """What a module needs runs first; names may be changed on the way, handed on, or taken as a whole."""
    script = made(
        a='import { one as first } from "./in/b.js";\nimport * as all from "./in/b.js";\nshow(first, all);\n',
        in_b='export { two } from "../c.js";\nexport const one = 1;\nexport async function three() {}\n',
        c="const hidden = 2;\nexport{hidden as two};\n",
    )

    assert [line for line in script.splitlines() if line.startswith("// ")] == ["// c.js", "// in/b.js", "// a.js"]
    assert "return { two: hidden };" in script
    assert "const { two } = module_c_js;" in script
    assert "return { two, one, three };" in script
    assert "const { one: first } = module_in_b_js;\nconst all = module_in_b_js;\nshow(first, all);" in script


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ({"a": 'import { b } from "./b.js";\n', "b": 'import "./a.js";\n'}, "a line that is not known here"),
        ({"a": 'import { b } from "./b.js";\n', "b": 'import { a } from "./a.js";\n'}, "need each other: a.js -> b.js"),
        ({"a": 'import { b } from "./b.js";\n', "b": "export const a = 0, b = 1;\n"}, "wants b of b.js"),
        ({"a": "export default 1;\n"}, "export default 1"),
        ({"a": "export let a = 1;\n"}, "export let a"),
    ],
)
def test_what_is_not_known_is_refused(modules: dict[str, str], reason: str) -> None:
    """A module is never left out, and no name is silently undefined."""
    with pytest.raises(BundleError, match=reason):
        made(**modules)
