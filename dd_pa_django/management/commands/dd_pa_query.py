from __future__ import annotations

import sys
from typing import IO, Any, cast

import click
from django.core.management.base import BaseCommand, CommandParser

from dd_pa.query.terminal import HELP, Question, ask, options
from dd_pa_django.configuration import load_settings


@click.command("dd_pa_query")
@options
def _declared() -> None:
    """Hold the options; Django parses them."""


class Command(BaseCommand):
    help = HELP

    def add_arguments(self, parser: CommandParser) -> None:
        for parameter in _declared.params:
            if isinstance(parameter, click.Option):
                _add_option(parser, parameter)
            else:
                parser.add_argument(str(parameter.name), nargs="?", default="")

    def handle(self, **options: Any) -> None:
        typed = {str(parameter.name): options[str(parameter.name)] for parameter in _declared.params}
        question = Question(**{**typed, "by": tuple(typed["by"] or ())})
        out, err = cast("IO[str]", self.stdout), cast("IO[str]", self.stderr)
        status = ask(load_settings(), question, out=out, err=err)
        if status:
            sys.exit(status)


def _add_option(parser: CommandParser, option: click.Option) -> None:
    """Declare an option of click's; what click checks of its values, the question checks again."""
    if option.is_flag:
        parser.add_argument(*option.opts, dest=option.name, action="store_true", help=option.help)
        return
    kind = int if isinstance(option.type, click.types.IntParamType) else str
    action = "append" if option.multiple else "store"
    default = None if option.multiple else _declared.make_context("dd_pa_query", []).params[str(option.name)]
    wanted: dict[str, Any] = {"action": action, "default": default, "type": kind, "metavar": option.metavar}
    parser.add_argument(*option.opts, dest=option.name, help=option.help, **wanted)
