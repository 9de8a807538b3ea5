"""`make docs`: the site in build/site, from docs/*.md, the docstrings and site/index.md.

Pages stay plain Markdown that a repository shows as it is. A link to a file outside of docs/ leads to the repository.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE, SOURCE = ROOT / "build/site", ROOT / "build/site-source"
SKILL = ROOT / "core/dd_pa/.agents/skills/dd-pa/SKILL.md"
REPOSITORY = "https://github.com/dd-pa/dd-pa/blob/main/"
ADDRESS = "https://dd-pa.github.io/dd-pa/"


def main() -> None:
    """Build it; end with Sphinx's status."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    for folder in (SITE, SOURCE):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "site", SOURCE, ignore=shutil.ignore_patterns("build.py", "llms-intro.txt", "__pycache__"))
    for page in pages:
        (SOURCE / page.name).write_text(_linked(page), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "--quiet", "-W", "--keep-going", "-b", "html", str(SOURCE), str(SITE)]
    ended = subprocess.run(command, check=False)
    if ended.returncode:
        sys.exit(ended.returncode)
    for page in (*pages, ROOT / "site/index.md"):
        shutil.copy(SOURCE / page.name, SITE / page.name)
    (SITE / "llms.txt").write_text(_for_agents(pages), encoding="utf-8")
    (SITE / "llms-full.txt").write_text(
        "\n\n".join((SOURCE / page.name).read_text() for page in pages), encoding="utf-8"
    )
    (SITE / ".nojekyll").touch()
    print(f"{len(pages)} pages in {SITE.relative_to(ROOT)}")


def _linked(page: Path) -> str:
    """Return a page whose links to files outside of docs/ lead to the repository."""

    def absolute(match: re.Match[str]) -> str:
        target = (page.parent / match[1]).resolve()
        return (
            match[0] if target.parent == page.parent else f"]({REPOSITORY}{target.relative_to(ROOT)}{match[2] or ''})"
        )

    return re.sub(r"\]\(([^)#:\s]+)(#[^)\s]+)?\)", absolute, page.read_text(encoding="utf-8"))


def _for_agents(pages: list[Path]) -> str:
    """Return what tells a coding agent what there is, in the form of llmstxt.org."""
    index = (ROOT / "site/index.md").read_text(encoding="utf-8")
    order = re.findall(r"^([a-z0-9-]+)$", index, flags=re.MULTILINE)
    listed = sorted(pages, key=lambda page: order.index(page.stem))
    lines = [f"- [{_title(page)}]({ADDRESS}{page.name}): {_first(page)}" for page in listed]
    intro = (ROOT / "site/llms-intro.txt").read_text(encoding="utf-8")
    return f"{intro}\n{_instructions()}\n## Pages\n\n" + "\n".join(lines) + "\n"


def _instructions() -> str:
    """Return what the skill says; headings become bold, as llmstxt.org wants none before the list."""
    body = SKILL.read_text(encoding="utf-8").split("---\n", 2)[2].split("\n", 3)[3]
    return re.sub(r"^## (.+)$", r"**\1**", body, flags=re.MULTILINE)


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def _first(page: Path) -> str:
    """Return the sentence with which a page says what it is about."""
    paragraph = re.sub(r"<!--.*?-->\n", "", page.read_text(encoding="utf-8")).split("\n\n")[1]
    first = re.split(r"(?<=\.)\s", " ".join(paragraph.split()))[0]
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", first).replace("**", "")


if __name__ == "__main__":
    main()
