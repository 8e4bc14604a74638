"""JSON from outside: what it may hold; a fault is reported with its field."""

import tracemalloc

import pytest

from a2serve.contracts.json_input import LARGEST_INTEGER, MAX_DEPTH, MAX_VALUES, check_json, parse_json, read_json
from a2serve.contracts.problems import Code, Problem


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ('{"a": ["x", "\\ud800"]}', Code.NOT_STORABLE, "a.1"),
        ('{"a": {"\\udfff": 1}}', Code.NOT_STORABLE, "a"),
        ('{"a": "b\\u0000"}', Code.NOT_STORABLE, "a"),
        ('{"\\u0000": "b"}', Code.NOT_STORABLE, None),
        ('{"tools": [{"parameters": {"maximum": 100000000000000000000}}]}', Code.NOT_STORABLE, "tools.0.parameters.maximum"),
        ('{"a": -9223372036854775809}', Code.NOT_STORABLE, "a"),
        ('{"a": 1e999}', Code.NOT_STORABLE, "a"),
        ('{"a": ' + "1" * 4200 + "}", Code.NOT_STORABLE, "a"),
        ('{"a": ' + "1" * 5000 + "}", Code.INVALID_JSON, None),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), Code.NOT_STORABLE, ".".join("0" * 8)),
        ("[" * 100_000, Code.INVALID_JSON, None),
        ("[" + "0," * MAX_VALUES + "0]", Code.NOT_STORABLE, None),
        ("NaN", Code.INVALID_JSON, None),
        ("{", Code.INVALID_JSON, None),
        (b"\xff", Code.INVALID_JSON, None),
        (b"", Code.INVALID_JSON, None),
    ],
)
def test_what_cannot_be_kept_is_named(text: str | bytes, code: Code, param: str | None) -> None:
    with pytest.raises(Problem) as caught:
        read_json(text)
    found = caught.value.param
    assert caught.value.code is code and (param is None or found == param)


@pytest.mark.parametrize("value", [f'{{"a": {LARGEST_INTEGER}}}', '"\\ud83d\\ude00"', "[1.5, 1e308, -0.0]", '{"a": 1, "a": 2}', " null "])
def test_what_is_right_passes(value: str) -> None:
    read_json(value)


def test_the_deepest_that_is_allowed_passes() -> None:
    read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)


@pytest.mark.parametrize("many", ['{"a": [' + "1," * 2_000_000 + "1]}", "[" + '{"a":1,"b":1},' * 300_000 + "1]"])
def test_too_many_values_cost_no_memory_beside_themselves(many: str) -> None:
    """They were walked before they were counted: 8 MiB of `1,` cost 4 s of CPU and 700 MB, while everybody else waited."""
    value = parse_json(many)
    tracemalloc.start()
    try:
        with pytest.raises(Problem, match="has too many values"):
            check_json(value)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 << 20
