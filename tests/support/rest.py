"""Requests that every test of REST makes, and the checks of what comes back."""

from typing import Any

import httpx


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["type"].rsplit("/", 1)[1]) == (status, code, code)
    assert body["title"] and body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


async def new_session(client: httpx.AsyncClient, **body: Any) -> str:
    response = await client.post("/v1/sessions", json=body)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/v1/sessions/{response.json()['id']}"
    return response.json()["id"]


async def pages(client: httpx.AsyncClient, path: str, **asked: Any) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    after: dict[str, Any] = {}
    while True:
        response = await client.get(path, params=asked | after)
        assert response.status_code == 200, response.text
        body = response.json()
        found.append(body["data"])
        if not body["has_more"]:
            return found
        after = {"after": body["last_id"]}
