"""kill -9 of an inference host in mid-sentence: another one goes on, to the word and the sample. Tiny models in real processes.

The same for what runs in a cluster: test_cluster.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import inference_server
import pytest
from cli_model import write_tiny_model
from failover_stand import answer, assert_same, speaking, talking
from realtime_stand import run

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


def test_a_killed_host_is_not_noticed(hosts: list[inference_server.Server]) -> None:
    async def test() -> None:
        targets = ",".join(host.target for host in hosts)
        async with speaking(f"ipv4:{targets}") as stand:
            async with talking(stand) as client:
                calm = [await answer(client, question) for question in QUESTIONS]
            async with talking(stand) as client:
                disturbed = [await answer(client, QUESTIONS[0], hosts[0].process.kill), await answer(client, QUESTIONS[1])]
        assert hosts[0].process.poll() is not None
        for one, other in zip(disturbed, calm, strict=True):
            assert_same(one, other)
        assert disturbed[0].gap_s < 2.0, disturbed[0].gap_s
        assert disturbed[1].usage["input_token_details"]["cached_tokens"] == calm[1].usage["input_token_details"]["cached_tokens"]

    run(test)
