"""`GET /docs`: the page of the API, from this server alone."""

import re

from support.servers.gateway import GatewayStand


def test_the_api_page_needs_nobody_else(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client(key="") as client:
            page = await client.get("/docs")
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "http" not in policy and "unsafe-eval" not in policy
            linked = re.findall(r'(?:href|src)="([^"]+)"', page.text)
            assert linked and all(link.startswith(("docs/", "data:")) for link in linked)
            for link in linked:
                if not link.startswith("data:"):
                    assert (await client.get(f"/{link}")).status_code == 200, link
            assert "openapi.json" in (await client.get("/docs/start.js")).text
            assert (await client.get("/openapi.json")).json()["info"]["title"] == "A2-LLM Serve"

    stand(test)
