"""The settings: their names, their rules, where they are read from."""
