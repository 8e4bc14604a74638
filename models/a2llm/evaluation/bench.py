"""`a2 bench response`: how soon the answer comes, what it costs, and what a cascade of the same packages needs.

Warm, one process. Ours and the cascade take turns on every prompt, so that a busy machine hits both. Milliseconds run
from the call (typed) or from the last sample of speech (spoken, the endpointing wait apart) to the first packet that
holds both sound and motion. Formulas: docs/metrics.md.
"""

import time
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from a2llm.api import A2LLM
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.clock import EAR_RATE_HZ
from a2llm.data.build import Speaker
from a2llm.data.score import Score
from a2llm.engine import Engine
from a2llm.evaluation.bench_figures import SpokenTurn, Turn, cascade_figures, our_figures, spoken_figures
from a2llm.evaluation.cascade import Cascade, CascadeTurn
from a2llm.evaluation.machine import machine_facts
from a2llm.evaluation.progress import OnProgress, Steps
from a2llm.evaluation.sentences import bench_prompts
from a2llm.evaluation.stock_ear import StockEar
from a2llm.evaluation.timing import Stopwatch, audible_edges, timed_parts
from a2llm.layers.threads import THREADS
from a2llm.listening.listener import Listener
from a2llm.messages import Affect, StepOutput
from a2llm.resampling import resample

CHUNK_SAMPLES = 512  # 32 ms of microphone
WARM_UPS = 2


class _First(NamedTuple):
    """The state of the stopwatch when the first packet left."""

    at: float
    seconds: dict[str, float]
    calls: dict[str, int]


class Bench:
    """Everything loaded once, ours with a clock on every part."""

    def __init__(self, model: A2LLM, threads: int) -> None:
        parts = model.engine.parts
        self.watch = Stopwatch()
        self.model = A2LLM(Engine(timed_parts(parts, self.watch)), model.persona, _listener=Listener(threads=threads))
        self.cascade = Cascade(parts, model.persona)
        self.ear = StockEar(threads, beam_size=1)  # the cascade's: begun when the speech has ended
        self._speaker = Speaker()
        self._vocoder = Vocoder(*self._speaker.teacher.head, threads)  # of the speaker's own voice frames
        self._rate = parts.clock.sample_rate_hz

    def question(self, text: str, seed: int) -> np.ndarray:
        """The prompt as the teacher voice says it, float32 [S] at 16 kHz; ends with its last audible sample."""
        speech, _ = self._speaker.say(Score.plain(text, Affect()), seed)
        pcm = resample(_waveform(self._vocoder, speech.hidden, speech.f0_hz, seed), self._rate, EAR_RATE_HZ)
        return pcm[: audible_edges(pcm)[1]]

    def typed(self, text: str, seed: int) -> Turn:
        """Measures our whole response to typed text, as fast as it comes. Raises RuntimeError if there is none."""
        self.model.restart()
        self.watch.reset()
        cpu, started = process_time(), perf_counter()
        arrivals: list[float] = []
        steps: list[StepOutput] = []
        first: _First | None = None
        for step in self.model.respond(text, seed=seed):
            arrivals.append(perf_counter())
            if first is None and len(step.pcm) and len(step.motion):
                first = _First(arrivals[-1], dict(self.watch.seconds), dict(self.watch.calls))
            steps.append(step)
        ended, cpu = perf_counter(), process_time() - cpu
        if first is None:
            raise RuntimeError(f"no answer to {text!r}")
        pcm = np.concatenate([step.pcm for step in steps])
        return Turn(
            frl_ms=1000 * (first.at - started),
            ttft_ms=1000 * (self.watch.first_return["backbone.logits"] - started),
            lead_ms=1000 * audible_edges(pcm)[0] / self._rate,
            wall_s=ended - started,
            cpu_s=cpu,
            audio_s=len(pcm) / self._rate,
            tokens=self.watch.calls["backbone.logits"],
            arrivals_s=tuple(arrivals),
            pts_samples=tuple(step.pts_samples for step in steps),
            parts_s=dict(self.watch.seconds),
            first_parts_s=first.seconds,
            first_tokens=first.calls.get("backbone.logits", 0),
            first_frames=first.calls.get("talker.step", 0),
        )

    def spoken(self, pcm: np.ndarray, seed: int) -> SpokenTurn:
        """Hear a question [S] at 16 kHz while it is spoken, then answer up to the first packet."""
        self.model.restart()
        listener = self.model.listener
        stream, busy_s = listener.open_stream(), 0.0
        for at in range(0, len(pcm), CHUNK_SAMPLES):
            chunk = pcm[at : at + CHUNK_SAMPLES]
            started = perf_counter()
            stream.feed(chunk)
            busy_s = max(busy_s, (at + len(chunk)) / EAR_RATE_HZ) + perf_counter() - started
        backlog_s = busy_s - len(pcm) / EAR_RATE_HZ  # the last chunk's own work included
        started = perf_counter()
        transcript = stream.finish()
        finished = perf_counter()
        voice = listener.user_affect.read(pcm).affect
        felt = perf_counter()
        self._first_packet(transcript.text or "Hello?", seed, voice)
        answered = perf_counter()
        self.ear.hear(pcm)
        heard = perf_counter() - answered
        return SpokenTurn(
            frl_ms=1000 * (backlog_s + answered - started),
            backlog_ms=1000 * backlog_s,
            finish_ms=1000 * (finished - started),
            affect_ms=1000 * (felt - finished),
            answer_ms=1000 * (answered - felt),
            cascade_ear_ms=1000 * heard,
        )

    def _first_packet(self, text: str, seed: int, voice: Affect) -> None:
        steps = self.model.respond(text, seed=seed, voice=voice)
        for step in steps:
            if len(step.pcm) and len(step.motion):
                break
        steps.close()  # pyright: ignore[reportAttributeAccessIssue]  # a generator: cancels the response


def _waveform(vocoder: Vocoder, hidden: np.ndarray, f0_hz: np.ndarray, seed: int) -> np.ndarray:
    return vocoder.decode(vocoder.start(seed), hidden.astype(np.float32), f0_hz, last=True)


def bench_response(
    prompts: int = 50,
    on_progress: OnProgress | None = None,
    *,
    model: A2LLM | None = None,
    folder: Path | None = None,
    threads: int = THREADS,
    seed: int = 0,
) -> dict[str, float | str]:
    """Measure `prompts` typed and spoken turns and the cascade's; a flat report ready for JSON.

    on_progress gets (turns done, turns in all). Raises ValueError below one prompt, WeightsError or CheckpointError
    when weights are missing.
    """
    if prompts < 1:
        raise ValueError("a bench needs at least one prompt")
    began, load_before = time.perf_counter(), machine_facts()["machine_load_average"]
    model = model or A2LLM.load(folder, threads=threads)
    bench = Bench(model, threads)
    load_s = time.perf_counter() - began
    known = bench_prompts()
    texts = [known[index % len(known)] for index in range(prompts)]
    questions = [bench.question(text, seed * 10_000 + index) for index, text in enumerate(texts)]
    for warm in range(min(WARM_UPS, prompts)):
        _take_turns(bench, texts[warm], questions[warm], seed)
    steps, turns = Steps(prompts, on_progress), []
    for index, (text, question) in enumerate(zip(texts, questions, strict=True)):
        turns.append(_take_turns(bench, text, question, seed * 10_000 + index))
        steps.tick()
    ours, spoken, theirs = map(list, zip(*turns, strict=True))
    facts = {"n": prompts, "seed": seed, "threads": threads, "load_s": round(load_s, 1)}
    facts |= {"seconds": round(time.perf_counter() - began, 1), "machine_load_average_before": load_before}
    rate = model.engine.parts.clock.sample_rate_hz
    return our_figures(ours, rate) | spoken_figures(spoken) | cascade_figures(ours, spoken, theirs) | facts | machine_facts()


def _take_turns(bench: Bench, text: str, question: np.ndarray, seed: int) -> tuple[Turn, SpokenTurn, CascadeTurn]:
    return bench.typed(text, seed), bench.spoken(question, seed), bench.cascade.respond(text, seed)
