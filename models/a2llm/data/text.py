"""Question and answer text for the synthetic FLAME-QA set, sampled from the product's own backbone
and filtered: the model first invents what a user says, then answers it.

A share of the questions asks about a random dictionary word, so that the voice learns the whole
language and not only small talk.
"""

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from a2llm.affect import AFFECTS, Affect
from a2llm.data.dialogues import load_dialogues
from a2llm.language.affect_head import AffectHead
from a2llm.language.chat import ChatTemplate, Persona, personas
from a2llm.language.generate import generate, pad_right
from a2llm.language.llama import Llama
from a2llm.language.tokenizer import TextTokenizer

WORD_QUESTIONS = (
    "What does {} mean?",
    "Tell me about {}.",
    "What can you say about {}?",
    "Do you know {}?",
    "What do you think of {}?",
    "Can you explain {} to me?",
    "Is {} important?",
    "Tell me a short story about {}.",
    "My friend keeps talking about {}.",
    "I dreamed about {} last night.",
)
DRILLS = (
    "The {} {} was near the {}.",
    "Is {} more {} than {}?",
    "A {} and a {} met at the {}.",
    "{}, {}, and {}!",
    "They put the {} {} behind the {}.",
    "Say {} before you say {} or {}.",
    "Some {} will {} without any {}.",
    "My {} saw your {} in a {}.",
)
REPEAT = "Repeat after me."
_VOICE = re.compile(r"\s*\(voice: (\w+)\)\s*$")
_SPOKEN = re.compile(r"[A-Za-z][A-Za-z ,.'!?-]*[.!?]")
MIN_WORDS, MAX_WORDS = 4, 45


@dataclass(frozen=True)
class Sample:
    """One question with its response. `affect` and `intensity` are the avatar's. Of an annotated response also its phrases, the turns
    before it (user, voice, response), the pair that it belongs to, and who answers."""

    question: str
    voice: str
    response: str
    affect: str
    intensity: float
    source: str
    phrases: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    earlier: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    pair: str = ""
    persona: str = ""


def fits_speech(text: str) -> bool:
    """True if a response can be spoken as it stands and is not stuck in a loop."""
    words = text.lower().split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not _SPOKEN.fullmatch(text):
        return False
    trigrams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return len(set(trigrams)) > 0.9 * len(trigrams) and max(len(w) for w in words) <= 16


class TextBuilder:
    """Samples questions and answers in large batches."""

    def __init__(self, model: Llama, head: AffectHead, tokenizer: TextTokenizer, seed: int) -> None:
        self.model, self.head, self.tokenizer = model, head, tokenizer
        self.template = ChatTemplate(tokenizer)
        self.device = model.embed_tokens.weight.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.rng = random.Random(seed)

    def invent_questions(self, count: int) -> list[tuple[str, str]]:
        """Samples lines of users, with how they sound, from the model itself."""
        known = list(personas().values())
        opening = [self.tokenizer.turn_start, *self.tokenizer.encode("user\n")]
        prompts = [self.template.system(self.rng.choice(known)) + opening for _ in range(count)]
        rows = generate(self.model, prompts, self.tokenizer.turn_end, 32, 1.0, 0.97, self.generator)
        return [q for q in map(self._question, rows) if q is not None]

    def _question(self, row: list[int]) -> tuple[str, str] | None:
        text = self.tokenizer.decode(row).strip()
        match = _VOICE.search(text)
        voice = match.group(1) if match and match.group(1) in AFFECTS else "neutral"
        text = _VOICE.sub("", text)
        return (text, voice) if 2 <= len(text) <= 160 and "\n" not in text and "(" not in text else None

    def word_questions(self, words: list[str], count: int) -> list[tuple[str, str]]:
        voices = ["neutral"] * 6 + list(AFFECTS[1:])
        return [(self.rng.choice(WORD_QUESTIONS).format(self.rng.choice(words)), self.rng.choice(voices)) for _ in range(count)]

    def respond(self, questions: list[tuple[str, str]], source: str) -> list[Sample]:
        """Returns the responses that pass the filter, each with the affect that the model chose for it."""
        known = list(personas().values())
        prompts = [self._prompt(known[0] if self.rng.random() < 0.6 else self.rng.choice(known), q) for q in questions]
        affects = self._affects(prompts)
        rows = generate(self.model, prompts, self.tokenizer.turn_end, 56, 0.8, 0.92, self.generator)
        texts = [self.tokenizer.decode(row).strip() for row in rows]
        return [
            Sample(q[0], q[1], t, a.category, round(a.intensity, 3), source)
            for q, t, a in zip(questions, texts, affects, strict=True)
            if fits_speech(t)
        ]

    def _prompt(self, persona: Persona, question: tuple[str, str]) -> list[int]:
        return self.template.prompt(persona, question[0], Affect.heard(question[1]))

    @torch.inference_mode()
    def _affects(self, prompts: list[list[int]]) -> list[Affect]:
        ids, lengths = pad_right(prompts, self.device)
        hidden = self.model(ids)[torch.arange(len(prompts), device=self.device), lengths - 1]
        return [self.head.choose(row) for row in hidden]


def written_samples() -> Iterator[Sample]:
    """Yields every exchange of the hand-written dialogues."""
    for dialogue in load_dialogues():
        for e in dialogue.exchanges:
            yield Sample(e.user, e.voice.category, e.response, e.affect.category, e.affect.intensity, "written")


def _tidy(text: str) -> str:
    text = re.sub(r"\bi\b", "I", text.strip())
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."


def repeat_samples(taken: set[str]) -> Iterator[Sample]:
    """Yields the users' lines as lines that the avatar repeats: more text for the voice, with the user's own affect."""
    for dialogue in load_dialogues():
        for e in dialogue.exchanges:
            text = _tidy(e.user)
            if text.lower() not in taken and re.fullmatch(r"[A-Za-z ,.'!?-]+", text):
                taken.add(text.lower())
                level = 0.6 if e.voice.index else 0.0
                yield Sample(REPEAT, "neutral", text, e.voice.category, level, "repeat")


def drill_samples(words: list[str], count: int, seed: int) -> Iterator[Sample]:
    """Meaningless sentences of random dictionary words, so that the voice has met the whole language."""
    rng = random.Random(seed)
    for _ in range(count):
        category = rng.choice(AFFECTS)
        level = round(rng.uniform(0.3, 1.0), 2) if category != "neutral" else 0.0
        text = rng.choice(DRILLS).format(*rng.sample(words, 3))
        yield Sample(REPEAT, "neutral", text[0].upper() + text[1:], category, level, "drill")


def dictionary_words(assets: Path) -> list[str]:
    """Plain words of the voice's dictionary, sorted."""
    lexicon = json.loads(gzip.decompress((assets / "lexicon_us_gold.json.gz").read_bytes()))
    return sorted(w for w in lexicon if re.fullmatch("[a-z]{3,11}", w))


def offline_samples(assets: Path, plain: int, drills: int, seed: int, known: Sequence[Sample] = ()) -> list[Sample]:
    """Everything that needs no sampling: written responses and repeated user lines, `plain` of them, none that is `known`, and drills."""
    taken = {s.response.lower() for s in known}
    written = [s for s in written_samples() if s.response.lower() not in taken]
    both = [*written, *repeat_samples(taken | {s.response.lower() for s in written})]
    chosen = sorted(random.Random(seed).sample(range(len(both)), min(plain, len(both))))
    return [*(both[index] for index in chosen), *drill_samples(dictionary_words(assets), drills, seed)]


def build_text(builder: TextBuilder, words: list[str], count: int, out: Path, batch: int = 512, on_progress: object = None) -> list[Sample]:
    """Collect `count` distinct samples and write them as JSON lines, in a fixed order per seed."""
    samples = list(written_samples())
    seen = {s.response.lower() for s in samples}
    rounds = 0
    while len(samples) < count and rounds < 40 * (1 + count // batch):
        questions = builder.invent_questions(batch) if rounds % 3 else builder.word_questions(words, batch)
        for sample in builder.respond(questions, "sampled" if rounds % 3 else "word"):
            if sample.response.lower() not in seen:
                seen.add(sample.response.lower())
                samples.append(sample)
        rounds += 1
        if callable(on_progress):
            on_progress(min(len(samples), count), count, {})
    samples = samples[:count]
    out.write_text("".join(json.dumps(asdict(s)) + "\n" for s in samples))
    return samples
