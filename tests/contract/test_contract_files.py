"""Generated files for other languages are what a fresh run would write, and JSON Schema agrees with our models."""

import json

from a2serve.contracts import generate
from a2serve.contracts.events import CLIENT_EVENTS, SERVER_EVENTS


def test_generated_files_are_fresh():
    for name, text in generate.files().items():
        assert (generate.OUT / name).read_text() == text, f"run: python -m a2serve.contracts.generate ({name} is old)"


def test_every_event_is_in_the_schema():
    definitions = json.loads((generate.OUT / "schema.json").read_text())["$defs"]
    named = {body["properties"]["type"].get("const") for body in definitions.values() if "type" in body.get("properties", {})}
    assert set(CLIENT_EVENTS) | set(SERVER_EVENTS) <= named
    references = {text.rsplit("/", 1)[1] for text in json.dumps(definitions).split('"') if text.startswith("#/$defs/")}
    assert references <= set(definitions)
