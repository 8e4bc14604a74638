"""Measures hearing: CPU seconds of one ear worker for an utterance, as a gateway sends it. Spoken questions, each with its pause.

`python tests/bench/ears.py --json ears.json [--clips 24]`. CPU time and not the clock's: it says little less on a busy machine.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as an ear worker has it (A2_INFERENCE_EAR_THREADS)

import numpy as np

from a2llm.listening.listener import Listener
from a2llm.messages import ListenRequest
from a2llm.pcm16 import to_pcm16
from a2llm.sound_files import read_audio
from a2serve.inference.ear_pool import EarPool
from a2serve.inference.ears import Ears
from a2serve.inference.metrics import Metrics

QUESTIONS = Path(__file__).parents[1] / "data/questions"
RATE_HZ, CHUNK = 16_000, 3_840  # 240 ms
PAUSE = np.zeros(9_600, np.int16)  # 600 ms, after which a gateway takes the turn for over


def main() -> None:
    parser = argparse.ArgumentParser("ears", description=__doc__)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    figures = asyncio.run(_measure(sorted(QUESTIONS.glob("*.flac"))[: arguments.clips]))
    text = json.dumps(figures | {"clips": arguments.clips, "machine_load_average_before": load, "command": " ".join(sys.argv)}, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


async def _measure(files: list[Path]) -> dict[str, float]:
    listener, readings = Listener(threads=1), 0
    transcribe = listener.transcriber.transcribe

    def counted(pcm: np.ndarray) -> object:
        nonlocal readings
        readings += 1
        return transcribe(pcm)

    listener.transcriber.transcribe = counted
    ears = Ears(listener, _judge, EarPool(1, Metrics()))
    await _hear(ears, "warm-up", _sound(files[0]))
    clips, readings = [_sound(file) for file in files], 0
    began_s = time.process_time()
    for number, clip in enumerate(clips):
        await _hear(ears, f"s{number}", clip)
    cpu_s = (time.process_time() - began_s) / len(clips)
    ears.close()
    seconds = sum(len(clip) - len(PAUSE) for clip in clips) / len(clips) / RATE_HZ
    figures = {"utterance_s_mean": seconds, "ear_cpu_s_per_utterance": cpu_s, "readings_per_utterance": readings / len(clips)}
    return {name: round(value, 4) for name, value in figures.items()}


def _sound(file: Path) -> np.ndarray:
    """Reads a file as int16 [S], with the pause behind it."""
    return np.concatenate([np.frombuffer(to_pcm16(read_audio(file).pcm), np.int16), PAUSE])


async def _hear(ears: Ears, session: str, clip: np.ndarray) -> None:
    """Words are asked for once the speaker pauses, and the utterance ends with the last chunk."""
    for start in range(0, len(clip), CHUNK):
        end = start + CHUNK
        pauses, final = end > len(clip) - len(PAUSE), end >= len(clip)
        await ears.listen(ListenRequest(session, "u", start, clip[start:end].tobytes(), RATE_HZ, final, pauses))


async def _judge(_words: str) -> float:
    return 0.5


if __name__ == "__main__":
    main()
