"""Bounds the length of a request's texts, in characters: what cannot fit is refused before a tokenizer reads it.

Derived from the model's context. A token of text has about four characters, of the longest words sixteen.
"""

from a2serve.contracts.proto import avatar_pb2 as pb

CHARACTERS_PER_TOKEN = 16
MOST_ITEMS = 1000
MOST_CHARACTERS = 200_000  # of all items together; of those that are too old for the context the length alone counts


def check_sizes(request: pb.RespondRequest, context_tokens: int) -> None:
    """Raises ValueError that names the limit."""
    most = CHARACTERS_PER_TOKEN * context_tokens
    for name, text, limit in (("the instructions", request.instructions, most), ("the tools", request.tools_json, 2 * most)):
        if len(text) > limit:
            raise ValueError(f"{name} may have {limit:,} characters, not {len(text):,}: the model's context has {context_tokens:,} tokens")
    if len(request.given.text) > MOST_CHARACTERS:
        raise ValueError(f"given words may have {MOST_CHARACTERS} characters")
    if len(request.items) > MOST_ITEMS or sum(len(item.text) for item in request.items) > MOST_CHARACTERS:
        raise ValueError(f"a conversation may have {MOST_ITEMS} items and {MOST_CHARACTERS} characters")
