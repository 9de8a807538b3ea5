"""`dd-pa skill`: what a coding agent is to know about dd-pa, for the project that uses it."""

from __future__ import annotations

from pathlib import Path

import click

import dd_pa

SKILL = Path(dd_pa.__file__).parent / ".agents" / "skills" / "dd-pa" / "SKILL.md"
"""Where tools look for skills that packages bring."""


@click.command("skill")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Copy it into this folder of skills: .claude/skills, .agents/skills.",
)
@click.option("--force", is_flag=True, help="Replace a copy that is not the same.")
def command(folder: Path | None, *, force: bool) -> None:
    """Print where the skill for coding agents is, or copy it into a project's folder of skills.

    Ends with 1 if another text is there already.
    """
    if folder is None:
        click.echo(SKILL)
        return
    text, copy = SKILL.read_text(encoding="utf-8"), folder / SKILL.parent.name / SKILL.name
    try:
        if not force and copy.exists() and copy.read_text(encoding="utf-8") != text:
            raise click.ClickException(f"{copy} differs from that of this release: --force replaces it")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{copy} cannot be written: {error.strerror}") from None
    click.echo(copy)
