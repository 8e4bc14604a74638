"""How long texts of a request may be: told by their length, with the limit, before anything reads them."""

import pytest

from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.inference.limits import CHARACTERS_PER_TOKEN, MOST_CHARACTERS, MOST_ITEMS, check_sizes

CONTEXT = 10
MOST = CHARACTERS_PER_TOKEN * CONTEXT


def request(**values: str) -> pb.RespondRequest:
    return pb.RespondRequest(**values)


def test_what_just_fits_passes() -> None:
    made = request(instructions="i" * MOST, tools_json="t" * 2 * MOST)
    for _ in range(MOST_ITEMS):
        made.items.add(text="x" * (MOST_CHARACTERS // MOST_ITEMS))
    check_sizes(made, CONTEXT)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"instructions": "i" * (MOST + 1)}, "the instructions may have 160 characters, not 161: the model's context has 10 tokens"),
        ({"tools_json": "t" * (2 * MOST + 1)}, "the tools may have 320 characters, not 321"),
    ],
)
def test_a_text_that_cannot_fit_is_refused_with_the_limit(values: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_sizes(request(**values), CONTEXT)


@pytest.mark.parametrize("texts", [["x"] * (MOST_ITEMS + 1), ["x" * MOST_CHARACTERS, "y"]])
def test_a_conversation_has_a_length_and_a_number_of_items(texts: list[str]) -> None:
    made = request()
    for text in texts:
        made.items.add(text=text)
    with pytest.raises(ValueError, match=f"a conversation may have {MOST_ITEMS} items and {MOST_CHARACTERS} characters"):
        check_sizes(made, CONTEXT)
