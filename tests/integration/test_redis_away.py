"""Redis is away when a client leaves: the bill, the answer and the end of the session wait on disk and arrive once."""

import asyncio
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.servers.gateway import (
    GatewayProcess,
    bills,
    eventually,
    free_port,
    gateway_process,
    process,
    records,
    run,
    scripted,
    valkey_command,
)
from support.servers.realtime import Script

from a2serve.contracts.records import SessionRecord, TurnRecord
from a2serve.gateway.tenants import create_key

LONGER_THAN_A_DRAIN_S = 7.0


class Valkey:
    """Stopped, continued, killed, started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.held = folder, free_port(), ExitStack()
        self.running: subprocess.Popen[bytes]

    def start(self) -> None:
        command = process(valkey_command(self.port, self.folder), self.port, self.folder / "valkey.log")
        self.running = self.held.enter_context(command)


@pytest.fixture
def valkey_of_one(tmp_path: Path) -> Iterator[Valkey]:
    made = Valkey(tmp_path)
    with made.held:
        made.start()
        yield made


async def talk_and_leave(gateway: GatewayProcess, away: Callable[[], None]) -> tuple[str, dict[str, Any]]:
    async with gateway.talking() as client:
        await client.ask("Hello")
        await client.until("response.done")
        await asyncio.sleep(1)  # all of that is written
        away()
        await client.ask("And now?")
        done = (await client.until("response.done"))["response"]
    return client.events[0]["session"]["id"], done


@pytest.mark.parametrize("how", ["stopped", "stopped, and the gateway is killed", "killed, and comes back empty"])
def test_nothing_of_it_is_lost(valkey_of_one: Valkey, tmp_path: Path, how: str) -> None:
    valkey = valkey_of_one

    async def within() -> None:
        avatar, inference = await scripted(Script(packets=20))
        key, _ = create_key(tmp_path / "tenants.toml", "acme")
        settings = {"SPOOL_FOLDER": tmp_path / "spool", "LOST_AFTER_S": 5}
        async with gateway_process(tmp_path, valkey.port, inference, key, **settings) as gateway:
            signal_of = signal.SIGKILL if "empty" in how else signal.SIGSTOP
            session_id, done = await talk_and_leave(gateway, lambda: valkey.running.send_signal(signal_of))
            await asyncio.sleep(LONGER_THAN_A_DRAIN_S)
            assert any(path.stat().st_size for path in (tmp_path / "spool").rglob("*.jsonl"))
            if "gateway" in how:
                gateway.running.kill()
                await gateway.running.wait()
            if "empty" in how:
                valkey.held.close()
                valkey.start()
            else:
                valkey.running.send_signal(signal.SIGCONT)
            if "gateway" in how:
                async with gateway_process(tmp_path, valkey.port, inference, key, **settings) as other:
                    await arrived(valkey.port, other, session_id, done, whole=True)
            else:
                await arrived(valkey.port, gateway, session_id, done, whole="empty" not in how)
        await avatar.stop(None)

    run(within)


async def arrived(port: int, gateway: GatewayProcess, session_id: str, done: dict[str, Any], whole: bool) -> None:
    """`whole`: Redis kept what it had."""
    (bill,) = await eventually(lambda: [bill for bill in bills(port) if bill.response_id == done["id"]])
    usage = done["usage"]
    assert (bill.input_tokens, bill.output_text_tokens) == (usage["input_tokens"], usage["output_token_details"]["text_tokens"])
    assert await eventually(lambda: [turn for turn in records(port, TurnRecord) if turn.response_id == done["id"]])
    (closed,) = await eventually(lambda: [record for record in records(port, SessionRecord) if record.event == "closed"])
    assert (closed.session_id, closed.cause, closed.turns) == (session_id, "client_left", 2)
    if not whole:
        return
    async with gateway.client() as rest:
        items = f"/v1/sessions/{session_id}/items"

        async def kept() -> list[str]:
            response = await rest.get(items)
            return [item["role"] for item in response.json().get("data", [])] if response.status_code == 200 else []

        expected = ["user", "assistant"] * 2
        await eventually(lambda: _is(kept, expected))
        await asyncio.sleep(7)  # whoever settles for the lost adds nothing
        assert await kept() == expected
    assert len([bill for bill in bills(port) if bill.response_id == done["id"]]) == 1


async def _is(kept: Callable[[], Any], expected: list[str]) -> bool:
    return await kept() == expected
