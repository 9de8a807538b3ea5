"""Datadog's search syntax, and tests of rows by it."""
