"""Measures what our model adds to an endpoint's first words: from its first chunk to the first packet with sound (byo_frl_added_ms).

`python tests/bench/byo.py --json byo.json [--asks 20] [--pace-ms 15]`: inference as a process of its own, an endpoint over HTTP that
thinks for a second and then streams at that pace, and the gateway's own client between them. Beside it: `whole`, where the endpoint
sends all of it as one chunk; `unread`, the ablation, where the endpoint does not think, so that the conversation was not read before;
and `own`, our own model's first packet with sound for the same question, under the same load.
"""

import argparse
import asyncio
import ipaddress
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `support` is

from opentelemetry import trace
from prometheus_client import CollectorRegistry
from support.servers import inference
from support.servers.endpoint import Endpoint, endpoint_serving

from a2llm.messages import AssistantTurn, Item, ResponseOptions, ResponseRequest, UserTurn
from a2serve.gateway.language_model.body import LanguageModelBody
from a2serve.gateway.language_model.egress import Egress
from a2serve.gateway.language_model.responses import EndpointResponses
from a2serve.gateway.model_client.grpc_client import GrpcInference

SAID = ["Well", ",", " the", " harbour", " is", " a", " short", " walk", " from", " here", ",", " and", " very", " lovely", "."]
HISTORY: tuple[Item, ...] = (UserTurn("Good morning, I have just arrived."), AssistantTurn("Welcome, how nice to see you."))
INSTRUCTIONS = "You are the concierge of a small hotel. Be brief and kind."


class Timed(Endpoint):
    """Knows when its first words left."""

    first_words_s = 0.0

    def _chunk(self, delta: dict[str, object], finish: str | None = None) -> bytes:
        if delta.get("content") and not self.first_words_s:
            self.first_words_s = time.perf_counter()
        return super()._chunk(delta, finish)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--asks", type=int, default=20)
    parser.add_argument("--pace-ms", type=float, default=15.0, help="between two chunks of the endpoint")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with inference.running() as server:
        figures = asyncio.run(_measure(server.port, arguments.asks, arguments.pace_ms / 1000))
    figures |= {"byo_asks": arguments.asks, "byo_pace_ms": arguments.pace_ms, "machine_load_average_before": round(load, 2)}
    text = json.dumps(figures, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


async def _measure(port: int, asks: int, pace_s: float) -> dict[str, float]:
    found: dict[str, float] = {}
    cases = {"": (SAID, 1.0), "_whole": (["".join(SAID)], 1.0), "_unread": (SAID, 0.0)}
    async with _client(port) as client:
        for name, (words, thinks_s) in cases.items():
            times = [await _added_ms(client, f"{name}-{number}", words, thinks_s, pace_s) for number in range(-1, asks)][1:]
            found[f"byo_frl_added{name}_ms"] = round(statistics.median(times), 1)
            found[f"byo_frl_added{name}_p95_ms"] = round(sorted(times)[int(0.95 * len(times))], 1)
        own = [await _own_ms(client, str(number)) for number in range(-1, asks)][1:]
        found["byo_own_frl_ms"] = round(statistics.median(own), 1)
    return found


@asynccontextmanager
async def _client(port: int) -> AsyncIterator[GrpcInference]:
    client = GrpcInference(f"127.0.0.1:{port}")
    yield client
    await client.close()


async def _added_ms(client: GrpcInference, name: str, words: list[str], thinks_s: float, pace_s: float) -> float:
    egress = Egress(["127.0.0.1"], [ipaddress.ip_network("127.0.0.0/8")])
    async with endpoint_serving(Timed(words=words, first_s=thinks_s, pace_s=pace_s)) as endpoint:
        endpoints = EndpointResponses(egress, CollectorRegistry(), trace.NoOpTracer())
        request = _request(name)
        first_s = 0.0
        async for packet in endpoints.respond(LanguageModelBody(url=endpoint.url, model="m"), request, client):
            if packet.pcm16 and not first_s:
                first_s = time.perf_counter()
        await endpoints.close()
        await client.release(request.session_id)
        return (first_s - endpoint.first_words_s) * 1000


async def _own_ms(client: GrpcInference, name: str) -> float:
    request, asked_s, first_s = _request(f"own-{name}"), time.perf_counter(), 0.0
    async for packet in client.respond(request):
        if packet.pcm16 and not first_s:
            first_s = time.perf_counter()
    await client.release(request.session_id)
    return (first_s - asked_s) * 1000


def _request(name: str) -> ResponseRequest:
    items = (*HISTORY, UserTurn("Where can I see the sea?"))
    return ResponseRequest(f"s{name}", f"r{name}", items, ResponseOptions(1), instructions=INSTRUCTIONS, motion_hz=40)


if __name__ == "__main__":
    main()
