"""The engine: many responses in one batch. Nothing outside changes what is in it, except by calling its methods.

- `engine`: conversations in slots, responses in progress; `Engine.step(plan)` carries out one step.
- `plan`: what a step does. `scheduler`: packs responses into a plan.
- `conversation`, `slot`, `prefix_cache`: what the KV cache holds and who may use it again.
- `response` of `text` and `media`: one response's state. `response_builder`, `prompt`: how it begins.
- `text_decoder`, `synthesizer`: the two halves of a step, for many rows at once.
- `parts`: the models that it computes with. `marks`: when a response got how far.
"""

from a2llm.engine.conversation import Conversation
from a2llm.engine.engine import Engine, EngineFull
from a2llm.engine.parts import MAX_RESPONSE_TOKENS, Parts, TextSampling
from a2llm.engine.plan import Chunk, Plan
from a2llm.engine.prefix_cache import PrefixCache
from a2llm.engine.response import Response
from a2llm.engine.scheduler import everybody, pack

__all__ = [
    "MAX_RESPONSE_TOKENS",
    "Chunk",
    "Conversation",
    "Engine",
    "EngineFull",
    "Parts",
    "Plan",
    "PrefixCache",
    "Response",
    "TextSampling",
    "everybody",
    "pack",
]
