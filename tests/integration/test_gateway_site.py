"""The page on a machine of one's own: its secret, its files, /debug."""

from pathlib import Path

from support.rest import check_problem
from support.servers.gateway import GatewayStand


def test_the_page_of_this_machine(stand, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>hello</h1>")
    heads = tmp_path / "heads"
    heads.mkdir()
    (heads / "ada.glb").write_bytes(b"glTF")
    (heads / "README.md").write_text("not a head")

    async def test(made: GatewayStand) -> None:
        async with made.client(key="") as client:
            assert "hello" in (await client.get("/")).text
            head = await client.get("/avatars/ada.glb", headers={"origin": "https://shop.example"})
            assert head.content == b"glTF" and head.headers["access-control-allow-origin"] == "*"
            check_problem(await client.get("/avatars/README.md"), 404, "not_found")
            check_problem(await client.get("/no/such.js"), 404, "not_found")
            check_problem(await client.post("/nothing"), 404, "not_found")
            minted = await client.get("/local/session", headers={"origin": made.url})
            assert minted.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in minted.headers
            for odd in ({"origin": "https://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
                check_problem(await client.get("/local/session", headers=odd), 403, "forbidden")
            async with made.client(key=minted.json()["value"]) as own:
                check_problem(await own.get("/v1/avatars"), 403, "forbidden")
                rows = (await own.get("/v1/avatars", headers={"origin": made.url})).json()["data"]
                assert rows == [{"name": "ada", "object": "a2.avatar", "url": "/avatars/ada.glb", "rigs": ["arkit61"]}]

    stand(test, profile="local", web_folder=page, avatars_folder=heads, local_tenant="acme")

    async def elsewhere(made: GatewayStand) -> None:
        async with made.client(key="") as client:
            check_problem(await client.get("/local/session"), 404, "not_found")

    stand(elsewhere)
