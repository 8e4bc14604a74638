"""Attacks the settings that a client secret fixes: every field of the session's schema, in every way, through every entry
(tests/support/secrets/attacks.py)."""

from bench.attack.stand import Stand
from support.secrets.attacks import attack
from support.servers.gateway import gateway_standing

from a2serve.local.ports import HOST


async def escapes(stand: Stand) -> dict[str, float]:
    """Against a gateway of its own, whose model says what it was asked."""
    folder = stand.folder / "escapes"
    folder.mkdir()
    port = stand.parts["valkey"].port
    async with gateway_standing(folder, port, redis_url=f"redis://{HOST}:{port}/1") as made:  # the quotas of others are not touched
        file = made.settings.tenants_file
        file.write_text(file.read_text().replace("burst_requests = 60", "burst_requests = 1000000"))
        tried = await attack(made)
    return {"secret_escapes_tried": len(tried), "secret_escapes": sum(each.escaped for each in tried)}
