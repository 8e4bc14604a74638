"""Text for the synthetic set: the filter, the drills, and a builder on a tiny backbone."""

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest
from support.models import tiny

from a2llm import weights
from a2llm.affect import AFFECTS
from a2llm.data.build import read_samples
from a2llm.data.text import (
    Sample,
    TextBuilder,
    build_text,
    dictionary_words,
    drill_samples,
    fits_speech,
    offline_samples,
    repeat_samples,
    written_samples,
)
from a2llm.language.spoken_text import to_spoken

WORDS = ["apple", "river", "stone", "cloud", "table"]


@pytest.mark.parametrize("text", ["That sounds lovely, tell me more.", "I am so sorry to hear that!", "Oh, don't worry - it's fine?"])
def test_spoken_sentences_fit(text: str):
    assert fits_speech(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Too short.",
        "No mark at the end here",
        "There are 3 of them, I think.",
        "I like it. " * 8,
        "word " * 50 + "end.",
        "A list: one, two and three.",
        "This is pneumonoultramicroscopic, my dear.",
        "Two lines\nof text are here.",
    ],
)
def test_what_cannot_be_spoken_or_loops_does_not_fit(text: str):
    assert not fits_speech(text)


def test_drills_repeat_by_seed_and_meet_every_affect():
    one, same, other = (list(drill_samples(WORDS, 60, seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert {s.affect for s in one} == set(AFFECTS)
    assert all(s.intensity == 0 if s.affect == "neutral" else 0.3 <= s.intensity <= 1 for s in one)
    assert all(to_spoken(s.response) == s.response for s in one)


def test_repeated_lines_are_new_and_tidy():
    taken = {s.response.lower() for s in written_samples()}
    before = set(taken)
    lines = [s.response for s in islice(repeat_samples(taken), 200)]
    assert len(set(map(str.lower, lines))) == len(lines)
    assert not before & set(map(str.lower, lines))
    assert all(line[0].isupper() and line[-1] in ".!?" for line in lines)
    assert not any(" i " in line for line in lines)


def test_offline_samples_need_no_model():
    assets = weights.resolve("g2p")
    samples = offline_samples(assets, plain=200, drills=20, seed=3)
    assert samples == offline_samples(assets, plain=200, drills=20, seed=3)
    assert {s.source for s in samples} == {"written", "repeat", "drill"} and len(samples) == 220
    known = [s for s in samples if s.source == "written"]
    assert not {s.response for s in known} & {s.response for s in offline_samples(assets, 10_000, 0, 3, known) if s.source == "written"}
    words = dictionary_words(assets)
    assert words == sorted(words)
    assert len(words) > 20_000
    assert all(w.isalpha() and w.islower() for w in words[::100])


def builder(seed: int = 0) -> TextBuilder:
    return TextBuilder(tiny.backbone().model, tiny.parts().affect_head, tiny.tokenizer(), seed)


def test_the_builder_asks_the_model_and_repeats_by_seed():
    one, same = (builder(5).invent_questions(24) for _ in range(2))
    assert one == same
    assert all(voice in AFFECTS and "(" not in text for text, voice in one)
    asked = builder().word_questions(WORDS, 30)
    assert {w for w in WORDS if any(w in text for text, _ in asked)}


def test_only_fitting_answers_are_kept():
    responses = builder().respond([("Hello", "neutral"), ("Why?", "sadness")] * 8, "sampled")
    assert all(fits_speech(a.response) and a.affect in AFFECTS for a in responses)


def test_built_text_is_distinct_and_on_disk(tmp_path: Path):
    written = list(written_samples())
    samples = build_text(builder(), WORDS, 40, tmp_path / "text.jsonl", batch=4)
    assert samples == written[:40]
    lines = [json.loads(line) for line in (tmp_path / "text.jsonl").read_text().splitlines()]
    assert lines == [asdict(s) for s in samples]
    assert [Sample(**line) for line in lines] == samples


def test_a_folder_of_an_older_version_is_read(tmp_path: Path):
    (tmp_path / "text.jsonl").write_text('{"question": "Hi?", "answer": "Hello.", "affect": "joy"}\n')
    assert read_samples(tmp_path / "text.jsonl") == [{"question": "Hi?", "response": "Hello.", "affect": "joy"}]
