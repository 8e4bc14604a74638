"""Small parts of the language side on a tiny backbone: affect head, tokenizer, offline generation, the end of a turn, tools."""

from pathlib import Path

import pytest
import torch
from support.models import tiny

from a2llm.affect import AFFECTS
from a2llm.language.affect_head import AffectHead
from a2llm.language.chat import ChatTemplate, find_persona
from a2llm.language.generate import generate, pad_right
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.tool_use import ToolJudge, ToolUse
from a2llm.language.turn_end import TurnEnd, common_prefix
from a2llm.messages import AUTO, Tool, UserTurn

TOOLS = (Tool("get_weather", "Weather of a place."), Tool("set-alarm", "Wakes the user."))


def test_the_affect_is_the_likeliest_category_and_neutral_has_no_intensity() -> None:
    torch.manual_seed(0)
    head = AffectHead(8).eval()
    for index, category in enumerate(AFFECTS):
        head.category.bias.data = torch.nn.functional.one_hot(torch.tensor(index), len(AFFECTS)).float() * 50
        affect = head.choose(torch.randn(8))
        assert affect.category == category
        assert (affect.intensity == 0.0) == (category == "neutral") and 0.0 <= affect.intensity <= 1.0
    logits, intensity = head(torch.randn(3, 8))
    assert logits.shape == (3, len(AFFECTS)) and intensity.shape == (3,)


def test_users_cannot_write_the_markers_of_turns() -> None:
    tokenizer = tiny.tokenizer()
    ids = tokenizer.encode("Hi <|im_end|> there")
    assert tokenizer.turn_end not in ids and tokenizer.turn_start not in ids
    assert tokenizer.decode(tokenizer.encode("Hello there")) == "Hello there"
    assert tokenizer.decode([tokenizer.turn_start, *tokenizer.encode("Hi"), tokenizer.turn_end]) == "Hi"


def test_a_folder_without_a_fitting_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no tokenizer\.json"):
        TextTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text(tiny.tokenizer().definition().replace("<|im_end|>", "<|other|>"))
    with pytest.raises(ValueError, match="ChatML vocabulary"):
        TextTokenizer(tmp_path)


def test_rows_are_padded_on_the_right() -> None:
    ids, lengths = pad_right([[5, 6, 7], [8]], torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]] and lengths.tolist() == [3, 1]


def test_a_batch_is_continued_as_its_rows_are_and_cut_at_the_stop() -> None:
    model, prompts = tiny.backbone().model, [[7, 8, 9], [11]]

    def go_on(rows: list[list[int]], stop: int = -1, most: int = 6) -> list[list[int]]:
        return generate(model, rows, stop, most, temperature=0.0, top_p=1.0, generator=torch.Generator().manual_seed(0))

    together = go_on(prompts)
    assert [len(row) for row in together] == [6, 6]
    assert together == [go_on([prompt])[0] for prompt in prompts]
    stop = together[0][2]
    assert go_on([prompts[0]], stop=stop)[0] == together[0][: together[0].index(stop)]


def test_a_prefix_is_counted_to_the_first_difference() -> None:
    assert [common_prefix(a, b) for a, b in (([1, 2, 3], [1, 2, 4]), ([], [1]), ([1, 2], [1, 2, 3]), ([9], [8]))] == [2, 0, 2, 0]


def test_the_end_of_a_turn_is_a_probability_that_does_not_depend_on_what_was_read_before() -> None:
    backbone, ada = tiny.backbone(), find_persona("ada")
    texts = ["I was thinking", "I was thinking about you.", "I was", "My dog ran away this morning", "  ...  ", ""]
    running = TurnEnd(backbone, tiny.tokenizer(), ada)
    kept = [running.probability(text) for text in texts]
    fresh = [TurnEnd(backbone, tiny.tokenizer(), ada).probability(text) for text in texts]
    assert kept == pytest.approx(fresh, abs=1e-5)
    assert kept[-2:] == [0.0, 0.0], "where nothing was said, nothing ends"
    assert all(0.0 < value <= 1.0 for value in kept[:-2])
    assert running.probability("I was thinking.,") == pytest.approx(kept[0], abs=1e-5), "marks at the end are a transcriber's"


def judge() -> ToolJudge:
    return ToolJudge(tiny.backbone(), ChatTemplate(tiny.tokenizer()))


def test_the_judge_says_the_same_whatever_it_judged_before() -> None:
    used, fresh = judge(), judge()
    used.wanted(TOOLS, "Be kind.", "How are you?")
    used.best(TOOLS, "Set an alarm")
    words = "What is the weather in Paris?"
    assert used._scores(["a", "b"], words) == pytest.approx(fresh._scores(["a", "b"], words), abs=1e-4)
    assert used.best(TOOLS, words) == fresh.best(TOOLS, words) and used.best(TOOLS[:1], words) is TOOLS[0]


def test_a_tool_is_wanted_only_by_a_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = judge()
    for scores, wanted in (([-5.0, -9.0, -7.0, -8.0], TOOLS[0]), ([-5.0, -9.0, -6.0, -8.0], None), ([-9.0, -5.0, -9.0, -7.0], TOOLS[1])):
        monkeypatch.setattr(mine, "_scores", lambda settings, text, scores=scores: scores)
        assert mine.wanted(TOOLS, "Be kind.", "Hello") is wanted


def test_a_required_tool_is_opened_and_one_behind_a_result_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    use = ToolUse(tiny.backbone(), tiny.tokenizer(), ChatTemplate(tiny.tokenizer()))
    asked = [UserTurn("What is the weather?")]
    assert use.open_call(TOOLS, "required", "Be kind.", asked) is not None
    monkeypatch.setattr(use.judge, "wanted", lambda tools, instructions, words: tools[0])
    assert use.open_call(TOOLS, AUTO, "Be kind.", asked) is not None
    assert use.open_call(TOOLS, AUTO, "Be kind.", []) is None, "nobody asked for anything"
    with pytest.raises(ValueError, match="tool bad: parameters must be of type object"):
        use.open_call([Tool("bad", "x", {"type": "nonsense"})], "required", "", asked)
