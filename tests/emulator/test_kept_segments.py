"""Segments that the page keeps: by name, beside the given ones, in the data folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.kept_segments import MAX_KEPT, KeptSegments
from dd_pa.emulator.warehouse.named_file import NotKeptError
from tests.emulator.asking import SCALAR, START, analytics, ask, stored, table
from tests.emulator.test_reports import asking

SEGMENTS = "/api/emulator/segments"
JSON = {"content-type": "application/json"}


def named(http: httpx.Client, name: str) -> list[tuple[Any, ...]]:
    """How many events those of a segment have."""
    filters = {"segments": [{"name": "s", "segment_id": name}]}
    return table(ask(http, "analytics/scalar", SCALAR, analytics(audience_filters=filters)))


def test_a_segment_is_kept_over_a_restart(tmp_path: Path) -> None:
    """Queries name it, whatever the case; one of the same name takes its place; deleting twice is no error."""
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"Given": {"account_ids": ["acme"]}}))
    first = Emulator(data=tmp_path / "data", segments=given)
    stored(first, [(START, {"event": {"name": "a"}, "usr": {"id": f"u{n}"}}) for n in range(3)])
    with asking(first) as http:
        assert http.post(SEGMENTS, json={"name": "Some", "user_ids": ["u1"]}).status_code == 201
        assert http.post(SEGMENTS, json={"name": " some ", "user_ids": ["u1", "u2"]}).status_code == 201
        assert http.post(SEGMENTS, json={"name": "All", "users": ""}).status_code == 201
        assert named(http, "SOME") == [(2.0,)]
    first.close()
    again = Emulator(data=tmp_path / "data", segments=given)
    with asking(again) as http:
        assert named(http, "Some") == [(2.0,)]
        assert http.get(SEGMENTS).json()["segments"] == [
            {"name": "All", "of": "users", "given": False, "search": ""},
            {"name": "Given", "of": "accounts", "given": True, "count": 1},
            {"name": "some", "of": "users", "given": False, "count": 2},
        ]
        for _ in range(2):
            assert http.request("DELETE", f"{SEGMENTS}/SOME", headers=JSON).status_code == 204
        assert [segment["name"] for segment in http.get(SEGMENTS).json()["segments"]] == ["All", "Given"]
    again.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param({"user_ids": []}, "name must have 1 to 100", id="no name"),
        pytest.param({"name": "a\u202eb", "user_ids": []}, "printable", id="a name that turns around"),
        pytest.param({"name": "a"}, "exactly one of", id="nobody"),
        pytest.param({"name": "a", "users": "x:("}, "column 4", id="a broken search"),
        pytest.param({"name": "given", "user_ids": []}, "started with", id="a given one"),
    ],
)
def test_what_is_no_segment_is_refused(tmp_path: Path, body: dict[str, Any], reason: str) -> None:
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"Given": {"account_ids": ["acme"]}}))
    with asking(Emulator(segments=given)) as http:
        response = http.post(SEGMENTS, json=body)

        assert response.status_code == 400
        assert reason in response.json()["errors"][0]["detail"]
        assert len(http.get(SEGMENTS).json()["segments"]) == 1


def test_they_are_bounded_and_a_foreign_file_is_passed_over(tmp_path: Path) -> None:
    """What another version wrote is left out; the number of segments has an end."""
    many: dict[str, Any] = {f"{number:03d}": {"user_ids": []} for number in range(MAX_KEPT - 1)}
    content = {"old": {"tribe": 1}, "good": {"user_ids": ["u"]}, "a\nb": {"user_ids": []}, **many}
    (tmp_path / "segments.json").write_text(json.dumps(content))
    segments = KeptSegments(folder=tmp_path)
    assert [segment["name"] for segment in segments.all()] == [*many, "good"]

    with pytest.raises(NotKeptError, match="delete one"):
        segments.keep("more", {"user_ids": []})
    segments.keep("Good", {"user_ids": ["v"]})
    found = segments.get("good")
    assert found is not None
    assert found.ids == ("v",)
