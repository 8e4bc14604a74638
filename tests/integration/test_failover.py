"""kill -9 of an inference host in mid-sentence: another one goes on, to the word and the sample. Tiny models in real processes.

The same for what runs in a cluster: test_cluster.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
from support.models.cli_model import write_tiny_model
from support.servers import inference as inference_server
from support.servers.failover import assert_same, play_response, speaking, talking
from support.servers.realtime import Client, Stand, run

QUESTIONS = ("Hello you", "And now?")
# A short lead, so that the gateway does not have all of an answer at once; and no cheaper sound, or a busy machine would be heard.
ENGINE = {"threads": 1, "lead_ms": 500, "crowded_lead_ms": 300, "fewest_levels": 8}


@pytest.fixture
def hosts(tmp_path: Path, mini_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[inference_server.Server]]:
    """Two, started at the same time."""
    monkeypatch.setenv("A2_MODEL", str(write_tiny_model(tmp_path)))
    monkeypatch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
    monkeypatch.setenv("A2_HOME", str(tmp_path / "home"))
    with ExitStack() as both, ThreadPoolExecutor() as pool:
        starting = [pool.submit(both.enter_context, inference_server.running(metrics_port=-1, **ENGINE)) for _ in range(2)]
        yield [host.result() for host in starting]


async def host_of(stand: Stand, client: Client, hosts: list[inference_server.Server]) -> inference_server.Server:
    address = await stand.inference.address_of(client.of("session.created")[0]["session"]["id"])
    return next(host for host in hosts if host.target == address)


def test_a_killed_host_is_not_noticed(hosts: list[inference_server.Server]) -> None:
    async def test() -> None:
        targets = ",".join(host.target for host in hosts)
        async with speaking(f"ipv4:{targets}") as stand:
            async with talking(stand) as client:
                calm = [await play_response(client, question) for question in QUESTIONS]
            async with talking(stand) as client:
                own = await host_of(stand, client, hosts)
                disturbed = [await play_response(client, QUESTIONS[0], own.process.kill), await play_response(client, QUESTIONS[1])]
                assert await host_of(stand, client, hosts) is not own
        assert [host.process.poll() is not None for host in hosts] == [host is own for host in hosts]
        for one, other in zip(disturbed, calm, strict=True):
            assert_same(one, other)
        assert disturbed[0].gap_s < 2.0, disturbed[0].gap_s
        assert disturbed[1].usage["input_token_details"]["cached_tokens"] == calm[1].usage["input_token_details"]["cached_tokens"]

    run(test)


def test_both_hosts_have_work_and_the_end_of_one_moves_what_it_says(hosts: list[inference_server.Server]) -> None:
    async def test() -> None:
        async with speaking(f"ipv4:{','.join(host.target for host in hosts)}") as stand, AsyncExitStack() as sockets:
            talkers: dict[int, Client] = {}  # one at each host
            while len(talkers) < 2:
                client = await sockets.enter_async_context(talking(stand))
                talkers[hosts.index(await host_of(stand, client, hosts))] = client
            one, other = talkers[0], talkers[1]
            disturbed = await asyncio.gather(play_response(one, QUESTIONS[0], hosts[0].process.kill), play_response(other, QUESTIONS[0]))
            calm = await asyncio.gather(play_response(one, QUESTIONS[1]), play_response(other, QUESTIONS[1]))
            assert all(each.words and len(each.sound) for each in (*disturbed, *calm))
            assert max(each.gap_s for each in disturbed) < 2.0
            assert await host_of(stand, one, hosts) is await host_of(stand, other, hosts) is hosts[1]

    run(test)
