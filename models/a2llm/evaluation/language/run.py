"""`a2 evaluate language`: asks every set, judges by rule, and reports the same of the backbone as it came."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from a2llm import weights
from a2llm.api import load_parts
from a2llm.engine import Parts
from a2llm.evaluation.language.coherence import Coherence
from a2llm.evaluation.language.questions import SETS, Question, arithmetic, question_set
from a2llm.evaluation.language.responses import LastResponse, Questioner
from a2llm.evaluation.language.rules import declines, is_right, repeats, share_pct
from a2llm.evaluation.machine import machine_facts
from a2llm.evaluation.progress import OnProgress, Steps
from a2llm.evaluation.statistics import rounded
from a2llm.language.chat import find_persona
from a2llm.language.runtime import load_backbone

Figures = dict[str, float]


@dataclass(frozen=True)
class Asked:
    """A question of a set, how it was answered, and the verdict."""

    name: str
    question: Question
    response: LastResponse
    right: bool


def run_language(
    on_progress: OnProgress | None = None, *, folder: Path | None = None, seed: int = 0, untouched: bool = True, details: Path | None = None
) -> dict[str, float | str]:
    """Ask the model in `folder` (default: the weights that ship) and, if `untouched`, the backbone without its adapter; a flat report.

    details: also write every question, response and verdict, one JSON line each. Raises CheckpointError or WeightsError when weights are
    missing.
    """
    began = time.perf_counter()
    sets = {name: list(question_set(name)) for name in SETS} | {"arithmetic": list(arithmetic())}
    parts = load_parts(folder)
    bare = replace(parts, backbone=load_backbone(weights.convert("backbone")))
    steps = Steps(sum(map(len, sets.values())) * (1 + untouched), on_progress)
    judge = Coherence(bare.backbone, parts.tokenizer, find_persona("ada"))
    asked = _ask(parts, sets, judge, seed, steps)
    report = figures_of(asked)
    if untouched:
        report |= {f"untouched_{name}": value for name, value in figures_of(_ask(bare, sets, judge, seed, steps)).items()}
    report |= _shuffled(asked, judge)
    if details:
        details.write_text("".join(json.dumps(_line(one)) + "\n" for one in asked))
    counts = {f"n_{name}": len(questions) for name, questions in sets.items()}
    return rounded(report) | counts | {"seed": seed, "seconds": round(time.perf_counter() - began, 1)} | machine_facts()


def _ask(parts: Parts, sets: dict[str, list[Question]], judge: Coherence, seed: int, steps: Steps) -> list[Asked]:
    asker, asked = Questioner(parts), list[Asked]()
    for name, questions in sets.items():
        responses = asker.ask([question.turns for question in questions], seed, steps.tick)
        if name == "open":
            marks = judge.coherent([question.turns[-1] for question in questions], [response.text for response in responses], seed)
        elif name == "unknown":
            marks = [declines(response.text) for response in responses]
        else:
            marks = [is_right(question, response.text, response.affect) for question, response in zip(questions, responses, strict=True)]
        asked += [Asked(name, *rest) for rest in zip(questions, responses, marks, strict=True)]
    return asked


def figures_of(asked: Sequence[Asked]) -> Figures:
    """Shares of right responses by set, and of many turns by kind, in percent."""

    def of(name: str) -> list[bool]:
        return [one.right for one in asked if one.name == name]

    figures = {f"{name}_pct": share_pct(of(name)) for name in ("facts", "arithmetic", "multi_turn")}
    figures |= {"coherence_pct": share_pct(of("open")), "unknown_declined_pct": share_pct(of("unknown"))}
    for kind in sorted({one.question.kind for one in asked if one.name == "multi_turn"}):
        figures[f"multi_turn_{kind}_pct"] = share_pct(
            [one.right for one in asked if one.name == "multi_turn" and one.question.kind == kind]
        )
    figures["facts_declined_pct"] = share_pct([declines(one.response.text) for one in asked if one.name == "facts"])
    return figures | {"repetition_pct": share_pct([repeats(one.response.text) for one in asked])}


def _shuffled(asked: Sequence[Asked], judge: Coherence) -> Figures:
    """The judges' own floors: every response to the next question of its set."""
    figures: Figures = {}
    for name in ("facts", "arithmetic"):
        found = [one for one in asked if one.name == name]
        moved = [one.response for one in (*found[1:], *found[:1])]
        figures[f"shuffled_{name}_pct"] = share_pct(
            [is_right(one.question, other.text, other.affect) for one, other in zip(found, moved, strict=True)]
        )
    found = [one for one in asked if one.name == "open"]
    responses = [one.response.text for one in (*found[1:], *found[:1])]
    return figures | {"shuffled_coherence_pct": share_pct(judge.coherent([one.question.turns[-1] for one in found], responses))}


def _line(one: Asked) -> dict[str, Any]:
    said = {"set": one.name, "kind": one.question.kind, "turns": one.question.turns, "earlier": one.response.earlier}
    return said | {"response": one.response.text, "affect": one.response.affect, "right": one.right}
