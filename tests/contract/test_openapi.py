"""The OpenAPI document is valid, complete, and says which errors there are."""

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from a2serve.gateway.app import create_app
from a2serve.gateway.settings import GatewaySettings

ROUTES = {
    "/v1/sessions": {"post"},
    "/v1/sessions/{session_id}": {"get", "delete"},
    "/v1/sessions/{session_id}/items": {"get"},
    "/v1/sessions/{session_id}/turns": {"post"},
    "/v1/realtime/client_secrets": {"post"},
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


def test_every_operation_is_described_and_guarded(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"] and operation["description"], path
            if not path.startswith("/v1/"):
                continue
            assert operation["security"], path
            for status, answer in operation["responses"].items():
                assert "x-request-id" in answer["headers"]
                if status >= "400":
                    schema = answer["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ProblemBody"}, (path, status)
                    assert "application/json" not in answer["content"], (path, status)
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), path
