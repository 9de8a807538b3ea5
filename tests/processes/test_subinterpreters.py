"""As mod_wsgi runs several applications in one process."""

from __future__ import annotations

import textwrap

import pytest

from tests.processes.program import Stage

TRACK = """
import sys, textwrap
import _xxsubinterpreters as interpreters

def run(text):
    made = interpreters.create(isolated=False)
    interpreters.run_string(made, f"import sys; sys.path[:0] = {sys.path!r}\\n" + textwrap.dedent(text))
    interpreters.destroy(made)
"""

APPLICATION = """
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
for _ in range(20):
    emitter.track("job.ran", usr="u-1")
emitter.close(30)
assert emitter.stats().dropped == {}
"""


@pytest.mark.parametrize("store", ["memory", "spool"], indirect=True)
def test_each_interpreter_delivers_what_it_tracks(stage: Stage) -> None:
    """One after the other, and the main one at last."""
    pytest.importorskip("_xxsubinterpreters", reason="Python 3.13 has another name for them")
    twice = f"for _ in range(2):\n    run({APPLICATION!r})\n"
    ended, output = stage.run(TRACK + twice + textwrap.dedent(APPLICATION))

    assert (ended, stage.names) == (0, {"job.ran": 60}), output
