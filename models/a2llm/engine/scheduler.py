"""Packs responses into a plan. Not a policy: which responses take part in a step is the caller's decision.

`everybody` is the policy of one user's program; a service has its own, with pace and load.
"""

from collections.abc import Iterable, Sequence

from a2llm.engine.engine import Engine
from a2llm.engine.plan import Chunk, Plan
from a2llm.engine.response import Response


def everybody(engine: Engine) -> Plan:
    """Plan in which all responses go on."""
    return pack(engine.responses, engine.tokens_at_once)


def pack(responses: Sequence[Response], tokens_at_once: int, paused: Sequence[Response] = (), audio_levels: int | None = None) -> Plan:
    """A plan in which `responses` go on, and `paused` ones at most read ahead: a pass over the backbone's weights costs little more
    for eight rows than for two."""
    begun = tuple(response for response in responses if response.begun)
    prompts = pack_prompts((response for response in responses if not response.begun), tokens_at_once)
    low = tuple(response for response in (*begun, *paused) if response.is_low_on_words)
    return Plan(begun, prompts, low, audio_levels)


def pack_prompts(unread: Iterable[Response], tokens_at_once: int) -> tuple[Chunk, ...]:
    """Chunks of prompts for one pass: as many tokens as do not hold up the responses that speak. Prompts that need fewer passes go
    first, so a long prompt holds up no short one, and slots bound how many short ones it waits for."""
    chunks, space = list[Chunk](), tokens_at_once
    for response in sorted(unread, key=lambda response: -(-len(response.text.unread) // tokens_at_once)):
        size = len(response.text.unread)
        if chunks and size > space:
            break
        chunks.append(Chunk(response, min(size, tokens_at_once)))
        space -= size
    return tuple(chunks)
