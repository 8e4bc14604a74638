"""GET /docs: the OpenAPI document as Swagger UI, from this server alone, so that it works without the internet.

Swagger UI (Apache-2.0) comes in the wheel of `fastapi-offline` (MIT), which is found but never imported.
"""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

STYLE, SCRIPT = "swagger-ui.css", "swagger-ui-bundle.js"
# Swagger UI writes style attributes and draws its icons as data URLs; everything else is files of ours.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A2-LLM Serve: REST API</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="docs/{STYLE}">
</head>
<body><div id="api"></div><script src="docs/{SCRIPT}"></script><script src="docs/start.js"></script></body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
"""
KEPT = {"cache-control": "public, max-age=86400"}


def docs_routes() -> APIRouter:
    """Raises FileNotFoundError where the wheel is not installed."""
    folder, router = _folder(), APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def page() -> Response:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse(PAGE, headers={"content-security-policy": POLICY})

    @router.get("/docs/start.js")
    async def start() -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(START, media_type="text/javascript")

    @router.get(f"/docs/{STYLE}")
    async def style() -> Response:  # pyright: ignore[reportUnusedFunction]
        return FileResponse(folder / STYLE, headers=KEPT)

    @router.get(f"/docs/{SCRIPT}")
    async def script() -> Response:  # pyright: ignore[reportUnusedFunction]
        return FileResponse(folder / SCRIPT, headers=KEPT)

    return router


def _folder() -> Path:
    spec = find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the fastapi-offline package is not installed: pip install fastapi-offline==1.7.7")
    return Path(spec.submodule_search_locations[0]) / "static"
