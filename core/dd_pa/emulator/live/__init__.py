"""The events that are kept in memory, newest first, and what a search finds among them."""
