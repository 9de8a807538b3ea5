"""Speak HTTP: what the emulator answers, to whom, and on which server."""
