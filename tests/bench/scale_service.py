"""The live service under load: how soon N people at once hear and see the first sound, and how fast one too many is refused."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from realtime_client import PLAYER_BUFFER_S, Client, play, session
from service import Service

QUESTIONS = [line for line in (Path(__file__).parent / "forty_questions.txt").read_text().splitlines() if line]
STORY = "Tell me a long story about a fisherman who finds a lighthouse on an island and decides to live there."
REFUSALS = Path(__file__).with_name("refusals.py")
RUN_S = 45.0
AGAIN_S = 0.5  # after the answer has been heard; people think longer: the harder case
AGAIN_REFUSED_S = 1.5
MEDIA = ("response.output_audio.delta", "a2.motion.delta")


@dataclass
class Sounds:
    """Sound that all people of a run received."""

    first_ms: list[float] = field(default_factory=list)
    underruns: int = 0
    refused: int = 0


def measure_service(folder: Path, slots: int, say: Callable[[str], None]) -> dict[str, Any]:
    """frl_p50_ms_at_N and frl_p95_ms_at_N for 1, 2, 4, 8, all slots (max) and twice as many people (overload), and refused_p95_ms."""
    (folder / "tenants.toml").write_text("[tenants.dev]\nmax_sessions = 1000\n")
    with Service(folder, checkout=None, settings={"A2_INFERENCE_SLOTS": str(slots)}) as service:
        return asyncio.run(_measure(service, slots, say))


async def _measure(service: Service, slots: int, say: Callable[[str], None]) -> dict[str, Any]:
    report: dict[str, Any] = {"slots": slots}
    crowds: dict[int, Sounds] = {}
    for name, people in levels(slots).items():
        heard = crowds[people] = crowds.get(people) or await _crowd(service, people)
        found = {
            **percentiles("frl", heard.first_ms, f"_at_{name}"),
            f"underruns_at_{name}": heard.underruns,
            f"refused_at_{name}": heard.refused,
            f"turns_at_{name}": len(heard.first_ms),
        }
        say(f"{people} people: {found}")
        report |= found
    refused = await _refusals(service, slots)
    say(f"refusals: {refused}")
    return report | refused


def levels(slots: int) -> dict[str, int]:
    """How many people at once, by the name that a number of the report ends with."""
    return {**{str(n): n for n in (1, 2, 4, 8) if n <= slots}, "max": slots, "overload": 2 * slots}


async def _crowd(service: Service, people: int) -> Sounds:
    """So many people who ask, listen, and ask again."""
    heard, until_s = Sounds(), time.monotonic() + RUN_S
    async with asyncio.TaskGroup() as group:
        for number in range(people):
            group.create_task(_person(service, number, people, until_s, heard))
    return heard


async def _person(service: Service, number: int, people: int, until_s: float, heard: Sounds) -> None:
    await asyncio.sleep(3.0 * number / people)
    async with session(service.url, service.key) as client:
        turn = 0
        while time.monotonic() < until_s:
            turn += 1
            ends_s = await _turn(client, QUESTIONS[(7 * number + turn) % len(QUESTIONS)], heard, warm=turn > 1)
            client.events.clear()
            await asyncio.sleep(max(0.0, ends_s - time.monotonic()) + AGAIN_S)


async def _turn(client: Client, text: str, heard: Sounds, warm: bool) -> float:
    """One question; returns when its answer has been heard (time.monotonic()). A refused one is asked again two seconds later.
    The first of a session counts as a turn, not as a time."""
    response_id, asked_s = await client.ask(text)
    done = await client.first("response.done", response_id=response_id)
    events = client.of(response_id)
    if done.body["response"]["status"] == "failed":
        heard.refused += 1
        return done.at_s + AGAIN_REFUSED_S
    firsts = [next((e.at_s for e in events if e.type == kind), None) for kind in MEDIA]
    if warm and None not in firsts:
        heard.first_ms.append(1000 * (max(at_s for at_s in firsts if at_s) - asked_s))
    playback = play(events, PLAYER_BUFFER_S)
    heard.underruns += playback.underruns
    return playback.ends_s


async def _refusals(service: Service, slots: int) -> dict[str, Any]:
    """Turns by REST while every slot speaks: each has to be a 503 that says when to come again. Asked by a process of its own, as
    another client would: this one is busy with what the others hear."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(slots):
            group.create_task(_talk_on(service, over))
        await asyncio.sleep(4.0)
        asking = await asyncio.create_subprocess_exec(sys.executable, REFUSALS, service.url, service.key, stdout=asyncio.subprocess.PIPE)
        out, _ = await asking.communicate()
        over.set()
    if asking.returncode:
        raise RuntimeError(f"{REFUSALS.name} ended with {asking.returncode}")
    found = json.loads(out)
    return {**percentiles("refused", found["took_ms"]), "refused_n": len(found["took_ms"]), "not_refused_n": found["answered"]}


def percentiles(name: str, values_ms: list[float], suffix: str = "") -> dict[str, float]:
    """NAME_p50_ms and NAME_p95_ms; not a number without values."""
    p50, p95 = np.percentile(values_ms or [float("nan")], [50, 95])
    return {f"{name}_p50_ms{suffix}": round(float(p50), 1), f"{name}_p95_ms{suffix}": round(float(p95), 1)}


async def _talk_on(service: Service, over: asyncio.Event) -> None:
    """Keeps a slot speaking."""
    async with session(service.url, service.key) as client:
        while not over.is_set():
            response_id, _ = await client.ask(STORY)
            done = await client.first("response.done", response_id=response_id)
            client.events.clear()
            if done.body["response"]["status"] == "failed":
                await asyncio.sleep(AGAIN_REFUSED_S)
