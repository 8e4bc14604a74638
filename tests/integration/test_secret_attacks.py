"""Nothing that a client secret fixes can be changed: attempts over the whole schema of a session, through every entry (support/secrets)."""

from collections import Counter
from pathlib import Path

import pytest
from support.secrets.attacks import VALUES, attack, fields
from support.servers.gateway import gateway_standing, run
from support.servers.realtime import Script

from a2serve.gateway.access import client_secrets


def test_every_field_of_the_schema_is_tried() -> None:
    assert sorted(VALUES) == sorted(fields())


def _attacked(folder: Path, valkey_port: int) -> list[str]:
    escaped: list[str] = []

    async def test() -> None:
        async with gateway_standing(folder, valkey_port, Script(packets=2)) as made:
            text = made.settings.tenants_file.read_text().replace("max_sessions = 20", "max_sessions = 1000")
            text = text.replace("requests_per_minute = 600", "requests_per_minute = 1000000")
            made.settings.tenants_file.write_text(text.replace("burst_requests = 60", "burst_requests = 100000"))
            tries = await attack(made)
            by_entry = Counter(tried.entry for tried in tries)
            print(len(tries), dict(by_entry))
            assert len(tries) >= 300 and min(by_entry.values()) >= 2
            assert {tried.path for tried in tries} == set(VALUES)
            escaped.extend(f"{tried.entry}: {tried.path}: {tried.way}" for tried in tries if tried.escaped)

    run(test)
    return escaped


def test_what_a_secret_fixes_holds_against_every_attempt(valkey_port: int, tmp_path: Path) -> None:
    assert _attacked(tmp_path, valkey_port) == []


def test_the_attempts_find_what_is_not_held(valkey_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check after merging, every field is changed through its own entry."""
    monkeypatch.setattr(client_secrets, "check_settings", lambda *_: None)
    escaped = _attacked(tmp_path, valkey_port)
    assert {f"session.update: {path}: other" for path in VALUES} <= set(escaped)
    assert "session.update: a2.persona: null a2" in escaped and "response.create: instructions: other" in escaped
