"""A whole conversation as ids, cut to what fits: whole turns go, the oldest first, and the beginning stays the same for long."""

from collections.abc import Sequence
from typing import NamedTuple

from a2llm.language.chat import ChatTemplate
from a2llm.messages import Item, Tool, UserTurn

LEAST_TOKENS = 16  # of the last turn that must fit beside the instructions
MOST_HEARD = 32  # words of the user's that a response is made from


class Prompt(NamedTuple):
    """ids: up to where the response begins. opening: ids that every conversation with these instructions and tools begins with.
    heard: positions at which the words of the user's last turn end, those that a response can respond to."""

    ids: list[int]
    opening: list[int]
    heard: tuple[int, ...] = ()


def build_prompt(template: ChatTemplate, instructions: str, items: Sequence[Item], tools: tuple[Tool, ...], capacity: int) -> Prompt:
    """At most `capacity` ids. A last turn that is too long loses its end.

    Raises ValueError when the instructions and tools leave no space.
    """
    start = template.instructions(instructions, tools)
    space = capacity - len(start)
    turns = [[i for item in turn for i in template.item(item)] for turn in split_turns(items)]
    begin, tail = template.response_start(), template.response_end() + template.response_start()
    if space < len(tail) + LEAST_TOKENS:
        raise ValueError("the instructions and tools are too long for the model's context")
    kept = turns[dropped_turns([len(turn) for turn in turns], space - len(begin)) :]
    ids = [i for turn in kept for i in turn] + begin
    whole = len(ids) if len(ids) <= space else space - len(tail)
    last = len(start) + len(ids) - len(begin) - (len(kept[-1]) if kept else 0)  # where the last turn begins
    heard = tuple(last + end for end in template.user_words(_last_user(items)) if last + end < len(start) + whole)
    return Prompt(start + (ids if len(ids) <= space else ids[:whole] + tail), start + template.user_so_far(""), heard[-MOST_HEARD:])


def _last_user(items: Sequence[Item]) -> UserTurn | None:
    """The user's item that the last turn begins with; None where it begins with another one."""
    turns = split_turns(items)
    first = turns[-1][0] if turns else None
    return first if isinstance(first, UserTurn) else None


def split_turns(items: Sequence[Item]) -> list[list[Item]]:
    """Items by turns: each begins with the user's words, and a call stays with its result."""
    turns: list[list[Item]] = []
    for item in items:
        if isinstance(item, UserTurn) or not turns:
            turns.append([])
        turns[-1].append(item)
    return turns


def dropped_turns(lengths: Sequence[int], space: int) -> int:
    """How many of the oldest turns go so that the rest fits; never the last one.

    A quarter of the space at a time, so that the prompt's beginning, and with it the KV cache, holds for several turns.
    """
    excess, quarter = sum(lengths) - space, max(1, space // 4)
    goal = -(-max(0, excess) // quarter) * quarter
    gone = count = 0
    while gone < goal and count < len(lengths) - 1:
        gone += lengths[count]
        count += 1
    return count
