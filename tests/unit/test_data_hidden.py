"""Hidden states for training: at the ends of words, the same in any batch, and in shards that are made once."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.data.hidden import BATCH, HiddenReader, build_hidden, word_ends
from a2llm.language.chat import ChatTemplate

SAMPLES = [
    {"question": "How are you?", "voice": "neutral", "response": "I am fine, thank you."},
    {"question": "How are you?", "voice": "neutral", "response": "Good."},
    {"question": "My dog ran away.", "voice": "sadness", "response": "Oh no, that is awful."},
]


def reader() -> HiddenReader:
    return HiddenReader(tiny.backbone(), tiny.tokenizer())


def test_a_word_ends_before_the_next_space() -> None:
    ids = tiny.tokenizer().encode("I am fine")
    ends = word_ends(tiny.tokenizer(), ids)
    assert len(ends) == 3 and ends[-1] == len(ids) - 1
    cuts = [0, *(end + 1 for end in ends)]
    assert [tiny.tokenizer().decode(ids[a:b]).strip() for a, b in pairwise(cuts)] == ["I", "am", "fine"]


def test_states_are_those_of_the_backbone_behind_the_prompt() -> None:
    mine, tokenizer = reader(), tiny.tokenizer()
    found = mine.read(SAMPLES)
    for sample, states in zip(SAMPLES, found, strict=True):
        prompt, response = mine._prompt(sample), tokenizer.encode(str(sample["response"]))
        hidden = tiny.backbone().forward(torch.tensor([prompt + response]))[0]
        wanted = hidden[[len(prompt) + end for end in word_ends(tokenizer, response)]]
        np.testing.assert_allclose(states.astype(np.float32), wanted.numpy(), atol=5e-3)
        assert states.dtype == np.float16 and states.shape[1] == tiny.HIDDEN


def test_a_sample_s_states_do_not_depend_on_its_neighbours() -> None:
    alone = [reader().read([sample])[0] for sample in SAMPLES]
    many = reader().read(SAMPLES * (BATCH // 2))
    for index, states in enumerate(many):
        np.testing.assert_allclose(states, alone[index % len(SAMPLES)], atol=5e-3)


def test_finished_shards_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2llm.data.hidden.SHARD", 2)
    progress: list[tuple[int, int]] = []
    build_hidden(SAMPLES, reader(), tmp_path, lambda done, all_: progress.append((done, all_)))
    files = sorted(tmp_path.glob("hidden-*.npz"))
    assert [file.name for file in files] == ["hidden-0000.npz", "hidden-0001.npz"] and progress == [(2, 3), (3, 3)]
    with np.load(files[0]) as first:
        assert first["samples"].tolist() == [0, 1] and len(first["hidden"]) == first["counts"].sum()
    files[0].write_bytes(b"kept as it is")
    files[1].unlink()
    build_hidden(SAMPLES, reader(), tmp_path)
    assert files[0].read_bytes() == b"kept as it is" and files[1].exists()


def test_the_prompt_says_how_the_user_sounded() -> None:
    mine = reader()
    plain, sad = (mine._prompt({"question": "Hello", "voice": voice, "response": ""}) for voice in ("neutral", "sadness"))
    assert plain != sad and "sadness" in tiny.tokenizer().decode(sad)
    assert isinstance(mine.template, ChatTemplate)
