"""Measures the live service from outside: `make bench-live JSON=FILE` (about 10 minutes, most of it the cold start).

    overhead_frl_*_ms  first packet with sound and motion, asked -> at the socket, minus request -> engine (from its trace)
    barge_in_*_ms      first sample of the user's speech in the input -> last audio or motion packet received; 20 tries
    ready_warm_s       second `make up` -> /readyz says 200
    cold_ready_s       the same in a fresh copy of the working tree with an empty A2_HOME; pip and npm caches are warm

The file is written again after each step, so that what was measured stays if a later step fails.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from realtime_client import Client, microphone, session, spoken_questions
from service import Service, fresh_checkout

from a2serve.telemetry import names

LIMIT_S = 600.0
RESPONSES, TRIES, MOST_TRIES = 30, 20, 40
LONG = "Tell me a long story about a fisherman who finds a lighthouse on an island and decides to live there."
SHORT = ("What can you do?", "How do plants grow?", "Tell me about the sea.", "What is a good breakfast?", "Why is the sky blue?")
SPOKEN_BEFORE_S = 1.2  # of the answer, before the user breaks in
TRACES_S = 3.0  # exporters send twice a second
Report = dict[str, float]


def main() -> None:
    options = _options()
    report: Report = {}
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="a2-bench-") as folder:
        home = Path(folder)
        if not options.cold_only:
            _warm(home / "warm", options.json, report)
        if not options.warm_only:
            left_s = LIMIT_S - (time.monotonic() - began_s)
            with Service(home / "cold", fresh_checkout(home / "clone"), own_home=True, timeout_s=left_s) as cold:
                _keep(options.json, report, {"cold_ready_s": round(cold.ready_s, 2)})
    print(json.dumps(report, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench-live.json"))
    parser.add_argument("--warm-only", action="store_true", help="leave the cold start out")
    parser.add_argument("--cold-only", action="store_true", help="only the cold start")
    return parser.parse_args()


def _warm(folder: Path, path: Path, report: Report) -> None:
    with Service(folder):
        _say("first start done")
    with Service(folder) as service:
        _keep(path, report, {"ready_warm_s": round(service.ready_s, 2)})
        _keep(path, report, asyncio.run(overhead(service.url, service.key)))
        _keep(path, report, asyncio.run(barge_in(service.url, service.key)))


def _keep(path: Path, report: Report, more: Report) -> None:
    report |= more
    path.write_text(json.dumps(report, indent=1) + "\n")
    _say(", ".join(f"{key} {value}" for key, value in more.items()))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def overhead(url: str, key: str) -> Report:
    """FRL at the socket minus FRL inside the engine, per response."""
    at_socket: dict[str, float] = {}
    async with session(url, key) as client:
        for number in range(RESPONSES + 1):
            response_id, frl_ms = await _first_packet_ms(client, SHORT[number % len(SHORT)])
            if number:  # the first one warms up
                at_socket[response_id] = frl_ms
    await asyncio.sleep(TRACES_S)
    in_engine = await asyncio.to_thread(engine_frl_ms, url)
    differences = [frl_ms - in_engine[response_id] for response_id, frl_ms in at_socket.items() if response_id in in_engine]
    if len(differences) < RESPONSES * 0.9:
        raise RuntimeError(f"only {len(differences)} of {len(at_socket)} responses have a trace: is /debug on?")
    return {
        **_percentiles("overhead_frl", differences),
        **_percentiles("socket_frl", list(at_socket.values())),
        "overhead_responses": len(differences),
    }


async def _first_packet_ms(client: Client, text: str) -> tuple[str, float]:
    """Asked -> both sound and motion are here. The answer is kept short, and heard to its end: a cut one has no full trace."""
    response_id, asked_s = await client.ask(text, max_output_tokens=8)
    both = [await client.first(kind, response_id=response_id) for kind in ("response.output_audio.delta", "a2.motion.delta")]
    await client.first("response.done", response_id=response_id)
    return response_id, 1000 * (max(event.at_s for event in both) - asked_s)


def engine_frl_ms(url: str) -> dict[str, float]:
    """response_id -> request arrived in inference -> first packet with sound left the engine, from the traces."""
    with urllib.request.urlopen(f"{url}/debug/turns", timeout=10) as response:
        turns: list[dict[str, Any]] = json.load(response)["turns"]
    found: dict[str, float] = {}
    for turn in turns:
        bars = {bar["name"]: bar for bar in turn["bars"]}
        whole, first = bars.get(names.SPAN_INFERENCE_RESPOND), bars.get(names.SPAN_INFERENCE_FIRST_AUDIO)
        if whole and first:
            found[turn["response_id"]] = first["start_ms"] + first["duration_ms"] - whole["start_ms"]
    return found


async def barge_in(url: str, key: str) -> Report:
    """Speech over a long answer, again and again. Answers that ended before the user spoke do not count."""
    voices = spoken_questions()
    delays_ms: list[float] = []
    late = tried = 0
    while len(delays_ms) < TRIES and tried < MOST_TRIES:
        async with session(url, key) as client:
            outcome = await _break_in(client, voices[tried % len(voices)])
        tried += 1
        if outcome is not None:
            delays_ms.append(outcome[0])
            late += outcome[1]
    if len(delays_ms) < TRIES:
        raise RuntimeError(f"only {len(delays_ms)} of {tried} answers could be interrupted")
    return {**_percentiles("barge_in", delays_ms), "barge_in_tries": tried, "barge_in_late_packets": late}


async def _break_in(client: Client, voice: np.ndarray) -> tuple[float, int] | None:
    """Milliseconds until silence, and packets of the response after its end; None if the answer was over too soon."""
    async with microphone(client) as mic:
        response_id, _ = await client.ask(LONG)
        first = await client.first("response.output_audio.delta", response_id=response_id)
        await asyncio.sleep(max(0.0, first.at_s + SPOKEN_BEFORE_S - time.monotonic()))
        if _is_over(client, response_id):
            return None
        mic.say(voice)
        done = await client.first("response.done", timeout_s=15, response_id=response_id)
        await mic.said()
        await asyncio.sleep(0.5)
    details = done.body["response"].get("status_details") or {}
    if details.get("reason") != "turn_detected":
        return None
    media = [event for event in client.of(response_id) if event.is_media]
    after = [event for event in media if event.at_s > done.at_s]
    return max(0.0, 1000 * (media[-1].at_s - mic.speech_started_s)), len(after)


def _is_over(client: Client, response_id: str) -> bool:
    """Everything of it was sent."""
    return any(event.type == "response.done" for event in client.of(response_id))


def _percentiles(name: str, values_ms: list[float]) -> Report:
    p50, p95 = np.percentile(values_ms, [50, 95])
    return {f"{name}_p50_ms": round(float(p50), 1), f"{name}_p95_ms": round(float(p95), 1)}


if __name__ == "__main__":
    main()
