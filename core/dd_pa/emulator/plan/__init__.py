"""The tracking plan: what applications declare of their events, and where events differ from it."""
