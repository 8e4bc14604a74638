"""Messages go over the wire and come back as they were: every type, every field, whatever is in it."""

import subprocess
import sys
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from a2llm import messages
from a2llm.messages import (
    Affect,
    IdleRequest,
    Item,
    Packet,
    ResponseOptions,
    ResponseRequest,
    Resume,
    Tool,
    UserTurn,
)
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.convert import ITEMS, NAMES, from_wire, to_wire, ways

TYPES = [
    kind
    for name in messages.__all__
    if is_dataclass(kind := getattr(messages, name)) and hasattr(pb, NAMES.get(name, name)) and kind not in (Affect,)
]
# Where what a type takes is narrower than its fields' types.
BOUNDS: dict[tuple[type, str], st.SearchStrategy[Any]] = {
    (Affect, "category"): st.text(min_size=1, max_size=8),
    (Affect, "intensity"): st.floats(0, 1, width=32),
    (ResponseOptions, "temperature"): st.none() | st.floats(0, 2, width=32),
    (ResponseOptions, "expressiveness"): st.none() | st.floats(0, 1.5, width=32),
    (ResponseOptions, "top_p"): st.none() | st.floats(0, 1, exclude_min=True),
    (ResponseOptions, "seed"): st.integers(0, 2**64 - 1),
    (ResponseOptions, "max_output_tokens"): st.none() | st.integers(1, 2**32 - 1),
    (ResponseOptions, "tools"): st.lists(
        st.builds(Tool, st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.text(max_size=9), st.just({"type": "object"})),
        max_size=2,
        unique_by=lambda tool: tool.name,
    ).map(tuple),
    (ResponseRequest, "tenant_weight"): st.floats(0.01, 100),
}
INTEGERS = st.integers(0, 2**32 - 1)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=9),
    bytes: st.binary(max_size=9),
    bool: st.booleans(),
    int: INTEGERS,
    float: st.floats(width=32, allow_nan=False),
    tuple[int, ...]: st.lists(INTEGERS, max_size=3).map(tuple),
    tuple[str, ...]: st.lists(st.text(max_size=5), max_size=3).map(tuple),
    dict[str, tuple[str, ...]]: st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=3).map(tuple), max_size=3),
}


def values(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{own.name: _field(kind, own, hints[own.name]) for own in fields(kind)})


def _field(kind: type, own: "Field[Any]", hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field. A zero on the wire reads as the default, so a field whose default is something else is never zero."""
    if (kind, own.name) in BOUNDS:
        return BOUNDS[kind, own.name]
    usual = None if own.default is MISSING else own.default
    return _of(hint).filter(bool) if usual and not isinstance(usual, bool) and not is_dataclass(usual) else _of(hint)


def _of(hint: Any) -> st.SearchStrategy[Any]:
    if hint in SIMPLE:
        return SIMPLE[hint]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if isinstance(hint, UnionType):
        return st.one_of(st.none() if one is type(None) else _of(one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return st.lists(_of(get_args(hint)[0]), max_size=3).map(tuple)
    return values(hint)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_message_comes_back_as_it_was(kind: type):
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding
    @given(values(kind))
    def there_and_back(message: Any) -> None:
        sent = to_wire(message).SerializeToString()
        assert from_wire(kind, type(to_wire(message)).FromString(sent)) == message

    there_and_back()


def test_all_that_a_service_exchanges_is_covered():
    names = {NAMES.get(kind.__name__, kind.__name__) for kind in TYPES}
    carried = {"Item", "Rig", "Affect"} | {
        "DescribeRequest",
        "ReleaseRequest",
        "ReleaseResponse",
        "AppendResponse",
    }  # in others; of one field or none
    assert names | carried == set(pb.DESCRIPTOR.message_types_by_name)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_no_field_of_the_wire_is_without_its_message(kind: type):
    wire = getattr(pb, NAMES.get(kind.__name__, kind.__name__)).DESCRIPTOR
    assert _carried(kind, wire) == set(wire.fields_by_name)
    every = {"role"}.union(*(_carried(item, pb.Item.DESCRIPTOR) for item in ITEMS.values()))
    assert every == set(pb.Item.DESCRIPTOR.fields_by_name) and set(ITEMS.values()) == set(get_args(Item))


def _carried(kind: type, wire: Any) -> set[str]:
    hints = get_type_hints(kind)
    return set().union(*({way.wire} if way.wire else _carried(hints[way.name], wire) for way in ways(kind, wire)))


def test_a_field_without_its_like_on_the_wire_is_no_message():
    with pytest.raises(TypeError, match=r"Persona.name has no field in a2.inference.v1.Affect"):
        ways(messages.Persona, pb.Affect.DESCRIPTOR)


def test_what_a_newer_peer_says_is_read_as_far_as_it_is_known():
    newer = pb.Packet(response_id="r", done=pb.Done())
    newer.done.reason = 99
    assert from_wire(Packet, newer).done.reason == "completed"
    assert from_wire(ResponseRequest, pb.RespondRequest()).tenant_weight == 1.0
    assert from_wire(ResponseRequest, pb.RespondRequest()).options == ResponseOptions(audio=False)
    assert from_wire(UserTurn, pb.Item(role=pb.Item.USER, voice_affect=pb.Affect())).voice_affect == Affect()


def test_what_is_asked_has_to_be_known():
    with pytest.raises(ValueError, match="every item needs a role"):
        from_wire(ResponseRequest, pb.RespondRequest(items=[pb.Item(text="Hi")]))
    asked = pb.IdleRequest(session_id="s")
    asked.state = 99
    with pytest.raises(ValueError, match="unknown value 99: there are idle, listening, thinking, return"):
        from_wire(IdleRequest, asked)
    with pytest.raises(ValueError, match="temperature must be between 0 and 2, not 3"):
        from_wire(ResponseRequest, pb.RespondRequest(temperature=3))


def test_a_zero_that_was_asked_for_arrives():
    asked = ResponseRequest("s", "r", options=ResponseOptions(temperature=0.0, resume=Resume()))
    assert from_wire(ResponseRequest, to_wire(asked)) == asked


def test_messages_load_neither_torch_nor_a_service():
    program = "import sys; before = set(sys.modules); import a2llm.messages; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, timeout=60)
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert "a2llm.messages.requests" in loaded, done.stderr
    assert {name for name in loaded if not name.startswith(("a2llm.messages", "numpy"))} == {"a2llm"}


def test_a_peer_that_does_not_say_its_rate_is_on_the_media_clock():
    assert from_wire(Packet, pb.Packet()).sample_rate_hz == messages.ListenRequest("s", "u").rate_hz == RATE_HZ
