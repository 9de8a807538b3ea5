"""What a coding agent may ask about the events of a program: tools of the Model Context Protocol over the emulator.

They read, and change nothing. Answers are bounded. Ids and the values of attributes are told only when asked for.
"""

from __future__ import annotations

from dd_pa.agents.server import HTTPEntrance, make_server
from dd_pa.agents.tools import EmulatorTools, NoEmulatorError

__all__ = ["EmulatorTools", "HTTPEntrance", "NoEmulatorError", "make_server"]
