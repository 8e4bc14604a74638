"""The site beside the API: heads for everybody, the page for this site alone, and other origins where they were named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from a2serve.gateway.realtime.connection.socket_route import RealtimeService
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.site import PAGE_POLICY, add_site

OTHER = {"origin": "https://shop.example"}


def client(tmp_path: Path, **settings: Any) -> TestClient:
    web, heads = tmp_path / "web", tmp_path / "heads"
    for folder in (web, heads):
        folder.mkdir()
    (web / "index.html").write_text("<p>page</p>")
    (heads / "woman.glb").write_bytes(b"glTF")
    (heads / "recipe.txt").write_text("not for everybody")
    app = FastAPI()

    @app.get("/v1/avatars")
    def avatars() -> list[str]:
        return ["woman"]

    realtime = RealtimeService(SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    add_site(app, GatewaySettings(web_folder=web, avatars_folder=heads, **settings), realtime)
    return TestClient(app)


def test_the_page_may_load_its_own_things_and_nobody_may_frame_it(tmp_path: Path):
    page = client(tmp_path).get("/")
    assert (page.status_code, page.text) == (200, "<p>page</p>")
    assert page.headers["content-security-policy"] == PAGE_POLICY and "frame-ancestors 'none'" in PAGE_POLICY


def test_what_is_no_file_of_the_page_is_not_found_and_nothing_can_be_sent_to_it(tmp_path: Path):
    made = client(tmp_path)
    assert made.get("/nothing").status_code == 404 and made.post("/", content=b"x").status_code == 404
    assert made.get("/v1/avatars").json() == ["woman"], "routes come before it"


def test_heads_are_for_everybody_and_nothing_else_of_their_folder(tmp_path: Path):
    made = client(tmp_path)
    head = made.get("/avatars/woman.glb", headers=OTHER)
    assert (head.content, head.headers["access-control-allow-origin"]) == (b"glTF", "*")
    assert made.get("/avatars/recipe.txt").status_code == 404
    assert made.get("/avatars/..%2Fweb%2Findex.html").status_code == 404


@pytest.mark.parametrize(
    ("origins", "allowed"), [([], None), (["https://shop.example"], "https://shop.example"), (["https://a.example"], None)]
)
def test_the_api_answers_the_origins_that_were_named(tmp_path: Path, origins: list[str], allowed: str | None):
    received = client(tmp_path, cors_origins=origins).get("/v1/avatars", headers=OTHER)
    assert received.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize(("profile", "there"), [("local", True), ("server", False)])
def test_the_secret_of_this_machine_is_there_with_the_local_profile_alone(tmp_path: Path, profile: str, there: bool):
    asked = client(tmp_path, profile=profile).post("/local/session")
    assert (asked.status_code == 405) == there, "a route that takes GET alone"
