"""Personas and avatars to choose from: one's own, and by page."""

from support.rest import check_problem, new_session, pages
from support.servers.gateway import GatewayStand


def test_personas_of_ones_own(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            mine = {"name": "concierge", "instructions": "You are a concierge.", "affect_baseline": {"category": "joy", "intensity": 0.3}}
            created = await client.post("/v1/personas", json=mine)
            assert created.status_code == 201 and created.json()["own"] is True
            check_problem(await client.post("/v1/personas", json=mine), 409, "conflict")
            check_problem(await client.post("/v1/personas", json=mine | {"name": "ada"}), 409, "conflict")
            grumpy = mine | {"name": "x", "affect_baseline": {"category": "grumpy", "intensity": 1}}
            check_problem(await client.post("/v1/personas", json=grumpy), 422, "unsupported")
            rows = (await client.get("/v1/personas")).json()["data"]
            assert {row["name"]: (row["own"], row["voice"]) for row in rows} == {"ada": (False, "hibari"), "concierge": (True, "hibari")}
            session_id = await new_session(client, session={"a2": {"persona": "concierge"}})
            await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": False})
            request = made.script.requests[0]
            assert (request.persona, request.instructions) == ("", "You are a concierge.")
            assert request.affect_baseline.category == "joy"
            assert (await client.delete("/v1/personas/concierge")).status_code == 204

    stand(test)


def test_personas_by_page(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            for name in ("zoe", "aaron", "bob"):
                await client.post("/v1/personas", json={"name": name, "instructions": "x"})
            found = await pages(client, "/v1/personas", limit=2)
            assert [[row["name"] for row in page] for page in found] == [["ada", "aaron"], ["bob", "zoe"]]
            await client.delete("/v1/personas/aaron")
            behind = (await client.get("/v1/personas?after=aaron")).json()
            assert [row["name"] for row in behind["data"]] == ["bob", "zoe"], "one that is gone is a place all the same"
            check_problem(await client.get("/v1/personas?limit=0"), 422, "invalid_value")

    stand(test)
