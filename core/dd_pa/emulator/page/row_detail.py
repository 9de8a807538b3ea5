"""Everything about one row, as the page shows it when it is opened."""

from __future__ import annotations

from dd_pa.emulator.http.answers import Answer
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.plan.plans import Verdict
from dd_pa.emulator.search.facets import flatten


def detail_of(row: Row, duplicates: list[int], verdict: Verdict | None) -> dict[str, object]:
    """Return the document of one row; `duplicates` are other rows with its event id, `verdict` is the plan's."""
    usr, account, session = row.identity()
    return {
        "seq": row.seq,
        "received_ms": row.received_ms,
        "status": row.status,
        "reason": row.reason,
        "reason_path": row.reason_path,
        "name": row.name,
        "usr": usr,
        "account": account,
        "session": session,
        "occurred_ms": row.occurred_ms,
        "delay_ms": row.delay_ms,
        "event_id": row.event_id,
        "duplicates": duplicates,
        "body": row.body if row.raw is None else None,
        "raw": row.raw,
        "size": row.size,
        "off_plan": None if verdict is None else verdict.as_json(),
        "facets": [[f"@{path}", value] for path, value in flatten(row.body) if path],
        "request": {"headers": [list(header) for header in row.headers], "encoding": row.encoding},
        "response": _answer(row.answer),
    }


def _answer(answer: Answer | None) -> dict[str, object] | None:
    if answer is None:
        return None
    headers = [list(header) for header in answer.headers]
    return {"status": answer.status, "headers": headers, "body": answer.body.decode()}
