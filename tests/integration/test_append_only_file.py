"""Deleted data are not on Redis' disk either."""

import uuid
from pathlib import Path

import pytest
from support.servers.gateway import eventually, free_port, gateway_standing, process, run, valkey_command

from a2serve.gateway.state import append_only_file


def test_a_deleted_session_leaves_the_append_only_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_only_file, "LOOK_S", 0.2)
    monkeypatch.setattr(append_only_file, "REWRITE_S", 1)
    data, port, word = tmp_path / "valkey", free_port(), f"xyzzy{uuid.uuid4().hex}"
    data.mkdir()

    def on_disk() -> bool:
        return any(word.encode() in path.read_bytes() for path in data.rglob("*.aof"))

    async def within() -> None:
        async with gateway_standing(tmp_path, port) as made, made.client() as client:
            body = {"session": {"instructions": f"Say {word}."}}
            session = (await client.post("/v1/sessions", json=body)).json()["id"]
            assert await eventually(on_disk)
            assert (await client.delete(f"/v1/sessions/{session}")).status_code == 204
            assert await eventually(lambda: not on_disk())

    with process([*valkey_command(port, data), "--appendonly", "yes", "--appendfsync", "always"], port, tmp_path / "valkey.log"):
        run(within)
