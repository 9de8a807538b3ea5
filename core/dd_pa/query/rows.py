from __future__ import annotations

import importlib
from typing import Any

Row = dict[str, Any]


class Rows(list[Row]):
    """Plain rows, that can become a frame where pandas or Polars is installed."""

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame`. Raises ImportError without pandas."""
        return importlib.import_module("pandas").DataFrame(list(self))

    def to_polars(self) -> Any:
        """Return a `polars.DataFrame`; all rows are looked at for its types. Raises ImportError without Polars."""
        return importlib.import_module("polars").DataFrame(list(self), infer_schema_length=None, strict=False)
