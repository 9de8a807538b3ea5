"""Values of a statement: they are bound, never written into it."""

from __future__ import annotations


class Binding:
    """Collects the values of one statement."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def __call__(self, value: object) -> str:
        """Bind a value and return what stands for it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def texts(self, values: list[str]) -> str:
        """Bind a list of strings, which may be empty."""
        return f"{self(values)}::VARCHAR[]"
