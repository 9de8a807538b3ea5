"""The `dd-pa` command: one module for each subcommand."""
