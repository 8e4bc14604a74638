"""Parts of REST without a gateway: times of a question about usage, the guard of a route, and the examples of the documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, TypeAdapter, ValidationError

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.edge.problem_responses import problem_response
from a2serve.gateway.rest import guarded
from a2serve.gateway.rest.examples import EXAMPLES
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.rest.usage import Moment, UsageBody, UsageTotal

MOMENT = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31t12:00:00.5z", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc(said: str, meant: datetime) -> None:
    assert MOMENT.validate_python(said) == meant and MOMENT.validate_python(said).utcoffset().total_seconds() == 0


@pytest.mark.parametrize("said", ["1767225600", "0001-01-01", "9999-12-31", "2026-13-01", "yesterday", "2026-01-31T25:00:00"])
def test_what_is_no_time_is_refused_and_a_number_is_none(said: str) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(said)


class Body(BaseModel):
    text: str


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A route behind the guard; the key is right where it says so."""

    async def admit(request: Any) -> str:
        if request.headers.get("authorization") != "Bearer right":
            raise Problem(Code.UNAUTHORIZED, "no")
        return "acme"

    monkeypatch.setattr(guarded, "admit", admit)
    router = APIRouter(route_class=GuardedRoute)

    @router.post("/echo")
    async def echo(body: Body) -> dict[str, str]:
        return {"text": body.text}

    @router.get("/plain")
    async def plain() -> dict[str, str]:
        return {"ok": "yes"}

    app = FastAPI()
    app.include_router(router)
    app.add_exception_handler(Problem, lambda _request, problem: problem_response(problem))
    return TestClient(app, headers={"authorization": "Bearer right"})


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def test_who_calls_is_asked_before_the_body_is_read(client: TestClient) -> None:
    wrong = {"authorization": "Bearer wrong", "content-type": "application/json"}
    assert code(client.post("/echo", content=b"{not json", headers=wrong)) == (401, "unauthorized")
    assert client.get("/plain").json() == {"ok": "yes"}


def test_a_body_says_that_it_is_json_and_is(client: TestClient) -> None:
    assert client.post("/echo", json={"text": "hi"}).json() == {"text": "hi"}
    kinds = {"application/merge-patch+json; charset=utf-8": 200, "text/plain": 415, "": 415}
    for kind, status in kinds.items():
        assert client.post("/echo", content=b'{"text": "hi"}', headers={"content-type": kind}).status_code == status, kind
    assert code(client.post("/echo", content=b'{"text": "\\ud800"}', headers={"content-type": "application/json"}))[0] == 422
    assert code(client.post("/echo", content=b"{", headers={"content-type": "application/json"}))[1] == "invalid_json"


def test_examples_of_usage_fit_their_models_and_add_up() -> None:
    body = UsageBody.model_validate(EXAMPLES["UsageBody"])
    assert body.last_id in (None, body.data[-1].group) and body.start < body.end
    for name in UsageTotal.model_fields:
        assert getattr(body.total, name) >= max(getattr(row, name) for row in body.data)


def test_an_example_is_json_and_shows_no_real_secret() -> None:
    assert len(EXAMPLES) > 10
    text = json.dumps(EXAMPLES)
    assert json.loads(text) == EXAMPLES and "a2_live" not in text
