"""Records: what is written can be read, by topic; tables and the usage query hold what the contract says."""

import pytest

from a2serve.contracts.records import (
    RECORDS,
    TOPICS,
    AuditRecord,
    SessionRecord,
    TurnRecord,
    UsageRecord,
    key_of,
    read_record,
    record_schemas,
    topic_of,
    write_record,
)
from a2serve.gateway.state import usage_reader as usage
from a2serve.recorder.tables import TABLE_OF, row_of

EXAMPLES = [
    SessionRecord(tenant="acme", session_id="s", event="created"),
    TurnRecord(tenant="acme", session_id="s", response_id="r", status="completed", first_packet_ms=12.5),
    UsageRecord(tenant="acme", session_id="s", response_id="r", input_tokens=3),
    AuditRecord(tenant="acme", actor="k", action="a.b", detail={"x": "y"}),
]


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: record.kind)
def test_a_record_comes_back_as_it_was(record) -> None:
    assert read_record(topic_of(record), write_record(record)) == record
    assert key_of(record) == ("s" if record.kind in ("session", "turn") else "acme")
    columns = {column.name for column in TABLE_OF[topic_of(record)].columns} - {"user_text", "avatar_text"}  # of turns, always empty
    assert set(row_of(record)) == columns


def test_words_of_an_older_gateway_go_no_further() -> None:
    said = write_record(EXAMPLES[1]).replace(b'"status"', b'"user_text":"My PIN is 4471.","avatar_text":"4471!","status"')
    assert read_record("a2.turns", said) == EXAMPLES[1] and "4471" not in str(row_of(read_record("a2.turns", said)))


def test_readers_ignore_what_is_new_and_refuse_what_they_cannot_know() -> None:
    raw = write_record(EXAMPLES[2])
    assert read_record("a2.usage", raw.replace(b'"version":1', b'"version":1,"new":true')) == EXAMPLES[2]
    for broken in (raw.replace(b'"version":1', b'"version":2'), b"", b"{}", b"[1]", b"\xff"):
        with pytest.raises(ValueError, match=r"a2\.usage"):
            read_record("a2.usage", broken)
    with pytest.raises(ValueError, match="no records belong"):
        read_record("a2.nothing", raw)


def test_every_topic_has_a_schema_and_a_table() -> None:
    assert set(TOPICS) == set(RECORDS) == set(TABLE_OF) == set(record_schemas())
    assert {column.name for column in usage._usage.columns} == {column.name for column in TABLE_OF["a2.usage"].columns}


OUT_OF_RANGE = [
    ("a2.sessions", '"session_id":"s","event":"closed","turns":2147483648'),
    ("a2.sessions", '"session_id":"s","event":"closed","duration_ms":9223372036854775808'),
    ("a2.turns", '"session_id":"s","response_id":"r","status":"completed","audio_ms":-9223372036854775809'),
    ("a2.turns", '"session_id":"s","response_id":"r","status":"completed","queue_ms":NaN'),
    ("a2.turns", '"session_id":"s","response_id":"r","status":"completed","first_packet_ms":Infinity'),
    ("a2.usage", '"session_id":"s","response_id":"r","input_tokens":9223372036854775808'),
    ("a2.usage", '"session_id":"s","response_id":"r","output_audio_ms":-1'),
]


@pytest.mark.parametrize(("topic", "fields"), OUT_OF_RANGE)
def test_a_number_that_no_column_holds_is_no_record(topic: str, fields: str) -> None:
    with pytest.raises(ValueError, match=topic):
        read_record(topic, f'{{"record_id":"x","tenant":"acme",{fields}}}'.encode())
