"""The real SmolLM2, converted into the shared cache, against ids by llama.cpp and logits by transformers."""

import json
from pathlib import Path

import pytest
import torch

from a2llm import weights

GOLDEN = json.loads((Path(__file__).parent / "smollm2_golden.json").read_text())


@pytest.fixture(scope="module")
def folder() -> Path:
    if weights.replaced_by("backbone"):
        pytest.skip("the backbone is replaced by a path")
    return weights.convert("backbone")


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_installed_weights_are_the_pinned_ones(name: str) -> None:
    if not weights.replaced_by(name):
        assert weights.verify(name) == weights.WEIGHTS[name].sha256


def test_token_ids_equal_llama_cpp(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for case in GOLDEN["tokens"]:
        assert tokenizer.encode(case["text"], add_special_tokens=False).ids == case["ids"], case["text"]


def test_logits_equal_transformers(folder: Path) -> None:
    from tokenizers import Tokenizer

    from a2llm.language.llama import Llama

    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(GOLDEN["prompt"]).ids
    model = Llama.from_folder(folder)
    with torch.inference_mode():
        hidden = model(torch.tensor([ids]))  # [1, T, D]
        logits = model.lm_head(hidden)[0]  # [T, V]
    assert logits.argmax(-1).tolist() == GOLDEN["argmax"]
    for token, logit in GOLDEN["last_top5"].items():
        assert logits[-1, int(token)].item() == pytest.approx(logit, abs=0.05)  # weights are rounded to float16
    torch.testing.assert_close(hidden[0, -1, :8], torch.tensor(GOLDEN["last_hidden_8"]), atol=0.02, rtol=0)
