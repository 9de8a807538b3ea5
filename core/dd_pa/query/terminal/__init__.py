"""Queries in a terminal: what the commands of plain Python, Django and Flask share. Needs `dd-pa[cli,query]`."""

from __future__ import annotations

from dd_pa.query.terminal.arguments import HELP, options
from dd_pa.query.terminal.dialogue import ask
from dd_pa.query.terminal.question import Question

__all__ = ["HELP", "Question", "ask", "options"]
