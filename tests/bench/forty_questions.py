"""Ask the default model forty everyday questions and write what it said, and what an ear made of it, as a page.

python tests/bench/forty_questions.py --out docs/questions.md
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm import A2LLM
from a2llm.listening.transcriber import Transcriber
from a2llm.resampling import resample

QUESTIONS = (Path(__file__).parent / "forty_questions.txt").read_text().splitlines()
EAR_HZ = 16_000


@dataclass(frozen=True)
class Response:
    """One question, what was said, with which affect, for how long, and what Whisper heard."""

    question: str
    text: str
    affect: str
    seconds: float
    heard: str


def ask(model: A2LLM, ear: Transcriber, question: str, seed: int) -> Response:
    """A fresh conversation for every question."""
    model.restart()
    pcm = np.concatenate([step.pcm for step in model.respond(question, seed=seed)])
    assert model.response is not None
    heard = ear.transcribe(resample(pcm, 24_000, EAR_HZ)).text
    return Response(question, " ".join(model.response.words), str(model.response.affect), len(pcm) / 24_000, heard)


def page(responses: list[Response], comment: str) -> str:
    rows = "\n".join(f"| {a.question} | {a.text} | {a.affect} | {a.seconds:.1f} | {a.heard} |" for a in responses)
    return f"{comment}\n\n| question | answer | affect | s | as heard by Whisper tiny.en |\n|---|---|---|---|---|\n{rows}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model, ear = A2LLM.load(), Transcriber()
    responses = [ask(model, ear, q, options.seed) for q in QUESTIONS]
    comment = options.out.read_text().split("\n\n| question", 1)[0] if options.out.exists() else "# Forty questions"
    options.out.write_text(page(responses, comment))


if __name__ == "__main__":
    main()
