"""Conversations at real pace for a long time: `make soak MINUTES=30 JSON=FILE`. What grows, what stutters, what fails.

soak_growth_pct   resident memory of all parts together, last tenth against the tenth after the first fifth (warm-up)
sessions_served   sessions that were opened, held a few turns, and closed
underruns         how often a player without any buffer would have run dry
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from realtime_client import Client, Microphone, microphone, play, session, spoken_questions
from service import Service
from websockets.exceptions import WebSocketException

from a2serve.local.state import Pid, State

USERS = 2
TURNS = 4  # of a session, spoken and typed in turn
SAMPLE_S = 5.0
TYPED = ("Tell me something nice.", "What should I cook tonight?", "How was your day?", "What is a rainbow?")
RESPONSE_S = 60.0


@dataclass
class Tally:
    """Counts of the run. `memory`: part -> resident bytes, one entry per sample."""

    sessions: int = 0
    turns: int = 0
    underruns: int = 0
    failures: list[str] = field(default_factory=list[str])
    memory: dict[str, list[int]] = field(default_factory=dict[str, list[int]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench-soak.json"))
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="a2-soak-") as folder, Service(Path(folder)) as service:
        asyncio.run(soak(service, options.minutes * 60, tally))
    report = summary(tally)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    if tally.failures:
        sys.exit("\n".join(tally.failures[:10]))


async def soak(service: Service, seconds: float, tally: Tally) -> None:
    until_s = time.monotonic() + seconds
    voices = spoken_questions()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch(service, until_s, tally), name="memory")
        for number in range(USERS):
            group.create_task(user(service, until_s, voices[number::USERS], tally), name=f"user {number}")


async def user(service: Service, until_s: float, voices: list[np.ndarray], tally: Tally) -> None:
    """One session after the other."""
    while time.monotonic() < until_s:
        try:
            async with session(service.url, service.key) as client, microphone(client) as mic:
                for turn in range(TURNS):
                    await one_turn(client, mic, None if turn % 2 else voices[tally.turns % len(voices)], tally)
            tally.sessions += 1
        except (TimeoutError, OSError, WebSocketException) as error:
            tally.failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")
            await asyncio.sleep(1.0)


async def one_turn(client: Client, mic: Microphone, voice: np.ndarray | None, tally: Tally) -> None:
    """Asked aloud, or typed without a voice; waits until the answer would have been heard."""
    before = len(client.events)
    if voice is None:
        await client.ask(TYPED[tally.turns % len(TYPED)])
    else:
        mic.say(voice)
    done = await client.until(lambda events: next((e for e in events[before:] if e.type == "response.done"), None), RESPONSE_S)
    heard = client.of(done.response_id)
    tally.underruns += play(heard).underruns
    tally.turns += 1
    await asyncio.sleep(2.0)  # the lead that is still to be played, and a breath


async def watch(service: Service, until_s: float, tally: Tally) -> None:
    """Samples memory and says from time to time how it goes."""
    said_s = time.monotonic()
    while time.monotonic() < until_s:
        for part, resident in memory(service.state).items():
            tally.memory.setdefault(part, []).append(resident)
        if time.monotonic() > said_s + 60:
            said_s = time.monotonic()
            whole_mb = sum(samples[-1] for samples in tally.memory.values()) / 1e6
            print(
                f"{(until_s - said_s) / 60:.0f} minutes left: {tally.sessions} sessions, {tally.turns} turns, "
                f"{tally.underruns} underruns, {whole_mb:.0f} MB, {len(tally.failures)} failures",
                file=sys.stderr,
                flush=True,
            )
        await asyncio.sleep(SAMPLE_S)


def memory(state: State) -> dict[str, int]:
    """Resident bytes of each part with its children; a part that is being restarted is left out of this sample."""
    parts: dict[str, Pid] = {**state.parts, "supervisor": state.supervisor}
    found: dict[str, int] = {}
    for name, pid in parts.items():
        try:
            process = psutil.Process(pid.pid)
            group = [process] if name == "supervisor" else [process, *process.children(recursive=True)]
            found[name] = sum(member.memory_info().rss for member in group)
        except psutil.NoSuchProcess:
            continue
    return found


def growth_pct(samples: list[int]) -> float:
    """Median of the last tenth against the median of the tenth after warm-up. Raises ValueError for fewer than ten samples."""
    if len(samples) < 10:
        raise ValueError("too short to say anything about growth")
    tenth = max(1, len(samples) // 10)
    before, after = median(samples[2 * tenth : 3 * tenth]), median(samples[-tenth:])
    return round(100 * (after - before) / before, 2)


def summary(tally: Tally) -> dict[str, float]:
    whole = [sum(sample) for sample in zip(*tally.memory.values(), strict=False)]
    each = {f"soak_growth_{part}_pct": growth_pct(samples) for part, samples in tally.memory.items()}
    return {
        "soak_growth_pct": growth_pct(whole),
        "sessions_served": tally.sessions,
        "underruns": tally.underruns,
        "turns_served": tally.turns,
        "failures": len(tally.failures),
        "memory_mb": round(whole[-1] / 1e6, 1),
        **each,
    }


if __name__ == "__main__":
    main()
