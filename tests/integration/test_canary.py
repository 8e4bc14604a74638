"""Two versions of the model in two real hosts behind one gateway: each session hears its own, and the end of the canary is not heard."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from support.models.cli_model import write_tiny_model
from support.servers import inference as inference_server
from support.servers.failover import PlayedResponse, assert_same, play_response, speaking, talking
from support.servers.realtime import Stand, run

from a2serve.gateway.model_client.canary import CanaryInference, Choice
from a2serve.gateway.model_client.grpc_client import GrpcInference

# As in test_failover: a short lead, and no cheaper sound.
ENGINE = {"threads": 1, "lead_ms": 500, "crowded_lead_ms": 300, "fewest_levels": 8}
QUESTIONS = ("Hello you", "And now?")


@pytest.fixture
def hosts(tmp_path: Path, mini_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[inference_server.Server]]:
    """The stable version and the canary: other weights, another voice."""
    monkeypatch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
    monkeypatch.setenv("A2_HOME", str(tmp_path / "home"))
    folders = [tmp_path / "stable", tmp_path / "canary"]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        write_tiny_model(folder, seed=seed)
    with ExitStack() as both, ThreadPoolExecutor() as pool:
        starting = [
            pool.submit(both.enter_context, inference_server.running(metrics_port=-1, model_folder=folder, **ENGINE)) for folder in folders
        ]
        yield [host.result() for host in starting]


@asynccontextmanager
async def gateway(hosts: list[inference_server.Server], choice: Choice, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    """A gateway whose client of inference knows both hosts."""
    registry = CollectorRegistry()

    def made(target: str, application: str) -> CanaryInference:
        canary = GrpcInference(hosts[1].target, patience_s=0.0)
        return CanaryInference(GrpcInference(target, application=application), canary, choice, lambda: "acme", registry)

    monkeypatch.setattr("support.servers.realtime.GrpcInference", made)
    async with speaking(hosts[0].target) as stand:
        yield stand


async def calm(stand: Stand) -> list[PlayedResponse]:
    async with talking(stand) as client:
        return [await play_response(client, question) for question in QUESTIONS]


def models(stand: Stand) -> list[str]:
    """Models that answered, turn by turn."""
    return [turn.model for turn in stand.memory.turns]


def test_a_session_hears_its_version_and_the_end_of_the_canary_is_not_heard(
    hosts: list[inference_server.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with gateway(hosts, Choice(), monkeypatch) as stand:
            stable, of_stable = await calm(stand), set(models(stand))
        async with gateway(hosts, Choice(share=1.0), monkeypatch) as stand:
            canary, of_canary = await calm(stand), set(models(stand))
            assert len(of_stable) == len(of_canary) == 1 and of_stable != of_canary
            assert canary[0].sound.shape != stable[0].sound.shape or (canary[0].sound != stable[0].sound).any()
            async with talking(stand) as client:
                disturbed = await play_response(client, QUESTIONS[0], hosts[1].process.kill)
                assert disturbed.words and disturbed.gap_s < 2.0
                assert models(stand)[-1] in of_stable, "the stable version went on"
                again = await play_response(client, QUESTIONS[0])
                assert again.words and models(stand)[-1] in of_stable
            fresh = await calm(stand)  # whom the canary would have had
            for one, other in zip(fresh, stable, strict=True):
                assert_same(one, other)

    run(test)
