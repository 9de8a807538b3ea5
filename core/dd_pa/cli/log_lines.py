"""The lines that a command in the foreground writes: for people, or one JSON object each for a collector of logs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

import click

Say = Callable[[str], None]


def start(log_format: str) -> Say:
    """Write what is logged to standard error, as `text` or `json`; return what writes a line of the command's own."""
    for library in ("httpx", "nats", "pika"):  # what fails there is said by us, once per interval
        logging.getLogger(library).setLevel(logging.CRITICAL)
    if log_format == "text":
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        return lambda line: click.echo(line, err=True)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    return logging.getLogger("dd_pa.command").info


class JsonFormatter(logging.Formatter):
    """Makes one line of JSON of a record, whatever its message holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)
