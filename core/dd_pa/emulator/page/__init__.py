"""What the emulator's own page asks for: its files, lists, details, reports and saved views."""
