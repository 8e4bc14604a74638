"""Small parts of the contracts: settings that are URLs, secrets or levels, addresses, spans of pages, and how wire models merge."""

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from a2serve.contracts.a2_events import MotionDelta, MotionDone
from a2serve.contracts.database_url import DatabaseUrl
from a2serve.contracts.page_spans import ATTRIBUTES, SPANS, PageExport
from a2serve.contracts.secret_file import read_secret
from a2serve.contracts.starting import LogLevel, check_address, settings_faults
from a2serve.contracts.wire import Mergeable, Strict, Wire


class Settings(BaseModel):
    database: DatabaseUrl = ""
    log_level: LogLevel = "INFO"


@pytest.mark.parametrize("url", ["", "sqlite:///recorder.sqlite", "postgresql+psycopg://user:word@db.example:5432/a2"])
def test_a_database_is_named_by_its_url(url: str) -> None:
    assert Settings(database=url).database == url


@pytest.mark.parametrize(
    ("values", "line"), [({"database": "sqlite"}, "A2_X_DATABASE: "), ({"log_level": "loud"}, "A2_X_LOG_LEVEL: it is DEBUG")]
)
def test_a_wrong_setting_is_one_line_with_its_variable(values: dict[str, str], line: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**values)
    assert settings_faults(refused.value, "A2_X_").startswith(line)
    assert "\n" not in settings_faults(refused.value, "A2_X_")


def test_an_address_that_is_taken_is_named_by_its_settings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"A2_X_HOST, A2_X_METRICS_PORT: cannot listen on 127\.0\.0\.1:{port}: "):
            check_address("127.0.0.1", port, "A2_X_", "METRICS_PORT")
    check_address("127.0.0.1", port, "A2_X_")


def test_a_mounted_secret_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    assert read_secret("A2_X_PASSWORD", SecretStr("given"), None) == "given"
    for word in ("first", "second"):
        file.write_text(f"{word}\r\n")
        assert read_secret("A2_X_PASSWORD", SecretStr("given"), file) == word
    file.write_bytes(b"\xff\xfe\x80")
    for unreadable in (file, tmp_path / "gone"):
        with pytest.raises(ValueError, match=rf"A2_X_PASSWORD: {unreadable} cannot be read"):
            read_secret("A2_X_PASSWORD", SecretStr(""), unreadable)


class Group(Mergeable):
    level: int = 1
    note: str | None = None


class Whole(Mergeable):
    group: Group = Group()
    name: str = "a"


def test_a_patch_replaces_only_what_it_names_in_depth() -> None:
    before = Whole(group=Group(level=2, note="kept"), name="b")
    assert before.merged_with(Whole(group=Group(level=3))) == Whole(group=Group(level=3, note="kept"), name="b")
    assert before.merged_with(Whole()) == before


def test_a_null_means_unchanged_where_a_field_cannot_be_null() -> None:
    patch = Whole.model_validate({"group": {"level": None, "note": None}, "name": None})
    assert Whole(group=Group(level=2, note="gone"), name="b").merged_with(patch) == Whole(group=Group(level=2, note=None), name="b")


def test_a_null_is_written_only_where_it_was_given() -> None:
    class Event(Wire):
        id: str
        note: str | None = None

    assert Event(id="a").model_dump() == {"id": "a"}
    assert Event(id="a", note=None).model_dump() == {"id": "a", "note": None}
    assert Event.model_validate({"id": "a", "new": 1}) == Event(id="a"), "what is new is ignored"
    for wrong in ({"id": 5}, {}):
        with pytest.raises(ValidationError):
            Event.model_validate(wrong)


def test_a_misspelt_setting_is_an_error() -> None:
    class Group(Strict):
        level: int = 1

    with pytest.raises(ValidationError, match="levle"):
        Group.model_validate({"levle": 2})


def test_motion_is_written_with_its_place_on_the_clock() -> None:
    delta = MotionDelta(
        event_id="e", response_id="r", item_id="i", output_index=0, sequence=4, start_ms=50.0, frames=2, values=[[0.0], [1.0]]
    )
    body = delta.model_dump()
    assert (body["type"], body["start_ms"], body["frames"], body["values"]) == ("a2.motion.delta", 50.0, 2, [[0.0], [1.0]])
    assert MotionDone(event_id="e", response_id="r", item_id="i", end_ms=120).model_dump()["end_ms"] == 120


def span(**changes: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}
    return {"name": SPANS[0], "traceId": "a" * 32, "spanId": "b" * 16, **times, "attributes": []} | changes


def exported(*spans: dict[str, Any]) -> PageExport:
    return PageExport.model_validate({"resourceSpans": [{"resource": {"claims": 1}, "scopeSpans": [{"spans": list(spans)}]}]})


def test_spans_of_a_page_are_written_anew_and_stamped_by_us() -> None:
    known, foreign = {"key": ATTRIBUTES[0], "value": {"stringValue": "resp_1"}}, {"key": "tenant", "value": {"stringValue": "other"}}
    body = exported(span(attributes=[known, foreign])).stamped({"a2.tenant": "acme"})
    (resource,) = body["resourceSpans"]
    said = {each["key"]: each["value"]["stringValue"] for each in resource["resource"]["attributes"]}
    assert said["a2.tenant"] == "acme" and "claims" not in said
    (written,) = resource["scopeSpans"][0]["spans"]
    assert written["attributes"] == [known] and written["startTimeUnixNano"] == "1000"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a2.gateway.turn"},
        {"traceId": "A" * 32},
        {"spanId": "b"},
        {"endTimeUnixNano": "999"},
        {"endTimeUnixNano": str(3601 * 10**9)},
        {"attributes": [{"key": "k", "value": {"stringValue": "x" * 65}}]},
        {"attributes": [{"key": "k", "value": {"stringValue": "x"}}] * 9},
    ],
)
def test_a_span_that_the_library_does_not_make_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        exported(span(**changes))
