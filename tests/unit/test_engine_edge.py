"""The engine's edge: what is in it changes by its methods alone, and a service knows its public names alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.models import tiny

from a2llm.engine import Conversation, Engine, Plan, PrefixCache, Response, everybody
from a2llm.engine.marks import Marks
from a2llm.engine.media import ResponseMedia
from a2llm.engine.slot import Slot
from a2llm.engine.text import ResponseText
from a2llm.language.chat import find_persona
from a2llm.messages import ResponseOptions, UserTurn

ROOT = Path(__file__).parents[2]
CLASSES = (Engine, Conversation, Response, ResponseText, ResponseMedia, Marks, Slot, PrefixCache, Plan)
OUTSIDE = ("services/a2serve/inference", "models/a2llm/evaluation")  # who computes with an engine


def public(kind: type) -> set[str]:
    """Names of what can be read of an object."""
    return {name for name in dir(kind) if not name.startswith("_") and not callable(getattr(kind, name))}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in OUTSIDE:
        for path in (ROOT / folder).rglob("*.py"):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def stored(tree: ast.Module) -> set[str]:
    """Attributes that a module assigns to, or deletes from, objects other than `self`."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)]
    return {node.attr for node in found if not (isinstance(node.value, ast.Name) and node.value.id == "self")}


@pytest.mark.parametrize("kind", CLASSES)
def test_what_can_be_read_cannot_be_assigned(kind: type):
    assert public(kind)
    for name in public(kind) - ({"go_on", "prompts", "read_ahead", "audio_levels"} if kind is Plan else set()):
        assert isinstance(getattr(kind, name), property) and getattr(kind, name).fset is None, name


def test_objects_have_no_field_beside_their_properties():
    engine = Engine(tiny.parts(), 1, 512)
    conversation = engine.open_conversation(find_persona("ada"))
    response = engine.respond(conversation, [UserTurn("Hello")], ResponseOptions(1))
    for thing in (engine, conversation, conversation.slot, response.text, response.media, engine.prefixes):
        assert [name for name in vars(thing) if not name.startswith("_")] == []
    for thing in (response, response.marks, everybody(engine)):
        assert not hasattr(thing, "__dict__")


def test_nobody_outside_assigns_a_field_of_the_engine():
    names = set[str]().union(*(public(kind) for kind in CLASSES))
    assert len(names) > 40
    assert {path: stored(tree) & names for path, tree in modules() if stored(tree) & names} == {}


def test_nobody_outside_reaches_into_the_engines_package():
    for path, tree in modules():
        sources = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert [source for source in sources if source.startswith("a2llm.engine.")] == [], path


def test_an_assignment_would_be_seen():
    tree = ast.parse("engine.responses = []\nself.responses = []\nfor r.affect in (): pass\ndel conversation.persona")
    assert stored(tree) == {"responses", "affect", "persona"}
