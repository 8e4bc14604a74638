"""States for training: at the ends of the words of a response and of what it responds to, as the engine has them; the same in any batch,
and in shards that are made once."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.data.hidden import BATCH, StateReader, WordStates, build_hidden, conversation, load_hidden, spoken_ends
from a2llm.engine import Engine, TextSampling, everybody
from a2llm.language.chat import find_persona
from a2llm.messages import AssistantTurn, ResponseOptions, Resume, UserTurn

SAMPLES: list[dict[str, Any]] = [
    {"question": "How are you?", "voice": "neutral", "response": "I am fine, thank you."},
    {"question": "How are you?", "voice": "neutral", "response": "Good."},
    {"question": "My dog ran away.", "voice": "sadness", "response": "Oh no, that is awful."},
    {
        "question": "He did.",
        "voice": "joy",
        "response": "It is 4 million, and you are fine.",
        "earlier": [{"user": "My dog ran away.", "voice": "sadness", "response": "I hope he is home tonight."}],
        "persona": "max",
    },
]
DEPTHS = tiny.MEANING.depths


def reader() -> StateReader:
    return StateReader(tiny.backbone(DEPTHS), tiny.tokenizer())


def test_a_word_ends_before_the_next_space() -> None:
    ids = tiny.tokenizer().encode("I am fine")
    ends = tiny.tokenizer().word_ends(ids)
    assert len(ends) == 3 and ends[-1] == len(ids) - 1
    cuts = [0, *(end + 1 for end in ends)]
    assert [tiny.tokenizer().decode(ids[a:b]).strip() for a, b in pairwise(cuts)] == ["I", "am", "fine"]
    assert tiny.tokenizer().word_ends([]) == []


def test_words_are_those_that_are_spoken() -> None:
    ids = tiny.tokenizer().encode("It is 4 million, fine.")
    ends = spoken_ends(tiny.tokenizer(), ids)
    assert len(ends) == len("It is four million, fine.".split()) and ends == sorted(ends)


def test_a_sample_s_conversation_is_that_of_its_dialogue() -> None:
    first, second, last = conversation(SAMPLES[3])
    assert isinstance(first, UserTurn) and second == AssistantTurn("I hope he is home tonight.")
    assert isinstance(last, UserTurn) and last.voice_affect and last.voice_affect.category == "joy"
    mine = reader()
    text = tiny.tokenizer().decode(mine.prompt(SAMPLES[3]).ids)
    assert find_persona("max").instructions in text and "dog" in text and "(voice: joy)" in text


def test_states_are_those_of_the_backbone_behind_the_conversation() -> None:
    mine, tokenizer = reader(), tiny.tokenizer()
    for sample, states in zip(SAMPLES, mine.read(SAMPLES), strict=True):
        prompt, response = mine.prompt(sample), tokenizer.encode(str(sample["response"]))
        read = tiny.backbone(DEPTHS).forward(torch.tensor([prompt.ids + response]))[0]
        wanted = read[[len(prompt.ids) + end for end in spoken_ends(tokenizer, response)]]
        np.testing.assert_allclose(states.words.astype(np.float32), wanted.numpy(), atol=5e-3)
        np.testing.assert_allclose(states.user.astype(np.float32), read[list(prompt.heard)].numpy(), atol=5e-3)
        assert states.words.dtype == np.float16 and states.words.shape[1] == tiny.MEANING.state_size


@pytest.mark.parametrize("sample", [SAMPLES[0], SAMPLES[3]], ids=["first turn", "later turn"])
def test_training_reads_what_the_engine_hears_and_says(sample: dict[str, Any]) -> None:
    """The same words from the same states, whether they are written into a data set or spoken to somebody."""
    ids = tiny.tokenizer().encode(sample["response"])
    runner = Engine(tiny.parts("openvino", tiny.MEANING), 1, 512, text_sampling=TextSampling(max_tokens=len(ids) + 1))
    talk = runner.open_conversation(find_persona(sample.get("persona", "ada")))
    options = ResponseOptions(resume=Resume(tuple(ids)))
    response = runner.respond(talk, conversation(sample), options)
    while not response.over:
        runner.step(everybody(runner))
    [states] = reader().read([sample])
    heard = talk.slot.wanted_states
    np.testing.assert_allclose(states.user.astype(np.float32), heard, atol=5e-3)
    said = np.stack(response.talker.words._states)[: len(states.words) - 1]  # behind the last one another token was drawn
    np.testing.assert_allclose(states.words[:-1].astype(np.float32), said, atol=5e-3)


def test_a_sample_s_states_do_not_depend_on_its_neighbours() -> None:
    alone = [reader().read([sample])[0] for sample in SAMPLES]
    many = reader().read(SAMPLES * (BATCH // 2))
    for index, states in enumerate(many):
        np.testing.assert_allclose(states.words, alone[index % len(SAMPLES)].words, atol=5e-3)
        np.testing.assert_allclose(states.user, alone[index % len(SAMPLES)].user, atol=5e-3)


def test_finished_shards_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2llm.data.hidden.SHARD", 3)
    progress: list[tuple[int, int]] = []
    build_hidden(SAMPLES, reader(), tmp_path, lambda done, all_: progress.append((done, all_)))
    files = sorted(tmp_path.glob("hidden-*.npz"))
    assert [file.name for file in files] == ["hidden-0000.npz", "hidden-0001.npz"] and progress == [(3, 4), (4, 4)]
    read = reader().read(SAMPLES)
    for index, found in load_hidden(tmp_path).items():
        assert isinstance(found, WordStates) and isinstance(found.words, np.memmap)
        np.testing.assert_allclose(found.words, read[index].words, atol=5e-3)
        np.testing.assert_allclose(found.user, read[index].user, atol=5e-3)
    files[0].write_bytes(b"kept as it is")
    files[1].unlink()
    build_hidden(SAMPLES, reader(), tmp_path)
    assert files[0].read_bytes() == b"kept as it is" and files[1].exists()
