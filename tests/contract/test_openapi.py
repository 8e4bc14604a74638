"""The OpenAPI document is valid, complete, and says which errors there are."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from a2serve.contracts.events import SERVER_EVENTS, write_event
from a2serve.gateway.app import create_app
from a2serve.gateway.settings import GatewaySettings

ROUTES = {
    "/v1/sessions": {"get", "post"},
    "/v1/sessions/{session_id}": {"get", "delete"},
    "/v1/sessions/{session_id}/items": {"get"},
    "/v1/sessions/{session_id}/turns": {"post"},
    "/v1/realtime/client_secrets": {"post"},
    "/v1/realtime/client_secrets/{secret_id}": {"delete"},
    "/v1/avatars": {"get"},
    "/v1/personas": {"get", "post"},
    "/v1/personas/{name}": {"delete"},
    "/v1/usage": {"get"},
    "/v1/traces": {"post"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/statusz": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    return create_app(GatewaySettings(tenants_file=folder / "tenants.toml", profile="local")).openapi()


def test_it_is_valid_and_lists_every_route(document: dict[str, Any]) -> None:
    validate(document)
    assert {path: set(operations) for path, operations in document["paths"].items()} == ROUTES


def test_every_answer_has_an_example_that_is_right(document: dict[str, Any]) -> None:
    shown = {
        response["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        for operations in document["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        if "$ref" in response.get("content", {}).get("application/json", {}).get("schema", {})
    }
    schemas = document["components"]["schemas"]
    for name in sorted((shown | {"ProblemBody"}) - {"Health"}):
        (example,) = schemas[name]["examples"]
        Draft202012Validator({"$ref": f"#/components/schemas/{name}"} | {"components": document["components"]}).validate(example)


def test_events_of_a_stream_are_declared(document: dict[str, Any]) -> None:
    response = document["paths"]["/v1/sessions/{session_id}/turns"]["post"]["responses"]["200"]
    event = response["content"]["text/event-stream"]["schema"]["properties"]
    choices = event["data"]["contentSchema"]["oneOf"]
    assert len(choices) == len(event["event"]["enum"]) == len(SERVER_EVENTS)
    said = {"event_id": "e1"} | read_example("response.output_audio.delta")
    fitting = [choice for choice in choices if Draft202012Validator(choice | {"components": document["components"]}).is_valid(said)]
    assert fitting == [{"$ref": "#/components/schemas/event.AudioDelta"}]


def read_example(kind: str) -> dict[str, Any]:
    common = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0, "delta": "AAAA"}
    return json.loads(write_event(SERVER_EVENTS[kind].model_validate({"type": kind} | common)))


def test_every_operation_is_described_and_guarded(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"] and operation["description"], path
            if not path.startswith("/v1/"):
                continue
            assert operation["security"], path
            for status, response in operation["responses"].items():
                assert "x-request-id" in response["headers"]
                if status >= "400":
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ProblemBody"}, (path, status)
                    assert "application/json" not in response["content"], (path, status)
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), path
