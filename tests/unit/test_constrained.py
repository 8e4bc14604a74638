"""A call is valid whatever the model wants to write: its schema accepts the arguments, and it comes to an end."""

import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.models import tiny

from a2llm.language import constrained
from a2llm.language.constrained import CALL_TOKENS, CallGrammar
from a2llm.language.schema_bounds import STRING_CHARS
from a2llm.language.tools import choose_tools, describe
from a2llm.messages import Tool, parse_tools

NAMES = st.text(st.sampled_from("abcxyz_é "), min_size=1, max_size=6)
LITERALS = st.one_of(st.text(st.characters(exclude_categories=["C"]), max_size=8), st.integers(-(10**6), 10**6), st.booleans(), st.none())


@cache
def grammar() -> CallGrammar:
    return CallGrammar(tiny.tokenizer(), tiny.VOCABULARY)


def _range(low: str, high: str, values: st.SearchStrategy) -> st.SearchStrategy[dict]:
    pairs = st.lists(values, min_size=2, max_size=2).map(sorted)
    whole = pairs.map(lambda pair: {low: pair[0], high: pair[1]})
    return st.one_of(st.just({}), whole, values.map(lambda v: {low: v}), values.map(lambda v: {high: v}))


def _object(parts: dict[str, Any], optional: list[bool]) -> dict:
    required = [name for name, free in zip(parts, optional, strict=False) if not free]
    return {"type": "object", "properties": parts, "required": required}


def schemas() -> st.SearchStrategy[dict]:
    sizes = st.integers(0, 6)
    plain = st.one_of(
        st.just({"type": "string"}),
        st.just({"type": "boolean"}),
        st.just({}),
        _range("minLength", "maxLength", sizes).map(lambda r: {"type": "string", **r}),
        _range("minimum", "maximum", st.integers(-5000, 5000)).map(lambda r: {"type": "integer", **r}),
        _range("minimum", "maximum", st.floats(-99, 99).map(lambda f: round(f, 2))).map(lambda r: {"type": "number", **r}),
        st.lists(LITERALS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
        LITERALS.map(lambda value: {"const": value}),
        st.sampled_from([{"type": ["string", "null"]}, {"type": "string", "format": "date"}, {"type": "string", "pattern": "^[a-c]+$"}]),
    )
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.tuples(inner, _range("minItems", "maxItems", st.integers(0, 3))).map(lambda p: {"type": "array", "items": p[0], **p[1]}),
            st.builds(_object, st.dictionaries(NAMES, inner, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4)),
            st.lists(inner, min_size=1, max_size=2).map(lambda members: {"anyOf": members}),
        ),
        max_leaves=6,
    )


def write(tool: Tool, seed: int, taste: np.ndarray | None = None) -> dict:
    """A call by a model that wants random tokens, or always those of `taste` [V]."""
    stream, rng = grammar().open(tool), np.random.default_rng(seed)
    stream.forced()
    while not stream.done:
        scores = rng.random(tiny.VOCABULARY) if taste is None else taste
        stream.push(int(np.where(stream.allowed()[: tiny.VOCABULARY], scores, -1).argmax()))
        assert len(stream.tokens) <= CALL_TOKENS
    made = stream.call()
    assert made is not None
    assert made.name == tool.name
    return json.loads(made.arguments)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, schemas(), max_size=3), st.integers(0, 2**32))
@example({"a": {"type": "string", "minLength": 3, "maxLength": 3}, "b": {"enum": ['\n\u2028"\\', "🙂"]}}, 1)
@example({"a": {"type": "number"}, "b": {"type": "array", "items": {"type": "array", "items": {}}}}, 2)
def test_arguments_always_validate(properties: dict[str, Any], seed: int):
    schema = {"type": "object", "properties": properties, "required": sorted(properties)[:2]}
    tool = Tool("go", parameters=schema)
    try:
        grammar().open(tool)
    except ValueError as error:  # refused by design, and rare: the tiny vocabulary needs a token for every letter or two
        assert "asks for too much" in str(error), error
        return
    Draft202012Validator(schema).validate(write(tool, seed))


@pytest.mark.parametrize("letter", ["a", " ", "9", "{", "[", ",", "."])
def test_a_stubborn_model_comes_to_an_end(letter: str):
    schema = {
        "type": "object",
        "required": ["text", "count", "more"],
        "properties": {
            "text": {"type": "string", "maxLength": 100_000},
            "count": {"type": "number"},
            "more": {"type": "array", "items": {}},
        },
    }
    taste = np.zeros(tiny.VOCABULARY)
    taste[tiny.tokenizer().encode(letter)[0]] = 1
    made = write(Tool("go", parameters=schema), 0, taste)
    Draft202012Validator(schema).validate(made)
    assert len(made["text"]) <= STRING_CHARS


REFERENCE = {"$ref": "#/$defs/place"}
NESTED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    "properties": {"at": REFERENCE, "to": {"allOf": [REFERENCE], "description": "where to"}, "many": {"type": "array", "items": REFERENCE}},
    "required": ["at", "to"],
}
KINDS = {
    "oneOf": [
        {"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["kind"]},
        {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]},
    ]
}


@pytest.mark.parametrize(
    "schema",
    [
        NESTED,
        {"properties": {"k": KINDS}, "required": ["k"]},
        {},
        {"type": "object", "required": ["free"]},
        {"properties": {"u": {"type": "array", "uniqueItems": True, "items": {"type": "integer"}}}, "required": ["u"]},
        {"properties": {"p": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "items": False}}},
        {"properties": {"x": {"type": "integer", "multipleOf": 7, "exclusiveMinimum": 0}}, "required": ["x"]},
        {"properties": {"y": {"type": "number", "minimum": 5e9}, "z": {"type": "string", "format": "made-up"}}, "required": ["y", "z"]},
    ],
)
def test_what_clients_send(schema: dict):
    for seed in range(5):
        Draft202012Validator(schema).validate(write(Tool("go", parameters=schema), seed))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"not": {"type": "string"}}}}, "a: the keyword 'not' is not supported"),
        ({"properties": {"a": {"type": "strin"}}}, "no type"),
        ({"properties": {"a": 3}}, "a must be an object"),
        ({"properties": {"a": {"$ref": "https://example.com/x.json"}}}, "within the schema"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "nothing stands"),
        ({"$defs": {"t": {"properties": {"t": {"$ref": "#/$defs/t"}}}}, "properties": {"a": {"$ref": "#/$defs/t"}}}, "recursive"),
        ({"properties": {"a": {"oneOf": [{"type": "number"}, {"type": "integer"}]}}}, "use anyOf"),
        ({"properties": {"a": {"allOf": [{"type": "number"}, {"minimum": 1}]}}}, "several schemas"),
        ({"properties": {"a": {"type": "number", "multipleOf": 0.1}}}, "whole number"),
        ({"properties": {"a": {"type": "integer", "minimum": 5, "maximum": 3}}, "required": ["a"]}, "tool go"),
        ({"properties": {"a": {"type": "string", "pattern": "("}}, "required": ["a"]}, "tool go"),
        ({"required": ["a"], "additionalProperties": False}, "does not allow"),
        ({"properties": {"a": {"type": "string", "minLength": 5000}}, "required": ["a"]}, "too much"),
        ({"type": "string"}, "tool go"),
        ({"properties": {"a": {"enum": ["\u0000"]}}}, "control characters"),
        ({"properties": {"a\ud800": {}}}, "control characters"),
        ({"properties": {"a": {"minimum": "low"}}}, "tool go"),
    ],
)
def test_what_cannot_be_kept_is_refused_clearly(schema: dict, message: str):
    with pytest.raises(ValueError, match=message):
        grammar().open(Tool("go", parameters=schema))


def doubled(levels: int) -> dict:
    """Each level refers twice to the next: few words that become 2 ** levels schemas."""
    level = [{"properties": {"a": {"$ref": f"#/$defs/{n + 1}"}, "b": {"$ref": f"#/$defs/{n + 1}"}}} for n in range(levels)]
    return {"properties": {"x": {"$ref": "#/$defs/0"}}, "$defs": {str(n): each for n, each in enumerate([*level, {"type": "boolean"}])}}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"enum": [f"value {n}" for n in range(50_000)]}}}, "more than 1000 parts"),
        ({"properties": {"a": {"anyOf": [{"const": n} for n in range(1000)]}}}, "more than 1000 parts"),
        ({"properties": {f"p{n}": {"type": "boolean"} for n in range(1000)}}, "more than 1000 parts"),
        ({"properties": {"a": {"oneOf": [{"const": n} for n in range(101)]}}}, "oneOf may have 100 schemas"),
        (doubled(40), "more than 1000 parts"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_compiled(schema: dict, message: str, monkeypatch: pytest.MonkeyPatch):
    vocabulary = grammar()
    monkeypatch.setattr(constrained, "LLMatcher", SimpleNamespace(grammar_from_json_schema=pytest.fail))
    with pytest.raises(ValueError, match=message):
        vocabulary.open(Tool("go", parameters=schema))


def test_a_large_enum_is_kept_to():
    schema = {"properties": {"a": {"enum": [f"value {n}" for n in range(900)]}}, "required": ["a"]}
    Draft202012Validator(schema).validate(write(Tool("go", parameters=schema), 1))


WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather\n of a place.",
    "parameters": {
        "type": "object",
        "required": ["city"],
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "array", "items": {"type": "integer"}}},
    },
}


def test_tools_are_read_and_shown_compactly():
    tools = parse_tools(json.dumps([WEATHER, {"name": "stop"}]))
    assert describe(tools) == "\nTools:\nget_weather(city: string, unit?: C|F, days?: integer[]): Weather of a place.\nstop()"
    assert describe(()) == ""
    assert parse_tools("") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("{}", "must be a list"),
        ("[3]", "object"),
        ('[{"name": ""}]', "letters"),
        ('[{"type": "mcp"}]', "function"),
        ('[{"name": "a"}, {"name": "a"}]', "same name"),
        ('[{"name": "a", "parameters": [1]}]', "JSON Schema"),
    ],
)
def test_bad_tools(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        parse_tools(text)


def test_the_choice_is_kept():
    tools = (Tool("a"), Tool("b"))
    assert choose_tools(tools, "none") == ()
    assert choose_tools(tools, "auto") == choose_tools(tools, "required") == tools
    assert choose_tools(tools, "b") == (tools[1],)
    assert choose_tools((), "auto") == ()
    for choice in ("c", "required"):
        with pytest.raises(ValueError, match="no tool"):
            choose_tools((), choice)
