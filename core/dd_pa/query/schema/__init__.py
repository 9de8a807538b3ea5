"""Requests and answers as Datadog documents them, for what the builders do not say. All of it can be imported."""
