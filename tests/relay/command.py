"""Runs `dd-pa` from this checkout, whatever is installed."""

from __future__ import annotations

from dd_pa.cli.program import main

if __name__ == "__main__":
    main()
